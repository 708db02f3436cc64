import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { stateCodes } from '../../../lib/job-state.ts'
import { InboxWriter, inboxOf } from '../../../runtime/journal/inbox-writer.ts'
import { recordOf } from '../../../runtime/journal/record.ts'
import { openDatabase } from '../../../runtime/journal/sqlite.ts'
import { openerOf, StoreDriver } from '../../helpers/store-driver.ts'
import { scratchFolder } from '../../helpers/scratch.ts'

/** A journal on disk, and a connection to it that is not its owner's. */
function journalAndWriter(test: TestContext) {
  const file = join(scratchFolder(), 'jobs.db')
  const journal = new StoreDriver({ open: openerOf(test, file) })
  const db = openDatabase(file)
  test.after(() => db.close())
  return { file, journal, db, inbox: inboxOf(db, file) }
}

const job = { task: 'alpha', input: '{}', extra: null, createdAt: 5 }

describe('the inbox', () => {
  it('lends its jobs to the queue, under the number that their writer knew', (test) => {
    const { journal, inbox } = journalAndWriter(test)
    const waits = journal.enqueue('alpha')
    const numbers = [inbox.put(job), inbox.put({ ...job, extra: { priority: 9 } })]
    assert.deepEqual(journal.claim(3), [numbers[1], waits.number, numbers[0]])
    assert.deepEqual(journal.db.prepare('SELECT * FROM millrace_inbox').all(), [])
  })

  it('holds a job of a transaction that is not committed back', (test) => {
    const { journal, inbox, db } = journalAndWriter(test)
    db.exec('BEGIN IMMEDIATE')
    inbox.put(job)
    db.exec('ROLLBACK')
    assert.deepEqual(journal.claim(1), [])
    const number = inbox.put(job)
    journal.commit()
    assert.equal(journal.held(number).claim, 1, 'the control')
  })

  it('makes a task known that the owner has never heard of', (test) => {
    const { journal, inbox } = journalAndWriter(test)
    inbox.put({ ...job, task: 'strange' })
    assert.deepEqual(journal.commit().newTasks, ['strange'])
  })

  it('applies keys: a duplicate leads to the first', (test) => {
    const { journal, inbox } = journalAndWriter(test)
    const { number } = journal.enqueue('alpha', { key: 'k' })
    const duplicate = inbox.put({ ...job, extra: { key: 'k' } })
    journal.commit()
    assert.equal(recordOf(journal.db, duplicate)?.id, number)
    assert.equal(journal.claim(5).length, 1)
  })

  it('buries what cannot be read, and goes on with what is behind it', (test) => {
    const { journal, inbox } = journalAndWriter(test)
    const bad = [
      inbox.putEncoded('alpha', '{', 1, null),
      inbox.putEncoded('alpha', '{"__proto__":1}', 1, null),
      inbox.putEncoded('alpha', '{}', 1, '{'),
    ]
    const good = inbox.put(job)
    assert.deepEqual(journal.claim(5), [good])
    for (const number of bad) {
      assert.equal(journal.row(number)?.state, stateCodes.dead)
      assert.match(journal.row(number)?.attempts[0] ?? '', /MILLRACE_PAYLOAD_CORRUPT|SyntaxError/)
    }
  })

  it('gives way in commits that are not too long', (test) => {
    const { journal, inbox, db } = journalAndWriter(test)
    db.transaction(() => {
      for (let at = 0; at < 600; at++) inbox.put(job)
    })()
    assert.equal(journal.commit().waiting, 512)
    assert.equal(journal.commit().waiting, 600)
  })

  it('survives its owner', (test) => {
    const { journal, inbox } = journalAndWriter(test)
    const number = inbox.put(job)
    journal.reopen()
    assert.deepEqual(journal.claim(1), [number])
  })

  it('is closed to writers of another version', (test) => {
    const { journal, db } = journalAndWriter(test)
    const inbox = new InboxWriter(db)
    inbox.checkVersion()
    journal.db.prepare('UPDATE millrace_meta SET version = version + 1').run()
    assert.throws(() => inbox.checkVersion(), { code: 'MILLRACE_JOURNAL_VERSION' })
  })

  it('is only given to a connection that is open on the journal', (test) => {
    const { file, db } = journalAndWriter(test)
    const other = openDatabase(join(scratchFolder(), 'other.db'))
    test.after(() => other.close())
    assert.throws(() => inboxOf(other, file), { code: 'MILLRACE_INVALID_OPTION', path: 'db' })
    const foreign = Object.setPrototypeOf({ name: file }, null) as typeof db
    assert.throws(() => inboxOf(foreign, file), { code: 'MILLRACE_FOREIGN_SQLITE' })
    assert.equal(inboxOf(db, file), inboxOf(db, file))
    assert.equal(db.pragma('wal_autocheckpoint', { simple: true }), 0, 'only the owner checkpoints')
    assert.equal(db.pragma('synchronous', { simple: true }), 2)
  })
})
