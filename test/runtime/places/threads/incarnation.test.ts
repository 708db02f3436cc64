import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { receiveMessageOnPort } from 'node:worker_threads'
import { systemClock } from '../../../../lib/clock.ts'
import type { Outcome } from '../../../../lib/outcome.ts'
import { finish } from '../../../../lib/slot-word.ts'
import type { ClaimedJob, Ended } from '../../../../runtime/messages.ts'
import { PLAIN_SUCCESS } from '../../../../runtime/places/attempt/attempt.ts'
import { type Entry, Incarnation } from '../../../../runtime/places/threads/incarnation.ts'
import { Slots } from '../../../../runtime/places/slots.ts'
import type { FromThread, ToThread } from '../../../../runtime/places/thread-protocol.ts'
import { claimOf, claimsOf, numbersOf } from '../../../helpers/claims.ts'
import { begin, end, entryAt } from '../../../helpers/slot-thread.ts'

const LIMITS = { softLimitMs: 20_000, hardLimitMs: 30_000 }
const VERDICT: Outcome = { type: 'failed', error: { name: 'Error', message: 'too long' }, retry: 'by-policy' }
const VALUE: Outcome = { type: 'succeeded', output: '7' }

/** One life of a thread with so many slots; what it would do is done by the test. */
function threadOf(test: TestContext, slots: number) {
  const thread: Incarnation = new Incarnation(
    { slots, concurrency: 1, firstStart: 0, memory: 'ignored', journal: 'abcdef', starts: undefined },
    (message) => received(message),
  )
  test.after(() => thread.close())
  const received = (message: FromThread) => {
    if (message.type === 'outcome') thread.outcome(message.slot, message.generation, message.outcome)
    if (message.type === 'gave-back') thread.gaveBack(message.slot, message.generation)
  }
  const offer = (...jobs: readonly ClaimedJob[]) =>
    thread.offer(jobs.map((job) => ({ job, task: 'work', limits: LIMITS })))
  const gaveBack = ({ slot, generation }: Entry) => received({ type: 'gave-back', slot, generation })
  return { thread, offer, gaveBack }
}

/** The next message that was posted to the thread. */
function posted(thread: Incarnation): ToThread | undefined {
  return (receiveMessageOnPort(thread.run.port) as { message: ToThread } | undefined)?.message
}

const outcomesOf = (ended: readonly Ended[]) => ended.map(({ job, outcome }) => [job.number, outcome])
const states = (thread: Incarnation) => thread.entries.map((entry) => thread.state(entry))

describe('an offer', () => {
  it('goes to the thread as columns, and stands in slots', (test) => {
    const { thread, offer } = threadOf(test, 3)
    offer(claimOf({ number: 7, claim: 2, attempt: 1, input: '1' }), claimOf({ number: 8, extra: { overrides: '{}' } }))
    assert.deepEqual(posted(thread), {
      type: 'batch',
      slots: [0, 1],
      generations: [1, 1],
      numbers: [7, 8],
      tasks: ['work', 'work'],
      claims: [2, 1],
      attempts: [1, 0],
      inputs: ['1', 'null'],
      overrides: [null, '{}'],
    })
    assert.deepEqual(states(thread), ['offered', 'offered'])
  })

  it('is taken, run and harvested, with the times that the thread has written', (test) => {
    const { thread, offer } = threadOf(test, 2)
    offer(...claimsOf(2))
    const first = begin(thread, 0, 10)
    assert.deepEqual([states(thread), thread.startedAt(first), thread.beatAt], [['taken', 'offered'], 10, 10])
    assert.deepEqual(thread.harvest(0), [], 'nothing is done yet')
    end(thread, first, 12.5)
    assert.deepEqual(thread.harvest(1_000), [
      { job: claimOf(), outcome: PLAIN_SUCCESS, startedAt: 1_010, endedAt: 1_012.5 },
    ])
    assert.deepEqual([thread.harvest(1_000), states(thread)], [[], ['offered']])
  })

  it('has begun when its own attempt did, and not when it was offered with others', (test) => {
    const { thread, offer } = threadOf(test, 3)
    offer(claimOf({ number: 1 }), claimOf({ number: 2 }), claimOf({ number: 3 }))
    const first = begin(thread, 0, 100)
    end(thread, first, 5_000)
    begin(thread, 1, 5_000)
    assert.deepEqual(
      thread.begun().map(({ entry, startedAt }) => [entry.job.number, startedAt]),
      [[2, 5_000]],
    )
  })

  it('is found by the number of its job until it has gone', (test) => {
    const { thread, offer } = threadOf(test, 4)
    offer(...claimsOf(4))
    assert.equal(thread.find(1), thread.entries[0])
    const [done, givenUp] = [begin(thread, 0, 1), begin(thread, 1, 1)]
    end(thread, done, 2)
    thread.harvest(0)
    thread.condemn(givenUp, VERDICT)
    thread.abandon(givenUp, systemClock)
    thread.recall(({ job }) => job.number === 3)
    const found = [1, 2, 3, 4].map((number) => thread.find(number)?.job.number)
    assert.deepEqual(found, [undefined, undefined, undefined, 4])
    thread.remains()
    assert.equal(thread.find(4), undefined)
  })

  it('may stand in a slot again, in a later generation', (test) => {
    const { thread, offer } = threadOf(test, 1)
    for (let round = 1; round <= 3; round++) {
      offer(claimOf({ number: round }))
      const entry = begin(thread, 0, round)
      assert.deepEqual([entry.slot, entry.generation], [0, round])
      end(thread, entry, round)
      assert.equal(thread.harvest(0).length, 1)
    }
  })

  it('gets its own outcome, not one that is late for the slot', (test) => {
    const { thread, offer } = threadOf(test, 1)
    offer(claimOf({ number: 1 }))
    const first = begin(thread, 0, 1)
    end(thread, first, 2)
    thread.harvest(0)
    offer(claimOf({ number: 2 }))
    const second = begin(thread, 0, 3)
    thread.outcome(first.slot, first.generation, VALUE)
    end(thread, second, 4)
    assert.deepEqual(outcomesOf(thread.harvest(0)), [[2, PLAIN_SUCCESS]])
  })

  it('is harvested with an outcome that no event has brought yet', (test) => {
    const { thread, offer } = threadOf(test, 1)
    offer(claimOf())
    end(thread, begin(thread, 0, 1), 2, VALUE)
    assert.deepEqual(outcomesOf(thread.harvest(0)), [[1, VALUE]])
  })
})

describe('what a thread has marked done and not noted, since it was ended between the two', () => {
  it('is harvested once it has exited', (test) => {
    const { thread, offer } = threadOf(test, 3)
    offer(...claimsOf(3))
    const [noted, marked] = [begin(thread, 0, 1), begin(thread, 1, 1)]
    end(thread, noted, 2)
    finish(new Slots(thread.run.slots, 3).words, marked.slot, marked.generation)
    assert.deepEqual(outcomesOf(thread.harvest(0)), [[1, PLAIN_SUCCESS]])
    assert.deepEqual(outcomesOf(thread.harvestRest(0)), [[2, PLAIN_SUCCESS]])
    assert.deepEqual(numbersOf(thread.remains().map(({ job }) => job)), [3])
  })
})

describe('a recall', () => {
  it('takes back what has not started, in the order of offers', (test) => {
    const { thread, offer } = threadOf(test, 4)
    offer(...claimsOf(4))
    begin(thread, 0, 1)
    assert.deepEqual(numbersOf(thread.recall(({ job }) => job.number !== 3)), [2, 4])
    assert.deepEqual(numbersOf(thread.entries.map(({ job }) => job)), [1, 3])
    offer(claimOf({ number: 9 }), claimOf({ number: 10 }))
    assert.equal(thread.entries.length, 4, 'their slots are free again')
  })

  it('loses to a thread that was first', (test) => {
    const { thread, offer } = threadOf(test, 1)
    offer(claimOf())
    const entry = begin(thread, 0, 1)
    assert.deepEqual(
      thread.recall(() => true),
      [],
    )
    end(thread, entry, 2)
    assert.deepEqual(
      thread.recall(() => true),
      [],
    )
    assert.equal(thread.harvest(0).length, 1)
  })

  it('wins over a thread that comes later', (test) => {
    const { thread, offer } = threadOf(test, 1)
    offer(claimOf())
    const entry = entryAt(thread, 0)
    assert.equal(thread.recall(() => true).length, 1)
    assert.equal(end(thread, entry, 2), 'lost')
    assert.deepEqual(thread.harvest(0), [])
  })
})

describe('an attempt that is asked to end', () => {
  it('hears it once, by message and in its slot', (test) => {
    const { thread, offer } = threadOf(test, 1)
    offer(claimOf())
    posted(thread)
    const entry = begin(thread, 0, 1)
    thread.ask(entry, 'soft-limit')
    thread.ask(entry, 'drain')
    const { slot, generation } = entry
    assert.deepEqual(posted(thread), { type: 'abort', slot, generation, reason: 'soft-limit' })
    assert.equal(posted(thread), undefined)
    assert.equal(new Slots(thread.run.slots, 1).abortOf(slot, generation), 'soft-limit')
  })
})

describe('an attempt that is condemned', () => {
  it('cannot finish any more, and its verdict stays with it', (test) => {
    const { thread, offer } = threadOf(test, 1)
    offer(claimOf())
    const entry = begin(thread, 0, 1)
    assert.equal(thread.condemn(entry, VERDICT), 'condemned')
    assert.equal(end(thread, entry, 2, VALUE), 'lost')
    assert.deepEqual([thread.harvest(0), thread.remains()[0]?.verdict], [[], VERDICT])
  })

  it('has finished when it was first', (test) => {
    const { thread, offer } = threadOf(test, 1)
    offer(claimOf())
    const entry = begin(thread, 0, 1)
    end(thread, entry, 2, VALUE)
    assert.equal(thread.condemn(entry, VERDICT), 'lost')
    assert.deepEqual(outcomesOf(thread.harvest(0)), [[1, VALUE]])
  })

  it('keeps its slot when it is abandoned, until the thread gives it back', (test) => {
    const { thread, offer, gaveBack } = threadOf(test, 2)
    offer(claimOf({ number: 1 }))
    const entry = begin(thread, 0, 1)
    thread.condemn(entry, VERDICT)
    thread.abandon(entry, systemClock)
    assert.deepEqual([thread.entries, thread.abandoned], [[], 1])
    offer(claimOf({ number: 2 }))
    assert.notEqual(entryAt(thread, 0).slot, entry.slot)
    gaveBack(entry)
    gaveBack(entry)
    assert.equal(thread.abandoned, 0, 'once')
    offer(claimOf({ number: 3 }))
    assert.equal(entryAt(thread, 1).slot, entry.slot)
  })

  it('is not given back by its thread while it stands there: its exit decides', (test) => {
    const { thread, offer, gaveBack } = threadOf(test, 1)
    offer(claimOf())
    const entry = begin(thread, 0, 1)
    thread.condemn(entry, VERDICT)
    gaveBack(entry)
    assert.deepEqual([states(thread), thread.abandoned], [['condemned'], 0])
  })
})

describe('what remains when the thread has exited', () => {
  it('is all that still stands there, with the outcomes that it has posted', (test) => {
    const { thread, offer } = threadOf(test, 3)
    offer(...claimsOf(3))
    const entry = begin(thread, 0, 1)
    const { slot, generation } = entry
    thread.run.port.postMessage({ type: 'outcome', slot, generation, outcome: VALUE } satisfies FromThread)
    begin(thread, 1, 1)
    const remains = thread.remains()
    assert.deepEqual(
      remains.map(({ job, outcome }) => [job.number, outcome]),
      [
        [1, VALUE],
        [2, undefined],
        [3, undefined],
      ],
    )
    assert.deepEqual(thread.remains(), [])
  })
})
