import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { HeldBack } from '../../../../runtime/journal/owner/held-back.ts'
import type { NewJob } from '../../../../runtime/journal/owner/gather.ts'
import { type DriverOptions, StoreDriver } from '../../../helpers/store-driver.ts'

const reject = { alpha: { limit: 2, beyond: 'reject' } } as const
const wait = { alpha: { limit: 2, beyond: 'wait' } } as const

describe('a task with a bound of waiting jobs', () => {
  it('has exactly so many, whatever is enqueued and taken', () => {
    const step = fc.oneof(
      fc.record({ type: fc.constant('enqueue' as const), jobs: fc.integer({ min: 1, max: 5 }) }),
      fc.record({ type: fc.constantFrom('claim' as const, 'end' as const), jobs: fc.integer({ min: 1, max: 3 }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const journal = new StoreDriver({ maxWaiting: reject })
        for (const { type, jobs } of steps) {
          if (type === 'claim') journal.claim(jobs)
          if (type === 'end') for (const job of [...journal.hand.values()].slice(0, jobs)) journal.finish(job)
          if (type !== 'enqueue') continue
          const before = journal.ledger.waiting.total
          const room = journal.ledger.rooms.jobs(0)
          const added = Array.from({ length: jobs }, () => journal.add('alpha'))
          journal.commit()
          const taken = added.filter(({ as }) => as !== 'overloaded').length
          assert.equal(taken, Math.min(jobs, 2 - before + room))
          for (const { as, number } of added) assert.equal(journal.row(number) === undefined, as === 'overloaded')
        }
        assert.ok(journal.ledger.waiting.total <= 2)
        journal.db.close()
      }),
      { numRuns: 200 },
    )
  })

  it('does not count what waits for its time, and turns away nothing that was acknowledged elsewhere', () => {
    const journal = new StoreDriver({ maxWaiting: reject })
    for (let job = 0; job < 3; job++)
      assert.equal(journal.enqueue('alpha', { dueAt: journal.now + 1_000 }).as, 'scheduled')
    for (const as of ['waiting', 'waiting', 'overloaded']) assert.equal(journal.enqueue('alpha').as, as)
    journal.advance(1_000)
    assert.equal(journal.ledger.waiting.total, 5)
    journal.add('beta')
    const [parent] = journal.claim(1)
    journal.settle(journal.held(parent as number), 'succeed', { children: journal.children('alpha') })
    assert.equal(journal.ledger.waiting.total, 6)
  })

  it('leaves nothing of what it turned away: no row, and no key', () => {
    const journal = new StoreDriver({ maxWaiting: reject })
    for (const as of ['waiting', 'waiting', 'overloaded'])
      assert.equal(journal.enqueue('alpha', { key: as + journal.now++ }).as, as)
    assert.equal(journal.db.prepare('SELECT count(*) FROM millrace_keys').pluck().get(), 2)
  })

  it('tells once when it has room again, and for how many', () => {
    const journal = new StoreDriver({ maxWaiting: wait })
    for (let job = 0; job < 4; job++) journal.add('alpha')
    assert.deepEqual(journal.commit().roomOf, [])
    assert.equal(journal.heldBack.length, 2)
    journal.addRoom(2)
    assert.deepEqual(journal.commit().roomOf, [0, 2])
    assert.deepEqual(journal.commit().roomOf, [])
  })
})

describe('a place with a bound of waiting jobs', () => {
  it('counts those of all its tasks, and of no other place', () => {
    const places = [['alpha', 'beta'], ['gamma']]
    const journal = new StoreDriver({ places, placeMaxWaiting: { limit: 2, beyond: 'reject' } })
    const as = ['alpha', 'beta', 'alpha', 'beta', 'gamma'].map((task) => journal.enqueue(task).as)
    assert.deepEqual(as, ['waiting', 'waiting', 'overloaded', 'overloaded', 'waiting'])
  })
})

describe('who is held back', () => {
  const job = (
    task: number,
    number: number,
    refused: (error: unknown) => void = () => assert.fail('refused'),
  ): NewJob => ({
    task,
    number,
    input: '',
    extra: null,
    accepted: () => undefined,
    refused,
  })

  it('is let in in order, and nobody goes before', () => {
    const held = new HeldBack()
    assert.equal(held.takes(job(1, 1)), false)
    const others: number[] = []
    held.add(job(1, 2))
    assert.equal(held.takes(job(2, 3)), false)
    assert.equal(held.takes(job(1, 4)), true)
    assert.deepEqual(
      [...held.release([2, 5, 1, 1], (task) => others.push(task))].map(({ number }) => number),
      [2],
    )
    assert.deepEqual(
      [...held.release([1, 5], (task) => others.push(task))].map(({ number }) => number),
      [4],
    )
    assert.equal(held.takes(job(1, 5)), false)
    assert.deepEqual(others, [1], 'it is asked for again while others wait')
  })

  it('comes before younger ones although it was turned away later', () => {
    const held = new HeldBack()
    for (const number of [3, 5, 4, 1]) held.add(job(1, number))
    assert.deepEqual(
      held.clear().map(({ number }) => number),
      [1, 3, 4, 5],
    )
  })

  it('is told so when there are too many', () => {
    const held = new HeldBack()
    for (let number = 0; number < 10_000; number++) held.add(job(1, number))
    let code = ''
    held.add(job(1, 10_000, (error) => (code = (error as { code: string }).code)))
    assert.equal(code, 'MILLRACE_OVERLOADED')
    assert.equal(held.clear().length, 10_000)
  })
})

describe('a job that is of use for a while only', () => {
  /** Waiting jobs of which the place takes two in each of so many hundredths of a second. */
  function busy(forMs: number, options: DriverOptions = {}): StoreDriver {
    const journal = new StoreDriver(options)
    for (let job = 0; job < 1_000; job++) journal.add('alpha')
    journal.enqueue('alpha', { useByMs: 1_000_000, expiresAt: journal.now + 1_000_000 })
    for (let ms = 0; ms < forMs; ms += 10) {
      journal.now += 10
      for (const number of journal.claim(2)) journal.finish(journal.held(number))
    }
    return journal
  }
  const withinMs = (journal: StoreDriver, useByMs: number) => ({ useByMs, expiresAt: journal.now + useByMs, key: 'k' })

  it('ends at its enqueue where it is clear that it will not start in time', () => {
    const journal = busy(2_000)
    const { number } = journal.add('alpha', withinMs(journal, 1_000))
    assert.deepEqual(journal.commit().expired, [{ number, task: 0 }])
    assert.equal(journal.row(number)?.state, 7)
    assert.equal(journal.enqueue('alpha', withinMs(journal, 1_000)).as, 'expired', 'its key is free')
    assert.equal(journal.ledger.waiting.total, 1_001 - 400)
  })

  it('waits where that is not clear: too little was seen, it would take only a little longer, or others wait behind it', () => {
    assert.equal(busy(300).enqueue('alpha', withinMs(busy(0), 1)).as, 'waiting')
    const journal = busy(2_000)
    assert.equal(journal.enqueue('alpha', withinMs(journal, 2_500)).as, 'waiting')
    assert.equal(journal.enqueue('alpha', { ...withinMs(journal, 1_000), key: 'l', priority: 9 }).as, 'waiting')
  })

  it('waits where a clock that was set, or a disk that was full, made an hour of one commit', () => {
    const journal = busy(3_000)
    journal.now += 3_600_000
    for (const number of journal.claim(2)) journal.finish(journal.held(number))
    assert.equal(
      journal.enqueue('alpha', withinMs(journal, 10_000)).as,
      'waiting',
      'some 400 wait before it, which take two seconds',
    )
    assert.equal(journal.enqueue('alpha', { ...withinMs(journal, 500), key: 'l' }).as, 'expired', 'the control')
  })

  it('waits where its task has limits: nobody knows when they let it go', () => {
    const journal = busy(2_000, { limits: { beta: { concurrency: { limit: 5, by: 'c' } } } })
    const part = JSON.stringify({ c: 'new' })
    assert.equal(journal.enqueue('beta', { ...withinMs(journal, 1_000), part }).as, 'waiting')
    assert.equal(journal.enqueue('alpha', withinMs(journal, 1_000)).as, 'expired', 'the control')
  })
})
