import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { NUMBERS_AHEAD } from '../../../runtime/journal/numbers.ts'
import { StoreDriver } from '../../helpers/store-driver.ts'

const HUGE = JSON.stringify('x'.repeat(500_000))

/** Lets the database not grow any more: what SQLite then reports is what it reports of a full disk. */
function fillDisk(journal: StoreDriver): () => void {
  const pages = journal.db.pragma('page_count', { simple: true }) as number
  journal.db.pragma(`max_page_count = ${pages}`)
  return () => journal.db.pragma('max_page_count = 1000000')
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
