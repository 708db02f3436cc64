import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { encodeUnrun } from '../../../../lib/homeward.ts'
import { stateCodes } from '../../../../lib/job-state.ts'
import type { Ledger } from '../../../../runtime/journal/store/ledger.ts'
import type { TakenVerdict } from '../../../../runtime/journal/protocol.ts'
import { journalQueries } from '../../../../runtime/journal/queries/queries.ts'
import { forgetAnswers } from '../../../../runtime/journal/store/retention.ts'
import { SUSPECT_CRASHES, TAKEN_NUMBERS_FROM } from '../../../../runtime/journal/schema/schema.ts'
import { alter } from '../../../helpers/altered-statement.ts'
import { openerOf, START } from '../../../helpers/journal-openers.ts'
import { StoreDriver } from '../../../helpers/store-driver.ts'
import { scratchFolder } from '../../../helpers/scratch.ts'
import { join } from 'node:path'

const { available, running, scheduled } = stateCodes
const CLAIM = 3 * 2 ** 20
const delivery = { id: 'other1-5', claim: CLAIM }
const done: TakenVerdict = { type: 'done' }

/** How its delivery is over. */
function over(verdict: TakenVerdict = done, more: { readonly home?: string } = {}) {
  return { taken: { id: delivery.id, verdict, remember: 'yes', ...more } } as const
}

function rowsOf(journal: StoreDriver): number {
  return journal.db.prepare<[], number>('SELECT count(*) FROM millrace_jobs').pluck().get() as number
}

describe('a job that was taken from a broker', () => {
  it('is claimed as it is written, where there is room and nothing before it', () => {
    const journal = new StoreDriver()
    journal.claim(1)
    const overrides = '{"softLimitMs":5}'
    const more = { attempt: 2, priority: 9, overrides, expiresAt: START + 50, createdAt: 7, input: '[1]' }
    const { answer, number } = journal.take('beta', { ...delivery, ...more })
    assert.deepEqual(answer, { type: 'taken', claimed: 'yes' })
    const { ord, ...job } = journal.held(number)
    const extra = { overrides: JSON.stringify({ softLimitMs: 5, id: delivery.id }), expiresAt: START + 50 }
    assert.deepEqual(job, { number, task: 1, input: '[1]', claim: 1, attempt: 2, rank: 0, extra })
    const row = journal.row(number)
    assert.deepEqual([row?.state, row?.ord, row?.created_at, row?.claim], [running, ord, 7, 1])
  })

  it('waits in the order of all jobs otherwise, also where its task goes out', () => {
    const journal = new StoreDriver({ outbound: { tasks: ['out', 'here'], stepMs: 1_000 } })
    const first = journal.enqueue('beta')
    const low = journal.take('alpha', { ...delivery, id: 'low', priority: 1 })
    const high = journal.take('alpha', { ...delivery, priority: 9, attempt: 1 })
    assert.deepEqual(high.answer, { type: 'taken', claimed: 'no' })
    journal.route()
    assert.deepEqual(journal.claim(9, journal.outbox), [])
    assert.deepEqual(journal.claim(9), [high.number, first.number, low.number])
    assert.equal(journal.held(high.number).attempt, 1)
  })

  it('stays here when it comes back from a delay of its own', () => {
    const journal = new StoreDriver({ outbound: { tasks: ['out', 'here'], stepMs: 1_000 } })
    journal.claim(1)
    const { number } = journal.take('alpha', delivery)
    journal.settle(journal.held(number), 'retry', { dueAt: START + 500 })
    assert.equal(journal.row(number)?.state, scheduled)
    journal.advance(500)
    assert.deepEqual(journal.claim(1, journal.outbox), [])
    assert.deepEqual(journal.claim(1), [number])
    assert.equal(journal.held(number).claim, 2)
    journal.settle(journal.held(number), 'release')
    assert.deepEqual(journal.claim(1), [number])
  })

  it('counts against the limits of its task', () => {
    const journal = new StoreDriver({ limits: { alpha: { concurrency: { limit: 1 } } } })
    const numbers = ['a', 'b'].map((id) => journal.take('alpha', { ...delivery, id }).number)
    assert.deepEqual(journal.claim(5), [numbers[0]])
    journal.settle(journal.held(numbers[0] as number), 'succeed', over())
    assert.deepEqual([...journal.hand.keys()], [numbers[1]])
  })

  it('waits for its trial where it is a suspect', () => {
    const journal = new StoreDriver()
    const { number } = journal.take('alpha', { ...delivery, suspect: 'yes', priority: 6 })
    assert.deepEqual(journal.claim(5), [])
    assert.equal(journal.ledger.suspects, 1)
    journal.request({ type: 'trial' })
    const { rank, extra } = journal.held(number)
    assert.deepEqual([rank, extra], [3, { overrides: JSON.stringify({ id: delivery.id }), crashes: SUSPECT_CRASHES }])
  })

  it('is told of in the answer when it cannot be written, and nothing is left of it', () => {
    const journal = new StoreDriver()
    const { number } = journal.take('alpha', { ...delivery, id: 'first' })
    const bad = journal.addTaken('alpha', { ...delivery, number })
    const good = journal.addTaken('alpha', { ...delivery, id: 'good' })
    journal.commit()
    assert.equal(bad.answer?.type, 'failed')
    assert.deepEqual(good.answer, { type: 'taken', claimed: 'no' })
    assert.deepEqual(journal.take('alpha', delivery).answer, { type: 'taken', claimed: 'no' })
    assert.equal(rowsOf(journal), 3)
  })
})

describe('the row of one that is claimed as it comes', () => {
  it('is not written by an owner that has been replaced', () => {
    const journal = new StoreDriver()
    journal.claim(1)
    const { number } = journal.take('alpha', delivery)
    const { record } = journalQueries(journal.ledger)
    const shiftEpoch = (by: number) => journal.db.prepare('UPDATE millrace_meta SET epoch = epoch + ?').run(by)
    shiftEpoch(1)
    assert.throws(() => record(number), { code: 'MILLRACE_JOURNAL_LOST' })
    assert.equal(rowsOf(journal), 0)
    shiftEpoch(-1)
    assert.equal(record(number)?.state, running, 'the control')
  })

  it('is not written as long as nobody looks at it', () => {
    const journal = new StoreDriver()
    journal.claim(2)
    const [first, second] = ['a', 'b'].map((id) => journal.take('alpha', { ...delivery, id }).number) as [
      number,
      number,
    ]
    assert.equal(rowsOf(journal), 0)
    journal.settle(journal.held(first), 'succeed', over())
    assert.equal(rowsOf(journal), 0)
    assert.deepEqual(journal.take('alpha', { ...delivery, id: 'a' }).answer, { type: 'ended', verdict: done })
    assert.deepEqual(journal.take('alpha', { ...delivery, id: 'b' }).answer, { type: 'here', number: second })
  })

  for (const [who, look] of [
    ['asks for its record', (journal) => journalQueries(journal.ledger).record(TAKEN_NUMBERS_FROM)],
    ['wants it cancelled', (journal) => journal.request({ type: 'cancel', number: TAKEN_NUMBERS_FROM })],
    ['gives the tasks other places', (journal) => journal.route()],
  ] as readonly (readonly [string, (journal: StoreDriver) => unknown])[]) {
    it(`is written before somebody ${who}`, () => {
      const journal = new StoreDriver()
      journal.claim(1)
      const { number } = journal.take('alpha', { ...delivery, number: TAKEN_NUMBERS_FROM })
      look(journal)
      assert.equal(rowsOf(journal), 1)
      assert.equal(journal.row(number)?.state, running)
      journal.settle(journal.held(number), 'succeed', over())
      assert.equal(rowsOf(journal), 0)
    })
  }

  it('comes and goes with the commit that it is in', () => {
    const journal = new StoreDriver()
    journal.claim(2)
    const { number } = journal.take('alpha', { ...delivery, id: 'kept' })
    const { stamp } = journal.ledger.sql
    alter(journal.ledger, 'stamp', 'epoch = ?', '? IS NULL')
    journal.addTaken('alpha', { ...delivery, id: 'undone' })
    journal.add('beta')
    assert.throws(() => journal.commit(), { code: 'MILLRACE_JOURNAL_LOST' })
    Object.assign(journal.ledger.sql, { stamp })
    assert.deepEqual(
      [...journal.ledger.late].map(([each]) => each),
      [number],
    )
    assert.deepEqual(journal.take('alpha', { ...delivery, id: 'kept' }).answer, { type: 'here', number })
  })
})

describe('a claim that comes again', () => {
  it('is here while it has a row, and is answered as it was when it has ended', () => {
    const journal = new StoreDriver()
    const { number } = journal.take('alpha', delivery)
    assert.deepEqual(journal.take('alpha', delivery).answer, { type: 'here', number })
    journal.claim(1)
    assert.deepEqual(journal.take('alpha', delivery).answer, { type: 'here', number })
    const verdict = { type: 'again', attempt: 1, dueAt: START + 60_000 } as const
    journal.settle(journal.held(number), 'retry', { ...over(verdict), record: '{}' })
    assert.equal(journal.row(number), undefined)
    assert.equal(journal.db.prepare('SELECT count(*) FROM millrace_attempts').pluck().get(), 0)
    assert.deepEqual(journal.take('alpha', delivery).answer, { type: 'ended', verdict })
    assert.equal(rowsOf(journal), 0)
  })

  it('is taken with a higher number, and one with a lower number is overtaken', () => {
    const journal = new StoreDriver()
    journal.claim(1)
    const { number } = journal.take('alpha', delivery)
    journal.settle(journal.held(number), 'retry', over({ type: 'again', attempt: 1, dueAt: START }))
    const second = journal.take('alpha', { ...delivery, claim: CLAIM + 1 })
    assert.deepEqual(second.answer, { type: 'taken', claimed: 'no' })
    assert.deepEqual(journal.take('alpha', delivery).answer, { type: 'overtaken' })
  })

  it('takes the row from an older one that waits or runs, whose settle is stale then', () => {
    for (const room of [0, 1]) {
      const journal = new StoreDriver()
      journal.claim(room)
      const old = journal.take('alpha', delivery)
      const job = journal.hand.get(old.number)
      const newer = journal.take('alpha', { ...delivery, claim: CLAIM + 1 })
      const was = room === 0 ? 'waiting' : 'running'
      assert.deepEqual(newer.answer, { type: 'taken', claimed: 'no', instead: { number: old.number, was } })
      if (job !== undefined) assert.deepEqual(journal.settle(job, 'succeed', over()).stale, [old.number])
      assert.deepEqual(journal.claim(5), [newer.number])
      assert.deepEqual(journal.take('alpha', { ...delivery, claim: CLAIM + 1 }).answer?.type, 'here')
    }
  })

  it('is answered from memory also by the next owner', () => {
    const journal = new StoreDriver()
    journal.claim(1)
    const { number } = journal.take('alpha', delivery)
    journal.settle(journal.held(number), 'die', over({ type: 'dead', reason: 'x' }))
    journal.reopen()
    const { answer } = journal.take('alpha', delivery)
    assert.deepEqual(answer, { type: 'ended', verdict: { type: 'dead', reason: 'x' } })
  })

  it('is forgotten when its time is over or there are too many', () => {
    const journal = new StoreDriver()
    for (const id of ['a', 'b', 'c', 'd', 'e', 'f']) {
      journal.addRoom(1)
      const { number } = journal.take('alpha', { ...delivery, id })
      journal.settle(journal.held(number), 'succeed', { row: 'drop', taken: { id, verdict: done, remember: 'yes' } })
      journal.advance(1)
    }
    const ids = () => journal.db.prepare<[], string>('SELECT id FROM millrace_taken ORDER BY id').pluck().all()
    assert.equal(forgetAnswers(journal.ledger, journal.now, 3, 2), 2, 'some at a time')
    assert.equal(forgetAnswers(journal.ledger, journal.now, 3, 2), 1)
    assert.equal(forgetAnswers(journal.ledger, journal.now, 3, 2), 0)
    assert.deepEqual(ids(), ['d', 'e', 'f'])
    const sweep = { type: 'sweep', limit: 1, maxResults: 10, maxEnded: 10, histories: [] } as const
    journal.advance(24 * 3_600_000 - 2)
    assert.deepEqual(journal.request(sweep), { type: 'swept', count: 0, more: 'yes', nextAt: undefined })
    assert.deepEqual(ids(), ['e', 'f'])
    journal.request(sweep)
    assert.deepEqual(ids(), ['f'])
    assert.deepEqual(journal.request(sweep), { type: 'swept', count: 0, more: 'no', nextAt: undefined })
    assert.deepEqual(ids(), ['f'])
  })

  it('is not remembered where it has not begun', () => {
    const journal = new StoreDriver()
    journal.claim(1)
    const { number } = journal.take('alpha', delivery)
    journal.settle(journal.held(number), 'release', { taken: { id: delivery.id, verdict: done, remember: 'no' } })
    assert.equal(rowsOf(journal), 0)
    assert.equal(journal.take('alpha', delivery).answer?.type, 'taken')
  })
})

describe('the next owner', () => {
  /** One that runs, one that waits, one that is scheduled, beside a job of this journal. */
  function play(journal: StoreDriver) {
    journal.addRoom(2)
    const [runs, later, waits] = ['a', 'b', 'c'].map((id) => journal.take('alpha', { ...delivery, id }).number) as [
      number,
      number,
      number,
    ]
    journal.settle(journal.held(later), 'snooze', { record: '{}' })
    const own = journal.enqueue('beta').number
    const states = [runs, later, waits, own].map((number) => journal.row(number)?.state)
    assert.deepEqual(states, [running, scheduled, available, available])
    return { own }
  }

  it('has none of them, since their broker delivers them again', (test) => {
    const journal = new StoreDriver({ open: openerOf(test, join(scratchFolder(), 'jobs.db')) })
    const { own } = play(journal)
    journal.reopen()
    assert.deepEqual(journal.opened.recovered, { available: 0, begun: 0, cancelled: [] })
    assert.equal(rowsOf(journal), 1)
    assert.deepEqual(journal.claim(9), [own])
    assert.equal(journal.db.prepare('SELECT count(*) FROM millrace_taken').pluck().get(), 0)
    assert.equal(journal.db.prepare('SELECT count(*) FROM millrace_attempts').pluck().get(), 0)
    assert.equal(journal.take('alpha', { ...delivery, id: 'a' }).answer?.type, 'taken')
  })

  it('would run them beside their next delivery, were they not forgotten (control)', () => {
    const journal = new StoreDriver()
    play(journal)
    journal.db.exec('UPDATE millrace_jobs SET id = id - 1e12 WHERE origin IS NOT NULL')
    journal.reopen()
    assert.equal(rowsOf(journal), 4)
  })
})

describe('a taken job that ends without being run', () => {
  const reply = 'node.other'
  const told = (id: string, transition: 'expire' | 'cancel-running') =>
    encodeUnrun({ id, task: 'alpha', claim: CLAIM, attempt: 0 }, transition)

  it('expires, is answered as done, and what became of it stands to be sent home', () => {
    const journal = new StoreDriver()
    const { number } = journal.take('alpha', { ...delivery, expiresAt: START + 10, reply })
    const { expired, homes } = journal.advance(10)
    assert.deepEqual(expired, [{ number, task: 0 }])
    assert.equal(rowsOf(journal), 0)
    assert.deepEqual(journal.take('alpha', delivery).answer, { type: 'ended', verdict: done })
    assert.deepEqual(homes, [{ seq: 1, queue: reply, outcomes: 1, text: told(delivery.id, 'expire') }])
    const unsent = { type: 'unsent', after: 0, limit: 5 } as const
    assert.deepEqual(journal.request(unsent), { type: 'unsent', homes })
    journal.reopen()
    assert.deepEqual(journal.request(unsent), { type: 'unsent', homes }, 'until it was sent')
    journal.request({ type: 'sent-home', sent: [1] })
    assert.deepEqual(journal.request(unsent), { type: 'unsent', homes: [] })
  })

  it('has expired when it comes', () => {
    const journal = new StoreDriver()
    journal.addRoom(1)
    const taking = journal.addTaken('alpha', { ...delivery, expiresAt: START })
    assert.deepEqual(journal.commit().expired, [{ number: taking.number, task: 0 }])
    assert.deepEqual([taking.answer, rowsOf(journal)], [{ type: 'taken', claimed: 'no' }, 0])
  })

  it('is not taken when nobody wants it', () => {
    const journal = new StoreDriver()
    assert.deepEqual(journal.request({ type: 'unwant', ids: [delivery.id], sentBefore: START, until: START + 100 }), {
      type: 'unwanted',
      ended: [],
      running: [],
    })
    assert.deepEqual(journal.take('alpha', delivery).answer, { type: 'unwanted' })
    journal.reopen()
    assert.deepEqual(journal.take('alpha', delivery).answer, { type: 'unwanted' })
    journal.advance(100)
    assert.deepEqual(journal.take('alpha', delivery).answer, { type: 'taken', claimed: 'no' })
  })

  it('is taken where somebody has enqueued it again since', () => {
    const journal = new StoreDriver()
    const request = { type: 'unwant', ids: [delivery.id], sentBefore: START - 1, until: START + 100 } as const
    journal.request(request)
    assert.deepEqual(journal.take('alpha', delivery).answer, { type: 'taken', claimed: 'no' })
    assert.deepEqual(journal.request(request), { type: 'unwanted', ended: [], running: [] })
  })

  it('ends at once where it waits, and is told of where it runs', () => {
    const journal = new StoreDriver()
    journal.claim(1)
    const runs = journal.take('alpha', { ...delivery, id: 'a' })
    const waits = journal.take('alpha', { ...delivery, id: 'b', reply })
    assert.deepEqual(journal.request({ type: 'unwant', ids: ['a', 'b', 'c'], sentBefore: START, until: START + 100 }), {
      type: 'unwanted',
      ended: [waits.number],
      running: [runs.number],
    })
    assert.deepEqual(journal.claim(5), [])
    const unsent = journal.request({ type: 'unsent', after: 0, limit: 5 })
    const homes = [{ seq: 1, queue: reply, outcomes: 1, text: told('b', 'cancel-running') }]
    assert.deepEqual(unsent, { type: 'unsent', homes })
  })

  it('is cancelled here with others, and left alone by a purge', () => {
    const journal = new StoreDriver()
    const { number } = journal.take('alpha', delivery)
    const where = { states: [available], tasks: undefined }
    assert.deepEqual(journal.request({ type: 'purge', where, limit: 10 }), {
      type: 'changed',
      ends: [0, number, number],
      numbers: [],
      tasks: [],
      next: number,
    })
    assert.deepEqual(journal.request({ type: 'remove', number }), { type: 'wrong-state', state: available })
    assert.deepEqual(journal.request({ type: 'reschedule', number, rank: 1 }), {
      type: 'wrong-state',
      state: available,
    })
    assert.deepEqual(journal.request({ type: 'cancel-many', where, limit: 10 }), {
      type: 'changed',
      ends: [0, number, number],
      numbers: [number],
      tasks: [0],
      next: number,
    })
    assert.deepEqual(journal.take('alpha', delivery).answer, { type: 'ended', verdict: done })
    assert.deepEqual(journal.claim(5), [])
  })
})

describe('what is to be sent home', () => {
  /** Ends each with an outcome of its own, all in one commit. */
  function endAll(journal: StoreDriver, ids: readonly string[], more: { readonly row: 'keep' | 'drop' }) {
    journal.addRoom(ids.length)
    const numbers = ids.map((id) => journal.take('alpha', { ...delivery, id, reply: `node.${id[0]}` }).number)
    numbers.forEach((number, at) => {
      const id = ids[at] as string
      const taken = { id, verdict: done, remember: 'yes', ...(!id.startsWith('b2') && { home: `${id} ` }) } as const
      journal.addSettle(journal.held(number), 'succeed', { taken, ...more })
    })
    return journal.commit()
  }

  it('is one text for each queue of a commit, of what has ended in it, and rises from commit to commit', () => {
    for (const row of ['keep', 'drop'] as const) {
      const journal = new StoreDriver()
      const first = [
        { seq: 1, queue: 'node.a', outcomes: 2, text: 'a1 a2 ' },
        { seq: 2, queue: 'node.b', outcomes: 1, text: 'b1 ' },
      ]
      assert.deepEqual(endAll(journal, ['a1', 'b1', 'a2', 'b2'], { row }).homes, first)
      const second = [{ seq: 3, queue: 'node.a', outcomes: 1, text: 'a3 ' }]
      assert.deepEqual(endAll(journal, ['a3'], { row }).homes, second)
      assert.equal(endAll(journal, ['b22'], { row }).homes, undefined)
      const unsent = (after: number) => journal.request({ type: 'unsent', after, limit: 2 })
      assert.deepEqual(
        [unsent(0), unsent(2)],
        [
          { type: 'unsent', homes: first },
          { type: 'unsent', homes: second },
        ],
      )
      journal.request({ type: 'sent-home', sent: [1, 2, 3] })
      const [home] = endAll(journal, ['a4'], { row }).homes ?? []
      assert.equal(home?.seq, 4, 'no number comes twice')
    }
  })

  it('is at most what a message may have', () => {
    const journal = new StoreDriver()
    const ids = Array.from({ length: 450 }, (_, at) => `a${at}`)
    const homes = endAll(journal, ids, { row: 'drop' }).homes ?? []
    assert.deepEqual(
      homes.map(({ outcomes }) => outcomes),
      [200, 200, 50],
    )
  })

  it('has nothing of an end that was stale', () => {
    const journal = new StoreDriver()
    journal.addRoom(1)
    const { number } = journal.take('alpha', { ...delivery, reply: 'node.a' })
    const job = journal.held(number)
    journal.take('alpha', { ...delivery, claim: CLAIM + 1 })
    const { stale, homes } = journal.settle(job, 'succeed', { ...over(done, { home: 'x' }), row: 'drop' })
    assert.deepEqual([stale, homes], [[number], undefined])
  })
})

describe('the memory of claims', () => {
  const play = (plant?: (ledger: Ledger) => void): string | undefined => {
    const journal = new StoreDriver(plant === undefined ? {} : { plant })
    journal.claim(1)
    const { number } = journal.take('alpha', delivery)
    journal.settle(journal.held(number), 'succeed', over())
    return journal.take('alpha', delivery).answer?.type
  }

  it('keeps a claim that has ended from running again', () => {
    assert.equal(play(), 'ended')
  })

  it('would not, were it not written with the outcome (control)', () => {
    const forgetful = (ledger: Ledger) =>
      alter(ledger, 'rememberTaken', 'VALUES (?, ?, ?, ?)', 'SELECT ?, ?, ?, ? WHERE 0')
    assert.notEqual(play(forgetful), 'ended')
  })
})
