import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import fc from 'fast-check'
import { stateCodes } from '../../../lib/job-state.ts'
import { createStarts, StartsWriter } from '../../../runtime/journal/starts.ts'
import { openerOf, StoreDriver } from '../../helpers/store-driver.ts'
import { scratchFolder } from '../../helpers/scratch.ts'

const SLOTS = 4

/** A process that may die: what it has begun is on file, as its threads write it. */
class Life {
  readonly journal: StoreDriver
  readonly #file: string
  #starts!: StartsWriter

  constructor(test: TestContext) {
    this.#file = join(scratchFolder(), 'jobs.db')
    this.journal = new StoreDriver({ open: openerOf(test, this.#file) })
    this.#write()
    test.after(() => this.#starts.close())
  }

  /** The process dies and another one is started. */
  die(): void {
    this.#starts.close()
    this.journal.reopen()
    this.#write()
  }

  begin(slot: number, number: number): void {
    this.#starts.begin(slot, number, this.journal.held(number).claim)
  }

  trial(): number[] {
    const before = new Set(this.journal.hand.keys())
    this.journal.request({ type: 'trial' })
    return [...this.journal.hand.keys()].filter((number) => !before.has(number))
  }

  #write(): void {
    this.#starts = new StartsWriter(createStarts(this.#file, this.journal.opened.epoch, SLOTS), 0)
  }
}

describe('after the death of the process', () => {
  it('what ran is available at its old place in the order, uncharged', (test) => {
    const { journal } = new Life(test)
    const [first, second] = [journal.enqueue('alpha'), journal.enqueue('alpha')]
    journal.claim(1)
    journal.reopen()
    assert.equal(journal.opened.recovered, 1)
    assert.deepEqual(journal.claim(2), [first.number, second.number])
    assert.equal(journal.held(first.number).attempt, 0)
    assert.equal(journal.held(first.number).claim, 2)
  })

  it('a crash is noted of those that had begun, and of no others', (test) => {
    const life = new Life(test)
    const [begun, waited] = [life.journal.enqueue('alpha').number, life.journal.enqueue('alpha').number]
    life.journal.claim(2)
    life.begin(0, begun)
    life.die()
    assert.equal(life.journal.row(begun)?.crashes, 1)
    assert.equal(life.journal.row(waited)?.crashes, 0)
  })

  it('no crash is noted of one that its owner had interrupted', (test) => {
    const life = new Life(test)
    const { number } = life.journal.enqueue('alpha')
    life.journal.claim(1)
    life.begin(0, number)
    life.journal.request({ type: 'interrupted', numbers: [number] })
    life.die()
    assert.equal(life.journal.row(number)?.crashes, 0)
  })

  it('no crash is noted for a start of an older claim', (test) => {
    const life = new Life(test)
    const { number } = life.journal.enqueue('alpha')
    life.journal.claim(1)
    life.begin(0, number)
    life.journal.settle(life.journal.held(number), 'release')
    life.journal.claim(1)
    life.die()
    assert.equal(life.journal.row(number)?.crashes, 0)
  })

  it('a job is cleared by an attempt that its process survives', (test) => {
    const life = new Life(test)
    const { number } = life.journal.enqueue('alpha')
    life.journal.claim(1)
    life.begin(0, number)
    life.die()
    life.journal.claim(1)
    life.journal.settle(life.journal.held(number), 'retry')
    assert.equal(life.journal.row(number)?.crashes, 0)
  })

  it('a job with three crashes waits for its trial, while the others run', (test) => {
    const life = new Life(test)
    const { number } = life.journal.enqueue('alpha')
    for (let crash = 0; crash < 3; crash++) {
      life.journal.claim(1)
      life.begin(0, number)
      life.die()
    }
    assert.equal(life.journal.opened.suspects, 1)
    const { number: other } = life.journal.enqueue('alpha')
    assert.deepEqual(life.journal.claim(5), [other])
    assert.deepEqual(life.trial(), [number])
    assert.deepEqual(life.trial(), [], 'one trial at a time')
  })

  it('a job that took it down twice as the only suspect is dead, and can be retried', (test) => {
    const life = new Life(test)
    const { number } = life.journal.enqueue('alpha', { key: 'k' })
    for (let crash = 0; crash < 5; crash++) {
      if (crash < 3) life.journal.claim(1)
      else life.trial()
      assert.equal(life.journal.row(number)?.state, stateCodes.running)
      life.begin(0, number)
      life.die()
    }
    const row = life.journal.row(number)
    assert.equal(row?.state, stateCodes.dead)
    assert.match(row?.attempts.at(-1) ?? '', /MILLRACE_POISON/)
    assert.equal(life.journal.retry(number).type, 'revived')
    assert.deepEqual(life.journal.claim(1), [number])
  })

  it('a death without it, between two with it, speaks for a suspect', (test) => {
    const life = new Life(test)
    const { number } = life.journal.enqueue('alpha')
    const dieWithIt = () => {
      if (life.journal.opened.suspects === 0) life.journal.claim(1)
      else life.trial()
      life.begin(0, number)
      life.die()
    }
    for (let crash = 0; crash < 4; crash++) dieWithIt()
    life.trial()
    life.die()
    dieWithIt()
    assert.equal(life.journal.row(number)?.state, stateCodes.available)
    dieWithIt()
    assert.equal(life.journal.row(number)?.state, stateCodes.dead)
  })

  it('the killers among any jobs end dead within a few deaths, and nobody else does', (test) => {
    const life = new Life(test)
    const jobs = fc.array(fc.boolean(), { minLength: 1, maxLength: 12 })
    fc.assert(
      fc.property(jobs, (kills) => {
        const killers = new Set<number>()
        const numbers = kills.map((kills) => {
          const { number } = life.journal.enqueue('alpha')
          if (kills && killers.size < 2) killers.add(number)
          return number
        })
        const deaths = liveUntilQuiet(life, killers)
        const dead = numbers.filter((number) => life.journal.row(number)?.state === stateCodes.dead)
        assert.deepEqual(dead, [...killers])
        assert.ok(deaths <= killers.size * (6 + 2 * Math.ceil(Math.log2(kills.length + 1))), `${deaths} deaths`)
      }),
      { numRuns: 40, includeErrorInReport: true },
    )
  })
})

/** Runs everything, a few jobs at a time, through as many deaths as it takes. */
function liveUntilQuiet(life: Life, killers: ReadonlySet<number>): number {
  for (let deaths = 0; ; deaths++) {
    life.journal.claim(100)
    const survived = () => [...life.journal.hand.keys()].length === 0 || runHand(life, killers)
    if (survived() && survivesTrials(life, killers)) {
      assert.equal(life.journal.ledger.suspects, 0)
      life.journal.route()
      return deaths
    }
    life.die()
  }
}

function survivesTrials(life: Life, killers: ReadonlySet<number>): boolean {
  while (life.trial().length > 0) if (!runHand(life, killers)) return false
  return true
}

/** Begins what is held, as many at a time as there are slots; false if that was the end of the process. */
function runHand(life: Life, killers: ReadonlySet<number>): boolean {
  const held = [...life.journal.hand.values()]
  for (let at = 0; at < held.length; at += SLOTS) {
    const batch = held.slice(at, at + SLOTS)
    batch.forEach(({ number }, slot) => life.begin(slot, number))
    if (batch.some(({ number }) => killers.has(number))) return false
    for (const job of batch) life.journal.settle(job, 'succeed', { row: 'drop' })
  }
  return true
}
