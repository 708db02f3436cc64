import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { stateCodes } from '../../../../lib/job-state.ts'
import type { Request, Selection } from '../../../../runtime/journal/protocol.ts'
import { InboxWriter } from '../../../../runtime/journal/inbox/inbox-writer.ts'
import { openDatabase } from '../../../../runtime/journal/files/sqlite.ts'
import { scratchFolder } from '../../../helpers/scratch.ts'
import { openerOf } from '../../../helpers/journal-openers.ts'
import { StoreDriver } from '../../../helpers/store-driver.ts'

const { available, running, scheduled, dead, cancelled } = stateCodes

/** Asks until nothing is left, as the owner does; returns how many were changed. */
function many(
  journal: StoreDriver,
  type: 'cancel-many' | 'revive-many' | 'purge',
  where: Selection,
  limit: number,
  between: () => void = () => {},
) {
  let count = 0
  let after: number | undefined
  let ends: readonly number[] | undefined
  do {
    const request = { type, where, limit, after, ends }
    const answer = journal.request(request as Request)
    assert.ok(answer.type === 'changed')
    count += answer.numbers.length
    ;({ next: after, ends } = answer)
    between()
  } while (after !== undefined)
  return count
}

function enqueueMany(journal: StoreDriver, task: string, jobs: number): number[] {
  const added = Array.from({ length: jobs }, () => journal.add(task))
  journal.commit()
  return added.map(({ number }) => number)
}

function statesOf(journal: StoreDriver): Record<string, number> {
  const rows = journal.db
    .prepare<[], [string, number, number]>(
      'SELECT t.name, j.state, count(*) FROM millrace_jobs j JOIN millrace_tasks t ON t.id = j.task GROUP BY 1, 2',
    )
    .raw()
    .all()
  return Object.fromEntries(rows.map(([task, state, jobs]) => [`${task} ${state}`, jobs]))
}

describe('a request for many jobs', () => {
  it('changes those of its states and tasks, and no others', () => {
    const journal = new StoreDriver()
    enqueueMany(journal, 'alpha', 3)
    enqueueMany(journal, 'beta', 4)
    journal.enqueue('alpha', { dueAt: journal.now + 10 })
    assert.equal(many(journal, 'cancel-many', { states: [available], tasks: [0] }, 100), 3)
    const states = { [`alpha ${cancelled}`]: 3, [`beta ${available}`]: 4, [`alpha ${scheduled}`]: 1 }
    assert.deepEqual(statesOf(journal), states)
    assert.equal(journal.ledger.waiting.total, 4)
  })

  it('goes on where the last commit of it ended, over all states and tasks', () => {
    const journal = new StoreDriver()
    enqueueMany(journal, 'alpha', 5)
    enqueueMany(journal, 'beta', 5)
    for (let at = 0; at < 3; at++) journal.enqueue('beta', { dueAt: journal.now + 10 })
    assert.equal(many(journal, 'purge', { states: [scheduled, available], tasks: [1, 0] }, 2), 13)
    assert.deepEqual(statesOf(journal), {})
  })

  it('says which jobs it has changed', () => {
    const journal = new StoreDriver()
    const [first, second] = [journal.enqueue('alpha', { key: 'k' }), journal.enqueue('beta')]
    const where = { states: [available, cancelled], tasks: undefined }
    const answers = [
      journal.request({ type: 'cancel-many', where, limit: 10 }),
      journal.request({ type: 'revive-many', where, limit: 10 }),
      journal.request({ type: 'purge', where, limit: 10 }),
    ]
    for (const answer of answers) {
      assert.ok(answer.type === 'changed')
      assert.deepEqual(
        [answer.numbers, answer.tasks],
        [
          [first.number, second.number],
          [0, 1],
        ],
      )
    }
  })

  it('looks at so many rows in a commit and no more, whatever their state is', () => {
    const journal = new StoreDriver()
    for (let group = 0; group < 9; group++) enqueueMany(journal, 'alpha', 1_000)
    const { number } = journal.enqueue('beta')
    const where = { states: [available], tasks: [1] }
    const nexts: unknown[] = []
    for (let after: number | undefined; ; ) {
      const answer = journal.request({ type: 'cancel-many', where, limit: 10, after })
      assert.ok(answer.type === 'changed')
      nexts.push([answer.next === undefined ? 'end' : answer.next - (after ?? number - 9_001), answer.numbers.length])
      if (answer.next === undefined) break
      after = answer.next
    }
    assert.deepEqual(nexts, [
      [4_000, 0],
      [4_000, 0],
      [1_001, 1],
      ['end', 0],
    ])
    const steps = journal.db.prepare<unknown[], { detail: string }>(
      'EXPLAIN QUERY PLAN SELECT max(id) FROM (SELECT id FROM millrace_jobs WHERE id > ? AND id <= ? ORDER BY id LIMIT ?)',
    )
    assert.doesNotMatch(JSON.stringify(steps.all(1, 9, 1)), /TEMP B-TREE/)
  })

  it('comes to an end while others enqueue, and means what was there when it began', (test) => {
    const file = join(scratchFolder(), 'jobs.db')
    const journal = new StoreDriver({ open: openerOf(test, file) })
    const db = openDatabase(file)
    test.after(() => db.close())
    const writer = new InboxWriter(db)
    const inbox = () => {
      writer.put({ task: 'alpha', input: 'null', extra: null, createdAt: 1 })
      journal.commit()
    }
    const delivered = (id: string) => journal.take('alpha', { id, claim: 1 })
    enqueueMany(journal, 'alpha', 5)
    delivered('other1-1')
    inbox()
    let commits = 0
    const count = many(journal, 'cancel-many', { states: [available], tasks: undefined }, 2, () => {
      assert.ok(++commits < 20, 'it ends')
      enqueueMany(journal, 'alpha', 3)
      delivered(`other1-${1 + commits}`)
      inbox()
    })
    assert.equal(count, 7)
  })

  it('comes to an end where jobs stay as they are: what runs is only told', () => {
    const journal = new StoreDriver()
    journal.claim(7)
    enqueueMany(journal, 'alpha', 7)
    const all = { states: [running], tasks: undefined }
    assert.equal(many(journal, 'cancel-many', all, 3), 7)
    assert.equal(many(journal, 'purge', all, 3), 0)
    assert.deepEqual(statesOf(journal), { [`alpha ${running}`]: 7 })
  })

  it('keeps the key of what runs, and what was recorded of it', () => {
    const journal = new StoreDriver()
    const { number } = journal.enqueue('alpha', { key: 'k' })
    journal.claim(1)
    journal.settle(journal.held(number), 'release', { record: '{}' })
    journal.claim(1)
    many(journal, 'purge', { states: [running, available], tasks: undefined }, 10)
    assert.equal(journal.enqueue('alpha', { key: 'k' }).first, number)
    assert.deepEqual(journal.row(number)?.attempts, ['{}'])
  })

  it('counts what it has retried, not what it could not', () => {
    const journal = new StoreDriver()
    journal.claim(3)
    for (const key of ['k', 'l', 'm']) {
      journal.settle(journal.held(journal.enqueue('alpha', { key }).number), 'die')
    }
    journal.enqueue('alpha', { key: 'l' })
    assert.equal(many(journal, 'revive-many', { states: [dead], tasks: undefined }, 1), 2)
    assert.deepEqual(statesOf(journal), { [`alpha ${available}`]: 3, [`alpha ${dead}`]: 1 })
  })

  it('selects nothing by an empty list of tasks', () => {
    const journal = new StoreDriver()
    journal.enqueue('alpha')
    assert.equal(many(journal, 'purge', { states: [available], tasks: [] }, 10), 0)
  })
})

describe('a request for one job', () => {
  it('is answered for a job that is not there', () => {
    const journal = new StoreDriver()
    assert.deepEqual(journal.cancel(12_345), { type: 'absent' })
    assert.deepEqual(journal.retry(12_345), { type: 'absent' })
    assert.deepEqual(journal.request({ type: 'reschedule', number: 12_345 }), { type: 'absent' })
  })

  it('leaves what runs to its outcome, and says so', () => {
    const journal = new StoreDriver()
    journal.claim(1)
    const { number } = journal.enqueue('alpha')
    assert.deepEqual(journal.cancel(number), { type: 'requested', state: running, task: 0 })
    assert.deepEqual(journal.retry(number), { type: 'wrong-state', state: running })
    assert.deepEqual(journal.request({ type: 'reschedule', number }), { type: 'wrong-state', state: running })
    assert.deepEqual(journal.finish(journal.held(number)).stale, [], 'a success that is committed wins')
  })

  it('makes what is left by a crash cancelled, if that was wished', () => {
    const journal = new StoreDriver()
    journal.claim(1)
    const { number } = journal.enqueue('alpha', { key: 'k' })
    journal.cancel(number)
    journal.reopen()
    assert.equal(journal.row(number)?.state, cancelled)
    assert.equal(journal.enqueue('alpha', { key: 'k' }).as, 'waiting')
  })

  it('moves a job in time and in priority', () => {
    const journal = new StoreDriver()
    const [first, second] = [journal.enqueue('alpha'), journal.enqueue('alpha')]
    journal.request({ type: 'reschedule', number: second.number, rank: 0 })
    journal.request({ type: 'reschedule', number: first.number, dueAt: journal.now + 10, input: '7' })
    assert.deepEqual(journal.claim(2), [second.number])
    journal.advance(10)
    assert.equal(journal.held(first.number).input, '7')
  })

  it('that cannot be written fails alone', () => {
    const journal = new StoreDriver()
    const { number } = journal.enqueue('alpha')
    const bad = journal.addRequest({ type: 'reschedule', number, dueAt: Number.POSITIVE_INFINITY })
    const good = journal.addRequest({ type: 'cancel', number })
    journal.commit()
    assert.equal(bad.answer?.type, 'failed')
    assert.equal(good.answer?.type, 'cancelled')
    assert.equal(journal.ledger.waiting.total, 0)
  })

  it('tells who has a key', () => {
    const journal = new StoreDriver()
    const { number } = journal.enqueue('beta', { key: 'k' })
    const ask = (task: number, key: string | undefined, lost = number + 1_000) =>
      journal.request({ type: 'lost-job', number: lost, task, key })
    assert.deepEqual(ask(1, 'k'), { type: 'holder', number })
    assert.deepEqual(ask(0, 'k'), { type: 'holder', number: undefined })
    assert.deepEqual(ask(0, undefined), { type: 'holder', number: undefined })
    assert.deepEqual(ask(0, 'another', number), { type: 'holder', number }, 'the row says more than the key')
  })

  it('tells what it has ended itself at an instant, and has not been run again since', () => {
    const journal = new StoreDriver()
    const at = journal.now
    const [cancelled, revived] = [journal.enqueue('beta').number, journal.enqueue('beta').number]
    for (const number of [cancelled, revived]) journal.request({ type: 'cancel', number })
    journal.request({ type: 'revive', number: revived })
    const ask = (...instants: number[]) => journal.request({ type: 'ended-at', instants })
    assert.deepEqual(ask(at, at), {
      type: 'ended-at',
      jobs: [{ number: cancelled, task: 1, state: stateCodes.cancelled }],
    })
    assert.deepEqual(ask(at + 1), { type: 'ended-at', jobs: [] })
  })
})

describe('an owner that has lost its memory', () => {
  it('keeps the claims that it still holds, and gives back the others uncharged', () => {
    const journal = new StoreDriver()
    journal.claim(2)
    const [kept, lost] = [journal.enqueue('alpha').number, journal.enqueue('alpha').number]
    const answer = journal.request({ type: 'reconcile', held: new Map([[kept, 1]]) })
    assert.deepEqual(answer, { type: 'many', count: 1, more: 'no' })
    assert.deepEqual(journal.claim(2), [lost])
    assert.equal(journal.held(lost).attempt, 0)
    assert.equal(journal.row(kept)?.claim, 1)
  })

  it('does not let a suspect run beside others that way', () => {
    const journal = new StoreDriver()
    const { number } = journal.enqueue('alpha')
    journal.claim(1)
    journal.db.prepare('UPDATE millrace_jobs SET crashes = 3').run()
    journal.request({ type: 'reconcile', held: new Map() })
    assert.equal(journal.ledger.suspects, 1)
    assert.deepEqual(journal.claim(5), [])
    journal.request({ type: 'trial' })
    assert.equal(journal.held(number).claim, 2)
  })
})

describe('a suspect', () => {
  function suspect(): { journal: StoreDriver; number: number } {
    const journal = new StoreDriver()
    const { number } = journal.enqueue('alpha')
    journal.claim(1)
    journal.db.prepare('UPDATE millrace_jobs SET crashes = 3').run()
    journal.reopen()
    return { journal, number }
  }

  it('is none any more when it was cancelled, purged or has expired', () => {
    for (const end of ['cancel', 'purge', 'expire'] as const) {
      const { journal, number } = suspect()
      assert.equal(journal.commit().suspects, 1)
      if (end === 'cancel') journal.cancel(number)
      else if (end === 'purge') many(journal, 'purge', { states: [available], tasks: undefined }, 10)
      else {
        journal.db.prepare('UPDATE millrace_jobs SET expires_at = 1').run()
        journal.ledger.timesChanged = 'yes'
      }
      assert.equal(journal.commit().suspects, 0, end)
    }
  })

  it('stays one when it is rescheduled, and gets its trial when it is due', () => {
    const { journal, number } = suspect()
    journal.request({ type: 'reschedule', number, dueAt: journal.now + 10, rank: 0 })
    assert.equal(journal.commit().suspects, 0)
    assert.equal(journal.advance(10).suspects, 1)
    assert.deepEqual(journal.claim(5), [])
    journal.request({ type: 'trial' })
    assert.equal(journal.held(number).rank, 0)
  })

  it('is like any other job when somebody retries it', () => {
    const { journal, number } = suspect()
    journal.cancel(number)
    journal.retry(number)
    assert.deepEqual(journal.claim(1), [number])
  })
})
