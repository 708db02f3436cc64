import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { jobStates, stateCodes } from '../../../lib/job-state.ts'
import { InboxWriter } from '../../../runtime/journal/inbox-writer.ts'
import { journalQueries } from '../../../runtime/journal/queries.ts'
import { openDatabase, prepare, prepareTuples, prepareValue } from '../../../runtime/journal/sqlite.ts'
import { encodeWish } from '../../../runtime/journal/wish.ts'
import { scratchFolder } from '../../helpers/scratch.ts'
import { openerOf, StoreDriver } from '../../helpers/store-driver.ts'

const states = jobStates.map((state) => stateCodes[state])

/** Everything that a journal is asked for besides its commits. */
function askEverything(journal: StoreDriver, inbox: InboxWriter): void {
  const queries = journalQueries(journal.ledger)
  const job = { input: '{}', extra: null, createdAt: 1 }
  inbox.put({ ...job, task: 'alpha', extra: { key: 'k' } })
  inbox.put({ ...job, task: 'alpha', extra: { key: 'k' } })
  inbox.put({ ...job, task: 'no task' })
  inbox.put({ ...job, ...encodeWish({ verb: 'cancel', number: 1 }) })
  journal.addRoom(1)
  journal.enqueue('beta')
  const [held] = journal.hand.values()
  if (held !== undefined) journal.settle(held, 'die', { record: '{}' })
  for (const tasks of [undefined, ['alpha'], ['alpha', 'beta'], []]) {
    let after: string | undefined
    do after = queries.page({ states, tasks, limit: 1, after }).next
    while (after !== undefined)
  }
  for (const number of [1, 2, 99]) queries.record(number)
  queries.counts()
  queries.isInInbox(InboxWriter.numberOf(1))
  const histories = [{ task: 0, max: 1 }]
  journal.request({ type: 'sweep', limit: 10, maxResults: 1, maxEnded: 1, histories })
  journal.db.prepare('UPDATE millrace_jobs SET rank = rank + 16 WHERE state = ?').run(stateCodes.available)
  journal.ledger.recount()
  journal.request({ type: 'trial' })
  journal.drain()
}

describe('a statement', () => {
  it('is prepared once for its connection, however its rows come', () => {
    const db = openDatabase(':memory:')
    const sql = 'SELECT 1 AS one'
    assert.equal(prepare(db, sql), prepare(db, sql))
    assert.deepEqual(prepare(db, sql).get(), { one: 1 })
    assert.deepEqual(prepareTuples(db, sql).get(), [1])
    assert.equal(prepareValue(db, sql).get(), 1)
    assert.deepEqual(prepare(db, sql).get(), { one: 1 })
    assert.notEqual(prepare(openDatabase(':memory:'), sql), prepare(db, sql))
  })

  it('is never one that has been there before, whatever a journal is asked for', (test) => {
    const file = join(scratchFolder(), 'jobs.db')
    const journal = new StoreDriver({ open: openerOf(test, file) })
    const other = openDatabase(file)
    test.after(() => other.close())
    const inbox = new InboxWriter(other)
    for (let round = 0; round < 3; round++) askEverything(journal, inbox)
    const prepared: string[] = []
    const { db } = journal
    const original = db.prepare.bind(db)
    db.prepare = ((sql: string) => {
      if (!sql.startsWith('UPDATE millrace_jobs SET rank = rank + 16')) prepared.push(sql)
      return original(sql)
    }) as typeof db.prepare
    askEverything(journal, inbox)
    assert.deepEqual(prepared, [])
  })
})
