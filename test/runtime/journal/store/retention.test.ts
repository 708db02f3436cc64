import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { stateCodes } from '../../../../lib/job-state.ts'
import type { Answer, Request, Settle } from '../../../../runtime/journal/protocol.ts'
import { failOnce } from '../../../helpers/altered-statement.ts'
import { KEEP_MS } from '../../../helpers/journal-openers.ts'
import { type NewJobOptions, StoreDriver } from '../../../helpers/store-driver.ts'

type Swept = Extract<Answer, { type: 'swept' }>

function sweep(journal: StoreDriver, bounds: Partial<Extract<Request, { type: 'sweep' }>> = {}) {
  const asked = { type: 'sweep', limit: 100, maxResults: 100, maxEnded: 100, histories: [], ...bounds } as const
  const { type, nextAt: _, ...found } = journal.request(asked) as Swept
  assert.equal(type, 'swept')
  return found
}

/** Jobs of a task that end one millisecond after the other. */
function ended(
  journal: StoreDriver,
  task: string,
  transition: Settle['transition'],
  jobs: number,
  { settle = {}, ...options }: NewJobOptions & { readonly settle?: Partial<Settle> } = {},
): number[] {
  return Array.from({ length: jobs }, () => {
    journal.addRoom(1)
    const { number } = journal.enqueue(task, options)
    journal.settle(journal.held(number), transition, { record: '{}', ...settle })
    journal.advance(1)
    return number
  })
}

/** Jobs that succeed in one commit, with a result. */
function endedTogether(journal: StoreDriver, jobs: number, options: NewJobOptions = {}): number[] {
  journal.addRoom(jobs)
  const numbers = Array.from({ length: jobs }, () => journal.add('alpha', options).number)
  journal.commit()
  for (const job of journal.hand.values()) journal.addSettle(job, 'succeed', { output: '7' })
  journal.commit()
  return numbers
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
    assert.deepEqual(sweep(journal), { count: 1, more: 'no' })
    assert.equal(journal.row(number), undefined)
    assert.deepEqual(journal.db.prepare('SELECT * FROM millrace_attempts').all(), [])
  })

  it('tells when the next job is over, whether it has found one or not', () => {
    const journal = new StoreDriver()
    const nextAt = () =>
      (journal.request({ type: 'sweep', limit: 1, maxResults: 9, maxEnded: 9, histories: [] }) as Swept).nextAt
    assert.equal(nextAt(), undefined)
    ended(journal, 'alpha', 'die', 2)
    const [first, second] = journal.db
      .prepare<[], number>('SELECT keep_until FROM millrace_jobs ORDER BY 1')
      .pluck()
      .all()
    assert.equal(nextAt(), first)
    journal.now = first as number
    assert.equal(nextAt(), second)
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

  it('keeps each success whose result is still to be kept, however many its history may have', () => {
    const journal = new StoreDriver()
    const histories = [{ task: 0, max: 1, keepResultMs: 1_000 }]
    const results = ended(journal, 'alpha', 'succeed', 4, { settle: { output: '7' } })
    sweep(journal, { histories })
    assert.deepEqual(left(journal), results)
    journal.now += 997
    sweep(journal, { histories })
    assert.deepEqual(left(journal), results.slice(2), 'the time of two of them is over')
    journal.now += 10
    sweep(journal, { histories })
    assert.deepEqual(left(journal), results.slice(-1), 'the latest is kept by the history')
  })

  it('keeps a success for as long as its own result is to be kept', () => {
    const journal = new StoreDriver()
    const output = { settle: { output: '7' } }
    const longer = { ...output, overrides: JSON.stringify({ keepResultMs: 2_000 }) }
    const own = ended(journal, 'alpha', 'succeed', 2, longer)
    ended(journal, 'alpha', 'succeed', 2, output)
    const [unreadable] = ended(journal, 'alpha', 'succeed', 1, { ...output, overrides: '{' }) as [number]
    const [latest] = ended(journal, 'alpha', 'succeed', 1) as [number]
    for (const keepResultMs of [undefined, 10]) {
      journal.now += 10
      sweep(journal, { histories: [{ task: 0, max: 1, ...(keepResultMs !== undefined && { keepResultMs }) }] })
    }
    assert.deepEqual([left(journal), left(journal).includes(unreadable)], [[...own, latest], false])
    journal.now += 2_000
    sweep(journal, { histories: [{ task: 0, max: 1 }] })
    assert.deepEqual(left(journal), [latest])
  })

  it('finds what is behind a history also where more results than a sweep looks at come before', () => {
    const journal = new StoreDriver()
    const overrides = JSON.stringify({ keepResultMs: KEEP_MS })
    const owed = Array.from({ length: 3 }, () => endedTogether(journal, 700, { overrides })).flat()
    const others = endedTogether(journal, 3)
    journal.now += 1
    const histories = [{ task: 0, max: 1 }]
    assert.deepEqual(sweep(journal, { histories, maxResults: 5_000 }), { count: 0, more: 'no' })
    assert.deepEqual(sweep(journal, { histories, maxResults: 5_000 }), { count: 2, more: 'no' })
    assert.deepEqual(left(journal), [...owed, ...others.slice(-1)])
  })

  it('goes on behind a history where it was when what it has removed is not committed', () => {
    const journal = new StoreDriver()
    const overrides = JSON.stringify({ keepResultMs: KEEP_MS })
    for (let lot = 0; lot < 3; lot++) endedTogether(journal, 700, { overrides })
    endedTogether(journal, 3)
    journal.now += 1
    const bounds = { histories: [{ task: 0, max: 1 }], maxResults: 5_000 }
    assert.deepEqual(sweep(journal, bounds), { count: 0, more: 'no' })
    failOnce(journal.ledger.commit)
    assert.throws(() => sweep(journal, bounds), /does not go through/)
    assert.deepEqual(sweep(journal, bounds), { count: 2, more: 'no' })
  })

  it('removes no more at once than one commit should, and says that there is more', () => {
    const journal = new StoreDriver()
    ended(journal, 'alpha', 'die', 5)
    journal.now += KEEP_MS
    assert.deepEqual(sweep(journal, { limit: 3 }), { count: 3, more: 'yes' })
    assert.deepEqual(sweep(journal, { limit: 3 }), { count: 2, more: 'no' })
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
