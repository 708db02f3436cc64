import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import BetterSqlite3 from 'better-sqlite3'
import { jobStates, stateCodes } from '../../../../lib/job-state.ts'
import { InboxWriter } from '../../../../runtime/journal/inbox/inbox-writer.ts'
import { openJournal } from '../../../../runtime/journal/open.ts'
import { journalQueries } from '../../../../runtime/journal/queries/queries.ts'
import {
  assertSqliteVersion,
  Database,
  openDatabase,
  prepare,
  prepareTuples,
  prepareValue,
} from '../../../../runtime/journal/files/sqlite.ts'
import { encodeWish } from '../../../../runtime/journal/inbox/wish.ts'
import { mutant } from '../../../helpers/mutant.ts'
import { scratchFolder } from '../../../helpers/scratch.ts'
import { openerOf } from '../../../helpers/journal-openers.ts'
import { StoreDriver } from '../../../helpers/store-driver.ts'

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

describe('the class to open a database with', () => {
  it('is the one of the driver, for whoever makes, extends or asks of it', () => {
    class Notes extends Database {
      readonly kind = 'notes'
    }
    for (const [db, kind] of [
      [new Database(':memory:'), undefined],
      [new Notes(':memory:'), 'notes'],
    ] as const) {
      assert.ok(db instanceof Database && db instanceof BetterSqlite3)
      assert.equal((db as Partial<Notes>).kind, kind)
      assert.deepEqual(db.prepare('SELECT 1 AS one').get(), { one: 1 })
      db.close()
    }
    const called = (Database as unknown as (path: string) => Database)(':memory:')
    assert.ok(called.open && called instanceof Database)
    called.close()
    assert.equal(Database.SqliteError, BetterSqlite3.SqliteError)
    assert.throws(() => new Database('/nonexistent/jobs.db'), /Cannot open database/)
  })

  it('costs those nothing who import the package and open none', async () => {
    const index = new URL('../../../../runtime/index.js', import.meta.url).href
    const driver = "Object.keys(require.cache).filter((path) => path.includes('better-sqlite3')).length"
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--eval',
      `import(${JSON.stringify(index)}).then(({ Database }) => {
         console.log(${driver} > 0)
         new Database(':memory:').close()
         console.log(${driver} > 0)
       })`,
    ])
    assert.equal(stdout, 'false\ntrue\n')
  })
})

/** A connection whose SQLite says that it is of this version. */
function ofVersion(version: string) {
  const db = openDatabase(':memory:')
  db.function('sqlite_version', () => version)
  return db
}

describe('a SQLite', () => {
  it('that can corrupt its log is refused, with the way out', () => {
    for (const version of ['3.51.2', '3.51', '3.50.9', '3.9.0', '2.99.99']) {
      assert.throws(
        () => assertSqliteVersion(ofVersion(version)),
        {
          code: 'MILLRACE_SQLITE_VERSION',
          message: `MILLRACE_SQLITE_VERSION: this SQLite can corrupt its log; got ${version}, expected 3.51.3 or later; update better-sqlite3`,
        },
        version,
      )
    }
  })

  it('that cannot is not', () => {
    for (const version of ['3.51.3', '3.51.10', '3.52.0', '3.100.0', '4.0.0']) assertSqliteVersion(ofVersion(version))
  })

  it('is looked at by everybody who opens a journal', async () => {
    const file = join(scratchFolder(), 'jobs.db')
    openJournal({ file, durability: 'full', keepEndedMs: 1 }, 1).close()
    using copy = mutant({ file: 'runtime/journal/files/sqlite.js', from: '[3, 51, 3]', to: '[99, 0, 0]' })
    const of = (path: string) => import(pathToFileURL(join(copy.folder, path)).href)
    const owner = (await of('runtime/journal/open.js')) as typeof import('../../../../runtime/journal/open.ts')
    const reader = (await of(
      'runtime/journal/tools/read-only.js',
    )) as typeof import('../../../../runtime/journal/tools/read-only.ts')
    const { createPublisher } = (await of('runtime/index.js')) as typeof import('../../../../runtime/index.ts')
    const refused = { code: 'MILLRACE_SQLITE_VERSION' }
    assert.throws(() => owner.openJournal({ file, durability: 'full', keepEndedMs: 1 }, 2), refused)
    assert.throws(() => reader.openToRead(file), refused)
    await assert.rejects(createPublisher({ journal: file }), refused)
  })
})
