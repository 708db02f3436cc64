import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { Gather } from '../../../../runtime/journal/owner/gather.ts'
import { InboxWriter } from '../../../../runtime/journal/inbox/inbox-writer.ts'
import { NUMBERS_AHEAD } from '../../../../runtime/journal/numbers.ts'
import type { Group } from '../../../../runtime/journal/protocol.ts'
import { openDatabase } from '../../../../runtime/journal/files/sqlite.ts'
import { scratchFolder } from '../../../helpers/scratch.ts'
import { openerOf } from '../../../helpers/journal-openers.ts'
import { StoreDriver } from '../../../helpers/store-driver.ts'

const HUGE = JSON.stringify('x'.repeat(500_000))

/** Lets the database not grow any more: what SQLite then reports is what it reports of a full disk. */
function fillDisk(journal: StoreDriver): () => void {
  const pages = journal.db.pragma('page_count', { simple: true }) as number
  journal.db.pragma(`max_page_count = ${pages}`)
  return () => journal.db.pragma('max_page_count = 1000000')
}

/** A lot of two groups, of which the second one asks for more than a full disk has. */
function hopelessLot(journal: StoreDriver, first: (gather: Gather) => void): Group[] {
  const huge = { number: 900, task: 1, input: HUGE, extra: null, accepted() {}, refused() {} }
  return [first, (gather: Gather) => gather.addJob(huge)].map((fill, at) => {
    const gather = new Gather()
    fill(gather)
    return gather.take(journal.ledger.commits + at + 1, journal.now, 0).group
  })
}

function dump(journal: StoreDriver): unknown {
  return ['jobs', 'keys', 'tasks', 'meta'].map((table) => journal.db.prepare(`SELECT * FROM millrace_${table}`).all())
}

describe('a commit', () => {
  it('that fails leaves nothing of any of its parts behind', () => {
    const journal = new StoreDriver()
    journal.claim(1)
    const held = journal.held(journal.enqueue('alpha').number)
    journal.enqueue('beta')
    const before = dump(journal)
    const makeRoom = fillDisk(journal)
    journal.addFinish(held)
    journal.addRoom(5)
    journal.add('alpha', { key: 'k' })
    journal.add('alpha', { input: HUGE })
    assert.throws(() => journal.commit(), { code: 'SQLITE_FULL' })
    assert.deepEqual(dump(journal), before)
    assert.equal(journal.ledger.waiting.total, 1)
    makeRoom()
    assert.deepEqual(journal.enqueue('alpha').as, 'waiting', 'the room that was given came to nothing too')
    assert.deepEqual(journal.finish(held).stale, [], 'what it would have ended can still be ended')
  })

  it('that fails hands out no trial', () => {
    const journal = new StoreDriver()
    const { number } = journal.enqueue('alpha')
    journal.claim(1)
    journal.db.prepare('UPDATE millrace_jobs SET crashes = 3').run()
    journal.reopen()
    assert.equal(journal.ledger.suspects, 1)
    const makeRoom = fillDisk(journal)
    journal.addRequest({ type: 'trial' })
    journal.add('alpha', { input: HUGE })
    assert.throws(() => journal.commit(), { code: 'SQLITE_FULL' })
    makeRoom()
    assert.deepEqual(journal.commit().claims, [])
    journal.request({ type: 'trial' })
    assert.equal(journal.held(number).claim, 2, 'the control: the next trial is one')
  })

  it('that fails leaves jobs of others in the inbox, and knows that', (test) => {
    const file = join(scratchFolder(), 'jobs.db')
    const journal = new StoreDriver({ open: openerOf(test, file) })
    const db = openDatabase(file)
    test.after(() => db.close())
    journal.commit()
    new InboxWriter(db).put({ task: 'alpha', input: '{}', extra: null, createdAt: 5 })
    const makeRoom = fillDisk(journal)
    const lot = hopelessLot(journal, () => undefined)
    assert.throws(() => journal.store.commit(lot), { code: 'SQLITE_FULL' })
    makeRoom()
    assert.equal(journal.ledger.inboxMayHaveRows(), 'yes')
    journal.commit()
    assert.equal(journal.ledger.waiting.total, 1)
  })

  it('that fails lets nobody in, who is let in by the next', () => {
    const journal = new StoreDriver({ maxWaiting: { alpha: { limit: 1, beyond: 'wait' } } })
    for (const as of ['waiting', 'held-back']) assert.equal(journal.enqueue('alpha').as, as)
    const makeRoom = fillDisk(journal)
    const lot = hopelessLot(journal, (gather) => gather.addRoom(0, 1, 2 ** 20))
    assert.throws(() => journal.store.commit(lot), { code: 'SQLITE_FULL' })
    makeRoom()
    journal.addRoom(1)
    assert.deepEqual(journal.commit().roomOf, [0, 1])
  })

  it('that changes nothing is not written', () => {
    const journal = new StoreDriver()
    const before = dump(journal)
    journal.commit()
    assert.deepEqual(dump(journal), before)
    journal.enqueue('alpha')
    assert.notDeepEqual(dump(journal), before)
  })

  it('tells its number to whoever opens the journal next', () => {
    const journal = new StoreDriver()
    journal.enqueue('alpha')
    const { commits } = journal.ledger
    journal.reopen()
    assert.equal(journal.opened.commits, commits)
  })

  it('uses the room and the keys that its outcomes free for the jobs behind them', () => {
    const journal = new StoreDriver()
    journal.claim(1)
    const first = journal.enqueue('alpha', { key: 'k' })
    journal.addSettle(journal.held(first.number), 'succeed', { row: 'drop' })
    journal.addRoom(1)
    const second = journal.add('alpha', { key: 'k' })
    journal.commit()
    assert.equal(second.as, 'claimed')
  })

  it('never gives a number to two jobs, whichever owner numbers them', () => {
    const journal = new StoreDriver()
    const numbers = [journal.enqueue('alpha').number]
    journal.reopen()
    numbers.push(journal.enqueue('alpha').number)
    assert.equal(new Set(numbers).size, 2)
  })

  it('reserves numbers ahead of those that were given out, used or not', () => {
    const journal = new StoreDriver()
    const { numbersUntil } = journal.opened
    journal.giveOut(NUMBERS_AHEAD - 1)
    const reply = journal.commit()
    assert.ok(reply.numbersUntil >= numbersUntil + NUMBERS_AHEAD / 2)
    const [sooner, later] = [journal.opened.commits, reply.number]
    assert.ok(journal.db.prepare('SELECT commits FROM millrace_meta').pluck().get() === later && later > sooner)
    journal.reopen()
    assert.ok(journal.opened.firstNumber >= numbersUntil, 'a crash gives none of them to another job')
  })
})
