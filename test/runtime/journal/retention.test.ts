import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { stateCodes } from '../../../lib/job-state.ts'
import type { Answer, Request, Settle } from '../../../runtime/journal/protocol.ts'
import { KEEP_MS, StoreDriver } from '../../helpers/store-driver.ts'

function sweep(journal: StoreDriver, bounds: Partial<Extract<Request, { type: 'sweep' }>> = {}): Answer {
  return journal.request({ type: 'sweep', limit: 100, maxResults: 100, maxEnded: 100, histories: [], ...bounds })
}

/** Jobs of a task that end one millisecond after the other. */
function ended(journal: StoreDriver, task: string, transition: Settle['transition'], jobs: number): number[] {
  return Array.from({ length: jobs }, () => {
    journal.addRoom(1)
    const { number } = journal.enqueue(task)
    journal.settle(journal.held(number), transition, { record: '{}' })
    journal.advance(1)
    return number
  })
}

function left(journal: StoreDriver): number[] {
  return journal.db.prepare<[], number>('SELECT id FROM millrace_jobs ORDER BY id').pluck().all()
}

describe('retention', () => {
  it('removes a job with its attempts when its time is over, and not before', () => {
    const journal = new StoreDriver()
    const [number] = ended(journal, 'alpha', 'die', 1) as [number]
    journal.now += KEEP_MS - 2
    sweep(journal)
    assert.deepEqual(left(journal), [number])
    journal.now += 1
    assert.deepEqual(sweep(journal), { type: 'many', count: 1, more: 'no' })
    assert.equal(journal.row(number), undefined)
    assert.deepEqual(journal.db.prepare('SELECT * FROM millrace_attempts').all(), [])
  })

  it('removes the oldest above the number of each state', () => {
    const journal = new StoreDriver()
    const dead = ended(journal, 'alpha', 'die', 5)
    const discarded = ended(journal, 'alpha', 'discard', 5)
    const results = ended(journal, 'alpha', 'succeed', 5)
    sweep(journal, { maxEnded: 2, maxResults: 3 })
    assert.deepEqual(left(journal), [...dead.slice(-2), ...discarded.slice(-2), ...results.slice(-3)])
  })

  it('keeps as many successes of a task as its history may have', () => {
    const journal = new StoreDriver()
    const alpha = ended(journal, 'alpha', 'succeed', 4)
    const beta = ended(journal, 'beta', 'succeed', 4)
    const dead = ended(journal, 'alpha', 'die', 1)
    sweep(journal, { histories: [{ task: 0, max: 1 }] })
    assert.deepEqual(left(journal), [...alpha.slice(-1), ...beta, ...dead])
  })

  it('removes no more at once than one commit should, and says that there is more', () => {
    const journal = new StoreDriver()
    ended(journal, 'alpha', 'die', 5)
    journal.now += KEEP_MS
    assert.deepEqual(sweep(journal, { limit: 3 }), { type: 'many', count: 3, more: 'yes' })
    assert.deepEqual(sweep(journal, { limit: 3 }), { type: 'many', count: 2, more: 'no' })
  })

  it('never removes a job that has not ended', () => {
    const journal = new StoreDriver()
    const numbers = [
      journal.enqueue('alpha').number,
      journal.enqueue('alpha', { dueAt: journal.now + 10 * KEEP_MS }).number,
    ]
    journal.now += KEEP_MS * 5
    sweep(journal, { maxEnded: 0, maxResults: 0 })
    assert.deepEqual(left(journal), numbers)
  })

  it('starts anew for a job that was retried', () => {
    const journal = new StoreDriver()
    const [number] = ended(journal, 'alpha', 'die', 1) as [number]
    journal.retry(number)
    journal.now += KEEP_MS * 2
    sweep(journal)
    assert.equal(journal.row(number)?.state, stateCodes.available)
  })

  it('removes keys whose window is over', () => {
    const journal = new StoreDriver()
    journal.enqueue('alpha', { key: 'short', keyWindowMs: 10 })
    journal.enqueue('alpha', { key: 'long', keyWindowMs: 20 })
    journal.now += 10
    sweep(journal)
    assert.deepEqual(journal.db.prepare('SELECT key FROM millrace_keys').pluck().all(), ['long'])
  })
})
