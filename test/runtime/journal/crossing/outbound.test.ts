import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { stateCodes } from '../../../../lib/job-state.ts'
import type { AttemptRecord } from '../../../../lib/job.ts'
import { InboxWriter } from '../../../../runtime/journal/inbox/inbox-writer.ts'
import { OUTBOUND_RANK } from '../../../../runtime/journal/schema/schema.ts'
import { openDatabase } from '../../../../runtime/journal/files/sqlite.ts'
import { whyWaiting } from '../../../../runtime/journal/limits/why-waiting.ts'
import { scratchFolder } from '../../../helpers/scratch.ts'
import { KEEP_MS, openerOf, START } from '../../../helpers/journal-openers.ts'
import { StoreDriver } from '../../../helpers/store-driver.ts'

const { available, running, scheduled, away, dead } = stateCodes

/** `alpha` goes out, `beta` is local. */
function journalOf(stepMs: number | undefined = 1_000): StoreDriver {
  return new StoreDriver({ outbound: { tasks: ['out', 'here'], stepMs } })
}

describe('a job that goes out', () => {
  it('waits for the outbox, and not for the place of its task', () => {
    const journal = journalOf()
    const { number } = journal.enqueue('alpha')
    const local = journal.enqueue('beta')
    assert.deepEqual(journal.claim(5), [local.number], 'its place takes what is local')
    assert.deepEqual(journal.claim(5, journal.outbox), [number])
    assert.equal(journal.held(number).rank, OUTBOUND_RANK + 5)
    assert.equal(journal.held(local.number).rank, 5)
  })

  it('is claimed by the outbox as it is written, where there is room and nothing before it', () => {
    const journal = journalOf()
    journal.claim(2, journal.outbox)
    const first = journal.enqueue('alpha', { priority: 4 })
    assert.equal(first.as, 'claimed-out')
    assert.deepEqual([journal.held(first.number).rank, journal.held(first.number).claim], [OUTBOUND_RANK + 5, 1])
    assert.equal(journal.enqueue('alpha').as, 'claimed-out')
    assert.equal(journal.enqueue('alpha').as, 'waiting', 'there is no more room')
    journal.claim(3)
    assert.equal(journal.enqueue('beta').as, 'claimed', 'what waits for the outbox is before nobody else')
  })

  it('goes in the order of priority, and of what is older', () => {
    const journal = journalOf()
    const [low, first, second, high] = [1, 4, 4, 9].map((priority) => journal.enqueue('alpha', { priority }).number)
    assert.deepEqual(journal.claim(1, journal.outbox), [high])
    assert.deepEqual(journal.claim(3, journal.outbox), [first, second, low])
  })

  it('is claimed by no place although its task has limits, and does not count against them', () => {
    const limits = { alpha: { concurrency: { limit: 1 } } }
    const journal = new StoreDriver({ outbound: { tasks: ['out', 'here'], stepMs: 1_000 }, limits })
    const numbers = [journal.enqueue('alpha').number, journal.enqueue('alpha').number]
    assert.deepEqual(journal.claim(5), [])
    assert.deepEqual(journal.claim(5, journal.outbox), numbers)
    journal.addRoom(1)
    const taken = journal.take('alpha', { id: 'other1-1', claim: 2 ** 20 })
    assert.deepEqual([...journal.hand.keys()], [...numbers, taken.number], 'the limit is for what runs here')
  })

  it('counts as waiting where its task may have so many', () => {
    const maxWaiting = { alpha: { limit: 1, beyond: 'reject' } } as const
    const journal = new StoreDriver({ outbound: { tasks: ['out', 'here'], stepMs: 1_000 }, maxWaiting })
    assert.equal(journal.enqueue('alpha').as, 'waiting')
    assert.equal(journal.enqueue('alpha').as, 'overloaded')
    journal.claim(1, journal.outbox)
    assert.equal(journal.enqueue('alpha').as, 'waiting')
  })

  it('takes a delay along that the broker can hold back, and waits here for a shorter one', () => {
    const journal = journalOf(1_000)
    journal.addRoom(5, journal.outbox)
    const long = journal.enqueue('alpha', { dueAt: START + 5_000 })
    const short = journal.enqueue('alpha', { dueAt: START + 999 })
    assert.deepEqual([long.as, short.as], ['claimed-out', 'scheduled'])
    assert.equal(journal.held(long.number).extra?.dueAt, START + 5_000)
    journal.advance(1_000)
    assert.equal(journal.held(short.number).extra?.dueAt, undefined)
    assert.equal(journal.held(short.number).rank, OUTBOUND_RANK + 5)
  })

  it('has its delay also when it waited for room, and when it was given back', () => {
    const journal = journalOf(1_000)
    const { number } = journal.enqueue('alpha', { dueAt: START + 5_000 })
    assert.equal(journal.row(number)?.state, available)
    journal.claim(1, journal.outbox)
    assert.equal(journal.held(number).extra?.dueAt, START + 5_000)
    journal.settle(journal.held(number), 'release')
    assert.deepEqual(journal.claim(1, journal.outbox), [number])
    assert.equal(journal.held(number).extra?.dueAt, START + 5_000)
    journal.reopen()
    assert.deepEqual(journal.claim(1, journal.outbox), [number])
    assert.equal(journal.held(number).extra?.dueAt, START + 5_000, 'the owner may die')
    assert.equal(journal.held(number).claim, 3)
  })

  it('waits here with a broker that holds nothing back, and where it is debounced', () => {
    const plain = new StoreDriver({ outbound: { tasks: ['out', 'here'], stepMs: undefined } })
    assert.equal(plain.enqueue('alpha', { dueAt: START + 60_000 }).as, 'scheduled')
    const journal = journalOf()
    const debounce = { key: 'k', debounce: 'yes', dueAt: START + 60_000 } as const
    assert.equal(journal.enqueue('alpha', debounce).as, 'scheduled')
    assert.equal(journal.enqueue('alpha', { ...debounce, dueAt: START + 90_000 }).as, 'duplicate')
  })

  it('expires while it waits', () => {
    const journal = journalOf()
    const { number } = journal.enqueue('alpha', { expiresAt: START + 10 })
    assert.deepEqual(journal.advance(20).expired, [{ number, task: 0 }])
    assert.deepEqual(journal.claim(1, journal.outbox), [])
  })

  it('goes out also as a child, and after a retry()', () => {
    const journal = journalOf()
    journal.claim(1)
    const parent = journal.held(journal.enqueue('beta').number)
    journal.settle(parent, 'succeed', { row: 'drop', children: journal.children('alpha') })
    const child = journal.claim(1, journal.outbox)
    assert.equal(child.length, 1)
    journal.settle(journal.held(child[0] as number), 'die')
    journal.retry(child[0] as number)
    assert.deepEqual(journal.claim(1), [])
    assert.deepEqual(journal.claim(1, journal.outbox), child)
  })

  it('goes out from the inbox, whatever its task, and also if it was there before the owner said so', (test) => {
    const file = join(scratchFolder(), 'jobs.db')
    const journal = new StoreDriver({ open: openerOf(test, file), outbound: { tasks: ['out', 'here'], stepMs: 1_000 } })
    const db = openDatabase(file)
    test.after(() => db.close())
    const put = () =>
      ['alpha', 'beta', 'strange'].map((task) =>
        new InboxWriter(db).put({ task, input: '{}', extra: null, createdAt: 5 }),
      )
    const [first, local, other] = put()
    assert.deepEqual(journal.claim(9, journal.outbox), [first, other])
    assert.deepEqual(journal.claim(9), [local])
    const [second, , another] = put()
    journal.reopen()
    assert.deepEqual(new Set(journal.claim(9, journal.outbox)), new Set([first, other, second, another]))
  })

  it('may be put off, and goes out when it is due then', () => {
    const journal = journalOf()
    const { number } = journal.enqueue('alpha')
    journal.request({ type: 'reschedule', number, dueAt: START + 50 })
    assert.deepEqual(journal.claim(1, journal.outbox), [])
    journal.advance(60)
    assert.ok(journal.hand.has(number))
    journal.settle(journal.held(number), 'release')
    journal.request({ type: 'reschedule', number, rank: 0 })
    assert.deepEqual(journal.claim(1, journal.outbox), [number])
    assert.equal(journal.held(number).rank, OUTBOUND_RANK)
  })

  it('comes back to its place with an owner that has no broker, and goes out with the next that has one', () => {
    const journal = journalOf()
    const plain = journal.enqueue('alpha').number
    const delayed = journal.enqueue('alpha', { dueAt: START + 5_000 }).number
    const { outbound } = journal
    journal.outbound = undefined
    journal.reopen()
    assert.deepEqual(journal.claim(5), [plain])
    assert.equal(journal.row(delayed)?.state, scheduled, 'it waits for its time here')
    journal.settle(journal.held(plain), 'release')
    journal.outbound = outbound
    journal.reopen()
    assert.deepEqual(journal.claim(5), [])
    assert.deepEqual(journal.claim(5, journal.outbox), [plain])
    journal.advance(5_000)
    assert.deepEqual([...journal.hand.keys()], [plain, delayed])
  })

  it('stays on its way when its owner stops', () => {
    const journal = journalOf()
    const { number } = journal.enqueue('alpha')
    journal.store.commit([
      {
        number: 100,
        now: START,
        nextNumber: 50,
        names: [],
        room: [],
        jobs: undefined,
        done: undefined,
        settles: [],
        requests: [],
        routes: { places: [], placeOf: [] },
      },
    ])
    assert.equal(journal.row(number)?.rank, OUTBOUND_RANK + 5)
  })

  it('says what it waits for', () => {
    const journal = journalOf()
    const [first, second] = [journal.enqueue('alpha').number, journal.enqueue('alpha').number]
    const why = whyWaiting(journal.ledger)
    assert.deepEqual(why(first), { type: 'outbound', jobs: 0 })
    assert.deepEqual(why(second), { type: 'outbound', jobs: 1 })
  })
})

describe('a job that is away', () => {
  function handedOver(options = {}) {
    const journal = journalOf()
    journal.addRoom(1, journal.outbox)
    const { number } = journal.enqueue('alpha', options)
    const keepUntil = START + 7_000
    journal.settle(journal.held(number), 'hand-over', { keepUntil })
    return { journal, number }
  }
  const success = {
    transition: 'succeed',
    row: 'keep',
    attempt: 1,
    endedAt: START,
    keepUntil: START + KEEP_MS,
  } as const

  it('holds its key, and survives the death of its owner', () => {
    const { journal, number } = handedOver({ key: 'k' })
    journal.reopen()
    assert.equal(journal.row(number)?.state, away)
    assert.equal(journal.enqueue('alpha', { key: 'k' }).first, number)
    assert.deepEqual(journal.claim(9, journal.outbox), [])
    assert.deepEqual(journal.claim(9), [])
  })

  it('ends as its outcome says, which comes home once', () => {
    const { journal, number } = handedOver({ key: 'k' })
    const outcome = { number, claim: 1, settle: { ...success, output: '7', record: '{"attempt":1}' } }
    assert.deepEqual(journal.request({ type: 'come-home', outcomes: [outcome, outcome] }), {
      type: 'home',
      came: ['came', 'stale'],
    })
    const row = journal.row(number)
    assert.deepEqual([row?.state, row?.output, row?.attempt], [stateCodes.succeeded, '7', 1])
    assert.deepEqual(row?.attempts, ['{"attempt":1}'])
    assert.equal(journal.enqueue('alpha', { key: 'k' }).first, undefined, 'its key is free')
  })

  it('leaves nothing where nothing is to be kept', () => {
    const { journal, number } = handedOver({ key: 'k' })
    const outcome = { number, claim: 1, settle: { ...success, row: 'drop' as const } }
    assert.deepEqual(journal.request({ type: 'come-home', outcomes: [outcome] }), { type: 'home', came: ['came'] })
    assert.equal(journal.row(number), undefined)
    assert.equal(journal.db.prepare('SELECT count(*) FROM millrace_keys').pluck().get(), 0)
  })

  it('is left alone by an outcome of another claim, and by one that cannot be written', () => {
    const { journal, number } = handedOver()
    const before = journal.row(number)
    const { endedAt: _, ...bad } = success
    const outcomes = [
      { number, claim: 2, settle: success },
      { number, claim: 1, settle: bad },
      { number: 999, claim: 1, settle: success },
    ]
    assert.deepEqual(journal.request({ type: 'come-home', outcomes }), {
      type: 'home',
      came: ['stale', 'failed', 'stale'],
    })
    assert.deepEqual(journal.row(number), before)
  })

  it('has the attempts that it is told of, in their order, and stays away', () => {
    const { journal, number } = handedOver()
    const note = (attempt: number, record: string) =>
      ({ number, claim: 1, note: 'attempt', settle: { ...success, attempt, record } }) as const
    const outcomes = [note(1, '1'), note(2, '2'), note(2, '2'), note(1, '1'), { ...note(3, '3'), claim: 2 }]
    assert.deepEqual(journal.request({ type: 'come-home', outcomes }), {
      type: 'home',
      came: ['came', 'came', 'came', 'came', 'stale'],
    })
    const row = journal.row(number)
    assert.deepEqual([row?.state, row?.attempt, row?.attempts], [away, 2, ['1', '2']])
    const end = { number, claim: 1, settle: { ...success, transition: 'die', attempt: 3, record: '3' } as const }
    journal.request({ type: 'come-home', outcomes: [end] })
    assert.deepEqual([journal.row(number)?.state, journal.row(number)?.attempts], [dead, ['1', '2', '3']])
  })

  it('goes out again where it comes home undone', () => {
    const { journal, number } = handedOver()
    const undone = { number, claim: 1, settle: { transition: 'release', row: 'keep', attempt: 2 } } as const
    journal.request({ type: 'come-home', outcomes: [undone] })
    assert.deepEqual(journal.claim(9), [])
    assert.deepEqual(journal.claim(9, journal.outbox), [number])
    assert.deepEqual([journal.held(number).claim, journal.held(number).attempt], [2, 2])
  })

  it('can be asked to end, and keeps the wish; nothing else can be done with it', () => {
    const { journal, number } = handedOver()
    assert.deepEqual(journal.cancel(number), { type: 'requested', state: away, task: 0 })
    assert.deepEqual(journal.retry(number), { type: 'wrong-state', state: away })
    assert.deepEqual(journal.request({ type: 'reschedule', number }), { type: 'wrong-state', state: away })
    assert.deepEqual(journal.request({ type: 'remove', number }), { type: 'wrong-state', state: away })
    const where = { states: [away], tasks: undefined }
    assert.deepEqual(journal.request({ type: 'purge', where, limit: 10 }), {
      type: 'changed',
      ends: [number, number, number],
      numbers: [],
      tasks: [],
      next: number,
    })
    assert.equal(journal.db.prepare('SELECT cancel_at FROM millrace_jobs WHERE id = ?').pluck().get(number), START)
  })

  it('keeps a wish that came while it was handed over', () => {
    const journal = journalOf()
    journal.addRoom(1, journal.outbox)
    const { number } = journal.enqueue('alpha')
    assert.deepEqual(journal.cancel(number), { type: 'requested', state: running, task: 0 })
    journal.settle(journal.held(number), 'hand-over')
    assert.equal(journal.db.prepare('SELECT cancel_at FROM millrace_jobs').pluck().get(), START)
  })

  it('is dead when its time is over, not earlier, and can be retried', () => {
    const { journal, number } = handedOver({ key: 'k' })
    const giveUp = { type: 'give-up-away', limit: 10 } as const
    const sweep = { type: 'sweep', limit: 10, maxResults: 10, maxEnded: 10, histories: [] } as const
    const noted = { number, claim: 1, note: 'attempt', settle: { ...success, attempt: 1, record: '{}' } } as const
    journal.request({ type: 'come-home', outcomes: [noted] })
    journal.advance(6_999)
    assert.deepEqual(journal.request(giveUp), { type: 'given-up', jobs: [] })
    journal.advance(1)
    const swept = journal.request(sweep)
    assert.ok(swept.type === 'swept' && swept.count === 0)
    assert.equal(journal.row(number)?.state, away, 'the sweep leaves it alone')
    const jobs = [{ number, task: 0, attempt: 2 }]
    assert.deepEqual(journal.request(giveUp), { type: 'given-up', jobs })
    const row = journal.row(number)
    assert.equal(row?.state, dead)
    const { attempt, error } = JSON.parse(row.attempts[1] as string) as AttemptRecord
    assert.deepEqual([attempt, error?.code], [2, 'MILLRACE_NO_OUTCOME'])
    const late = { number, claim: 1, settle: success }
    assert.deepEqual(journal.request({ type: 'come-home', outcomes: [late] }), { type: 'home', came: ['stale'] })
    journal.retry(number)
    assert.deepEqual(journal.claim(1, journal.outbox), [number])
    assert.equal(journal.held(number).claim, 2)
  })
})
