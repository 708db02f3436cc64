import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { stateCodes } from '../../../../lib/job-state.ts'
import { Callers } from '../../../../runtime/journal/owner/callers.ts'
import { InboxWriter } from '../../../../runtime/journal/inbox/inbox-writer.ts'
import { recordOf, toJobRecord } from '../../../../runtime/journal/store/record.ts'
import { openDatabase } from '../../../../runtime/journal/files/sqlite.ts'
import { encodeWish, type Wish } from '../../../../runtime/journal/inbox/wish.ts'
import { alter } from '../../../helpers/altered-statement.ts'
import { openerOf } from '../../../helpers/journal-openers.ts'
import { StoreDriver } from '../../../helpers/store-driver.ts'
import { scratchFolder } from '../../../helpers/scratch.ts'

/** A journal on disk, and a connection to it that is not its owner's. */
function journalAndWriter(test: TestContext) {
  const file = join(scratchFolder(), 'jobs.db')
  const journal = new StoreDriver({ open: openerOf(test, file) })
  const db = openDatabase(file)
  test.after(() => db.close())
  return { file, journal, db, inbox: new InboxWriter(db) }
}

function callersOf(test: TestContext, file: string, durability: 'full' | 'relaxed' = 'full'): Callers {
  const callers = new Callers({ file, durability })
  test.after(() => callers.close())
  return callers
}

/** As a `JobExtra` nobody can have written it. */
const UNREADABLE = [
  '{',
  'null',
  '[]',
  '5',
  '{"priority":99}',
  '{"priority":-7}',
  '{"overrides":"no json"}',
  '{"overrides":"{\\"retry\\":5}"}',
  '{"dueAt":"x"}',
  '{"key":5}',
  '{"strange":1}',
]

/** Everything that waits, commit by commit. */
function claimAll(journal: StoreDriver): number[] {
  const claimed: number[] = []
  do claimed.push(...journal.claim(5))
  while (journal.ledger.inboxMayHaveRows() === 'yes')
  return claimed
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
      inbox.putEncoded('alpha', JSON.stringify('x'.repeat(2 ** 20)), 1, null),
      inbox.putEncoded('!cancel', 'abc', 1, null),
      inbox.putEncoded('!retry', '0x10', 1, null),
      inbox.putEncoded('!retry', '99999999999999999', 1, null),
      ...['no task', '', 'A', 'x'.repeat(129), '!purge'].map((task) => inbox.putEncoded(task, '{}', 1, null)),
      ...UNREADABLE.map((options) => inbox.putEncoded('alpha', '{}', 1, options)),
    ]
    const good = inbox.put(job)
    assert.deepEqual(claimAll(journal), [good])
    for (const number of bad) {
      const row = journal.row(number)
      assert.equal(row?.state, stateCodes.dead)
      assert.match(row.attempts[0] ?? '', /MILLRACE_PAYLOAD_CORRUPT/)
      assert.equal(toJobRecord('test00', row).state, 'dead', 'it can be shown all the same')
    }
    const names = journal.db.prepare<[], string>('SELECT name FROM millrace_tasks').pluck().all()
    assert.deepEqual(names, ['alpha', 'beta', '!unreadable'], 'whatever names somebody makes up')
  })

  it('takes in and buries what says that it was put in at no time that there is', (test) => {
    const { journal, inbox, db } = journalAndWriter(test)
    const put = (input: string, createdAt: string) =>
      db.exec(`INSERT INTO millrace_inbox (task, input, created_at) VALUES ('alpha', '${input}', ${createdAt})`)
    const times = ['9223372036854775807', '-9223372036854775808', '0']
    for (const time of times) for (const input of ['{}', 'no json']) put(input, time)
    const good = inbox.put(job)
    const claimed = claimAll(journal)
    assert.deepEqual([claimed.length, claimed.at(-1)], [times.length + 1, good])
    const dead = journal.db.prepare('SELECT count(*) FROM millrace_jobs WHERE state = ?').pluck().get(stateCodes.dead)
    assert.equal(dead, times.length)
  })

  it('buries what cannot be written', (test) => {
    const { journal, inbox } = journalAndWriter(test)
    alter(journal.ledger, 'append', 'VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?)', "VALUES (?, ?, ?, ?, ?, ?, 'none', ?, ?)")
    const number = inbox.put(job)
    const good = inbox.put({ ...job, extra: { priority: 9 } })
    assert.deepEqual(journal.claim(5), [good])
    const row = journal.row(number)
    assert.equal(row?.state, stateCodes.dead)
    assert.match(row.attempts[0] ?? '', /TEXT value in INTEGER column/)
  })

  it('leaves a number that is taken to the job that has it', (test) => {
    const { journal, inbox, db } = journalAndWriter(test)
    const first = inbox.put(job)
    journal.commit()
    db.prepare('INSERT INTO millrace_inbox (id, task, input, created_at) VALUES (?, ?, ?, 1)').run(
      first - InboxWriter.numberOf(0),
      'alpha',
      '"again"',
    )
    const good = inbox.put(job)
    assert.deepEqual(journal.claim(5), [first, good])
    assert.equal(journal.row(first)?.input, '{}')
  })

  it('carries out wishes in the order in which everything was put in', (test) => {
    const { journal, inbox } = journalAndWriter(test)
    const wish = (verb: Wish['verb'], number: number) =>
      inbox.put({ ...encodeWish({ verb, number }), extra: null, createdAt: 1 })
    const [gone, back] = [inbox.put(job), inbox.put(job)]
    for (const number of [gone, back]) wish('cancel', number)
    wish('retry', back)
    const { wished } = journal.commit()
    assert.deepEqual(
      wished.map(({ answer }) => answer.type),
      ['cancelled', 'cancelled', 'revived'],
    )
    assert.deepEqual(claimAll(journal), [back])
  })

  it('applies the wishes about a duplicate to the job that it leads to', (test) => {
    const { journal, inbox } = journalAndWriter(test)
    const { number } = journal.enqueue('alpha', { key: 'k' })
    const duplicate = inbox.put({ ...job, extra: { key: 'k' } })
    inbox.put({ ...encodeWish({ verb: 'cancel', number: duplicate }), extra: null, createdAt: 1 })
    assert.deepEqual(journal.commit().wished, [
      { wish: { verb: 'cancel', number }, answer: { type: 'cancelled', task: 0 } },
    ])
  })

  it('has its jobs created, and their keys taken, from when they were put in and not from when the owner looks', (test) => {
    const { journal, inbox } = journalAndWriter(test)
    const at = journal.now - 1_000
    const keyed = (createdAt: number) => inbox.put({ ...job, extra: { key: 'k', keyWindowMs: 200 }, createdAt })
    const [first, within, behind, last] = [keyed(at), keyed(at + 150), keyed(at + 600), keyed(at + 999_999)]
    assert.deepEqual(journal.claim(5), [first, behind, last])
    const created = (number: number | undefined) => journal.row(number as number)?.created_at
    assert.deepEqual([created(first), created(behind), created(last)], [at, at + 600, journal.now])
    assert.equal(journal.row(within as number)?.id, first, 'the one within is the first one')
    assert.equal(journal.enqueue('alpha', { key: 'k', keyWindowMs: 200 }).first, last)
  })

  it('is read in commits of no more bytes than other groups have', (test) => {
    const { journal, inbox, db } = journalAndWriter(test)
    const large = JSON.stringify('x'.repeat(100_000))
    db.transaction(() => {
      for (let at = 0; at < 6; at++) inbox.put({ ...job, input: large })
    })()
    assert.equal(journal.commit().waiting, 3)
    assert.equal(journal.commit().waiting, 6)
    const metadata = { note: 'x'.repeat(16_000) }
    db.transaction(() => {
      for (let at = 0; at < 20; at++) inbox.put({ ...job, extra: { overrides: JSON.stringify({ metadata }) } })
    })()
    assert.equal(journal.commit().waiting, 6 + 17)
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
    const callers = callersOf(test, file)
    assert.throws(() => callers.inboxOf(other), { code: 'MILLRACE_INVALID_OPTION', path: 'db' })
    const foreign = Object.setPrototypeOf({ name: file }, null) as typeof db
    assert.throws(() => callers.inboxOf(foreign), { code: 'MILLRACE_FOREIGN_SQLITE' })
    assert.equal(callers.inboxOf(db), callers.inboxOf(db))
  })

  for (const [durability, synchronous] of [
    ['full', 2],
    ['relaxed', 1],
  ] as const) {
    it(`is written as the owner of a journal with the durability '${durability}' writes, whatever its caller sets`, (test) => {
      const { file } = journalAndWriter(test)
      const db = openDatabase(file)
      test.after(() => db.close())
      const callers = callersOf(test, file, durability)
      for (const before of [
        'synchronous = OFF',
        'wal_autocheckpoint = 1000',
        'synchronous = OFF',
        'synchronous = NORMAL',
      ]) {
        db.exec(`PRAGMA ${before}`)
        callers.inboxOf(db)
        const is = (name: string) => db.pragma(name, { simple: true })
        assert.deepEqual([is('synchronous'), is('wal_autocheckpoint')], [synchronous, 0], `after ${before}`)
      }
      db.defaultSafeIntegers()
      db.exec('PRAGMA synchronous = EXTRA')
      callers.inboxOf(db)
      assert.equal(db.pragma('synchronous', { simple: true }), 3n, "more than the owner is the caller's affair")
    })
  }
})
