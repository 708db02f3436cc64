import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { whyWaiting } from '../../../../runtime/journal/limits/why-waiting.ts'
import { StoreDriver } from '../../../helpers/store-driver.ts'

const part = (c: string) => JSON.stringify({ c })

describe('why a job is not claimed', () => {
  it('is the limit of its key, with how much of it is used', () => {
    const journal = new StoreDriver({ limits: { alpha: { concurrency: { limit: 2, by: 'c' } } } })
    const jobs = ['a', 'a', 'a', 'b'].map((key) => journal.add('alpha', { part: part(key) }).number)
    journal.claim(10)
    const why = whyWaiting(journal.ledger)
    assert.deepEqual(why(jobs[2] as number), { type: 'concurrency', of: 'key', key: '"a"', used: 2, limit: 2 })
    assert.deepEqual(why(jobs[3] as number), { type: 'other-state', state: 2 })
  })

  it('is a rate, and when the next one may start', () => {
    const rate = { limit: 1, perMs: 1_000, burst: 0 }
    const journal = new StoreDriver({ limits: { alpha: { rate } } })
    const [first, second] = [journal.add('alpha').number, journal.add('alpha').number]
    journal.claim(10)
    const why = whyWaiting(journal.ledger)
    assert.deepEqual(
      why(second),
      { type: 'rate', of: 'task', key: undefined, ...rate, nextAt: undefined },
      'no start was told',
    )
    journal.addStart(first, journal.now)
    const nextAt = journal.commit().nextDueAt
    assert.deepEqual(why(second), { type: 'rate', of: 'task', key: undefined, ...rate, nextAt })
  })

  it('is that fairness decides later', () => {
    const journal = new StoreDriver({ limits: { alpha: { fair: { by: 'f' } } }, parallel: 1 })
    const numbers = Array.from({ length: 20 }, () => journal.add('alpha').number)
    const claimed = journal.claim(20).length
    const why = whyWaiting(journal.ledger)
    assert.deepEqual(why(numbers.at(-1) as number), { type: 'fair-turn', claimed })
  })

  it('is that others go before it, or nothing but room', () => {
    const journal = new StoreDriver()
    const [first, , third] = [journal.enqueue('alpha'), journal.enqueue('beta'), journal.enqueue('alpha')]
    const high = journal.enqueue('beta', { priority: 9 })
    const why = whyWaiting(journal.ledger)
    assert.deepEqual(
      [high, first, third].map((job) => why(job?.number ?? 0)),
      [0, 1, 3].map((jobs) => ({ type: 'behind', jobs })),
    )
  })

  it('is that its task runs nowhere, that it is a suspect, or that there is no such job', () => {
    const journal = new StoreDriver({ parked: ['parked'] })
    const parked = journal.enqueue('parked').number
    const suspect = journal.enqueue('alpha').number
    journal.db.prepare('UPDATE millrace_jobs SET rank = rank + 16 WHERE id = ?').run(suspect)
    const why = whyWaiting(journal.ledger)
    assert.deepEqual(
      [parked, suspect, 999_999].map((number) => why(number).type),
      ['parked', 'suspect', 'absent'],
    )
  })
})
