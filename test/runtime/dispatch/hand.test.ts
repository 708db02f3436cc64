import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Hand } from '../../../runtime/dispatch/hand.ts'
import type { ClaimedJob } from '../../../runtime/messages.ts'
import { claimOf, claimsOf, numbersOf } from '../../helpers/claims.ts'

function handOf(...jobs: readonly ClaimedJob[]): Hand {
  const hand = new Hand()
  for (const job of jobs) hand.add(job)
  return hand
}

function takeAll(hand: Hand): number[] {
  const jobs: ClaimedJob[] = []
  for (let job = hand.take(); job !== undefined; job = hand.take()) jobs.push(job)
  return numbersOf(jobs)
}

describe('a hand', () => {
  it('gives out by priority, and by order number within one', () => {
    const hand = handOf(
      claimOf({ ord: 1, rank: 9 }),
      claimOf({ ord: 5, rank: 0 }),
      claimOf({ ord: 3, rank: 5 }),
      claimOf({ ord: 2, rank: 5 }),
    )
    assert.deepEqual([hand.size, hand.firstRank()], [4, 0])
    assert.deepEqual(takeAll(hand), [5, 2, 3, 1])
    assert.deepEqual([hand.size, hand.firstRank(), hand.take()], [0, undefined, undefined])
  })

  it('gives out the oldest once in eight, so that none starves', () => {
    const hand = handOf(claimOf({ ord: 1, rank: 9 }), ...claimsOf(20, { rank: 0 }).map(later))
    assert.deepEqual(takeAll(hand).indexOf(1), 7)
  })

  it('takes back what was offered in front of what came after it', () => {
    const hand = handOf(...claimsOf(4))
    const [first, second] = [hand.take(), hand.take()] as [ClaimedJob, ClaimedJob]
    hand.putBack(first)
    hand.putBack(second)
    assert.deepEqual(takeAll(hand), [1, 2, 3, 4])
  })

  it('lets go of one job wherever it stands, and of none that it has not', () => {
    const hand = handOf(...claimsOf(3), claimOf({ ord: 9, rank: 1 }))
    const remove = (number: number) => numbersOf(hand.removeAll((job) => job.number === number))
    assert.deepEqual([remove(2), remove(2), remove(9)], [[2], [], [9]])
    assert.deepEqual([hand.size, hand.firstRank()], [2, 5])
    assert.deepEqual(takeAll(hand), [1, 3])
  })

  it('is empty when it was cleared, and goes on', () => {
    const hand = handOf(claimOf({ ord: 2 }), claimOf({ ord: 1, rank: 8 }))
    assert.deepEqual(numbersOf(hand), [2, 1])
    assert.deepEqual(numbersOf(hand.clear()), [2, 1])
    assert.deepEqual([hand.size, numbersOf(hand)], [0, []])
    hand.add(claimOf({ ord: 7 }))
    assert.deepEqual(takeAll(hand), [7])
  })

  it('takes in a claim that comes behind one that is tried again without looking at all others for each job of it', () => {
    let looks = 0
    const counted = (ord: number): ClaimedJob =>
      Object.defineProperty({ ...claimOf({ ord }) }, 'ord', { get: () => (looks++, ord) })
    const numbers = Array.from({ length: 4_000 }, (_, at) => at + 1)
    const hand = handOf(...[1_000_000, ...numbers].map(counted))
    assert.equal(hand.take()?.number, 1)
    assert.ok(looks < 20 * numbers.length, `${looks} looks at an order number`)
  })

  it('is a list sorted by priority and order, of which every eighth take is the oldest', () => {
    fc.assert(fc.property(fc.array(steps, { maxLength: 120 }), behavesLikeTheModel), { numRuns: 300 })
  })
})

type Step =
  | { readonly do: 'add'; readonly rank: number; readonly ord: number }
  | { readonly do: 'take' }
  | { readonly do: 'clear' }
  | { readonly do: 'put-back'; readonly which: number }
  | { readonly do: 'remove'; readonly which: number }

const which = fc.nat({ max: 50 })
const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('add' as const), rank: fc.nat({ max: 9 }), ord: fc.nat() }) },
  { weight: 8, arbitrary: fc.constant({ do: 'take' as const }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('put-back' as const), which }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remove' as const), which }) },
  { weight: 1, arbitrary: fc.constant({ do: 'clear' as const }) },
)

function behavesLikeTheModel(sequence: readonly Step[]): void {
  const hand = new Hand()
  const model = new ListModel()
  const ords = new Set<number>()
  for (const step of sequence) {
    if (step.do === 'add') {
      // Order numbers are unique: the journal gives each of them once.
      if (ords.has(step.ord)) continue
      ords.add(step.ord)
      const job = claimOf({ ord: step.ord, rank: step.rank })
      hand.add(job)
      model.add(job)
    } else if (step.do === 'take') assert.equal(hand.take(), model.take())
    else if (step.do === 'clear') assert.deepEqual(numbersOf(hand.clear()), numbersOf(model.clear()))
    else if (step.do === 'put-back') {
      const job = model.takeBack(step.which)
      if (job === undefined) continue
      hand.putBack(job)
      model.add(job)
    } else {
      const number = model.numberAt(step.which)
      assert.deepEqual(
        hand.removeAll((job) => job.number === number),
        [model.remove(number) ?? []].flat(),
      )
    }
    assert.deepEqual([hand.size, hand.firstRank()], [model.jobs.length, model.jobs[0]?.rank])
    assert.deepEqual(numbersOf(hand), numbersOf(model.jobs))
  }
}

class ListModel {
  jobs: ClaimedJob[] = []
  #given: ClaimedJob[] = []
  #taken = 0

  add(job: ClaimedJob): void {
    this.jobs = [...this.jobs, job].sort((a, b) => a.rank - b.rank || a.ord - b.ord)
  }

  take(): ClaimedJob | undefined {
    if (this.jobs.length === 0) return undefined
    const oldest = this.jobs.reduce((best, job) => (job.ord < best.ord ? job : best))
    const job = ++this.#taken % 8 === 0 ? oldest : (this.jobs[0] as ClaimedJob)
    this.#given.push(job)
    return this.remove(job.number)
  }

  takeBack(at: number): ClaimedJob | undefined {
    return this.#given.splice(at % Math.max(1, this.#given.length), 1)[0]
  }

  numberAt(at: number): number {
    return this.jobs[at % Math.max(1, this.jobs.length)]?.number ?? -1
  }

  remove(number: number): ClaimedJob | undefined {
    const job = this.jobs.find((each) => each.number === number)
    this.jobs = this.jobs.filter((each) => each !== job)
    return job
  }

  clear(): ClaimedJob[] {
    return this.jobs.splice(0)
  }
}

function later(job: ClaimedJob): ClaimedJob {
  return { ...job, number: job.number + 100, ord: job.ord + 100 }
}
