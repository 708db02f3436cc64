import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { StoreDriver } from '../../../helpers/store-driver.ts'

const debounced = (journal: StoreDriver, input: string, part?: string) => ({
  input: JSON.stringify(input),
  key: 'k',
  debounce: 'yes' as const,
  dueAt: journal.now + 1_000,
  ...(part !== undefined && { part: JSON.stringify({ c: part }) }),
})

describe('a debounced job', () => {
  it('is put off by each enqueue, and runs once with the last input', () => {
    const journal = new StoreDriver()
    const first = journal.enqueue('alpha', debounced(journal, 'one'))
    journal.addRoom(5)
    for (const input of ['two', 'three']) {
      journal.advance(600)
      const { as, first: holder } = journal.enqueue('alpha', debounced(journal, input))
      assert.deepEqual([as, holder], ['duplicate', first.number])
    }
    assert.equal(journal.advance(999).nextDueAt, journal.now + 1)
    assert.deepEqual(journal.advance(1).claims[0]?.numbers, [first.number])
    assert.equal(journal.held(first.number).input, '"three"')
  })

  it('is put off although it waits for room, and goes behind what has come since', () => {
    const journal = new StoreDriver({ limits: { alpha: { concurrency: { limit: 1, by: 'c' } } } })
    const first = journal.enqueue('alpha', debounced(journal, 'one', 'a'))
    journal.advance(1_000)
    assert.equal(journal.ledger.waiting.total, 1)
    const other = journal.enqueue('alpha', { part: JSON.stringify({ c: 'b' }) })
    assert.equal(journal.enqueue('alpha', debounced(journal, 'two', 'b')).as, 'duplicate')
    assert.equal(journal.ledger.waiting.total, 1)
    journal.advance(1_000)
    assert.deepEqual(journal.claim(5), [other.number], 'its key is that of its new input')
    journal.finish(journal.held(other.number))
    assert.equal(journal.held(first.number).input, '"two"')
  })

  it('waits on where it cannot be put off', () => {
    const journal = new StoreDriver()
    const first = journal.enqueue('alpha', debounced(journal, 'one'))
    journal.advance(1_000)
    const overrides = (text: string | null) => journal.db.prepare('UPDATE millrace_jobs SET overrides = ?').run(text)
    overrides('{')
    assert.equal(journal.enqueue('alpha', debounced(journal, 'two')).as, 'failed')
    overrides(null)
    assert.equal(journal.ledger.waiting.total, 1)
    assert.deepEqual(journal.claim(1), [first.number])
  })

  it('is left alone once it is claimed: the next is a new one, which has the key', () => {
    const journal = new StoreDriver()
    const first = journal.enqueue('alpha', debounced(journal, 'one'))
    journal.addRoom(5)
    journal.advance(1_000)
    const second = journal.enqueue('alpha', debounced(journal, 'two'))
    assert.equal(second.as, 'scheduled')
    assert.equal(journal.enqueue('alpha', debounced(journal, 'three')).first, second.number)
    journal.settle(journal.held(first.number), 'succeed', { row: 'drop' })
    assert.equal(journal.enqueue('alpha', debounced(journal, 'four')).first, second.number, 'and keeps it')
    journal.advance(1_000)
    assert.equal(journal.held(second.number).input, '"four"')
    journal.settle(journal.held(second.number), 'succeed', { row: 'drop' })
    assert.equal(journal.db.prepare('SELECT count(*) FROM millrace_keys').pluck().get(), 0)
  })
})
