import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { jobStates, stateCodes } from '../../../../lib/job-state.ts'
import { type PageQuery, pageOf } from '../../../../runtime/journal/queries/page.ts'
import type { StoredJob } from '../../../../runtime/journal/store/record.ts'
import type { Database } from '../../../../runtime/journal/files/sqlite.ts'
import { START } from '../../../helpers/journal-openers.ts'
import { StoreDriver } from '../../../helpers/store-driver.ts'

const all = jobStates.map((state) => stateCodes[state])

/** Jobs in every state, several each and of two tasks. */
function journalWithAll(): StoreDriver {
  const journal = new StoreDriver()
  for (let round = 0; round < 3; round++) {
    for (const transition of ['succeed', 'die', 'discard', 'cancel-running', 'expire', 'hand-over'] as const) {
      journal.addRoom(1)
      journal.settle(journal.held(journal.enqueue(round === 1 ? 'beta' : 'alpha').number), transition, { record: '{}' })
      journal.advance(round)
    }
    journal.addRoom(2)
    journal.enqueue('alpha')
    journal.enqueue('beta')
  }
  for (let priority = 0; priority < 5; priority++) {
    journal.enqueue(priority % 2 === 0 ? 'alpha' : 'beta', { priority })
    journal.enqueue('alpha', { dueAt: journal.now + 100 - priority })
  }
  return journal
}

function pages(db: Database, query: Omit<PageQuery, 'after'>): StoredJob[] {
  const jobs: StoredJob[] = []
  let after: string | undefined
  do {
    const page = pageOf(db, { ...query, after })
    assert.ok(page.jobs.length <= query.limit)
    jobs.push(...page.jobs)
    after = page.next
  } while (after !== undefined)
  return jobs
}

function ids(jobs: readonly StoredJob[]): number[] {
  return jobs.map(({ id }) => id)
}

describe('pages of jobs', () => {
  for (const limit of [1, 2, 3, 7, 100]) {
    it(`show every job once, ${limit} at a time`, () => {
      const { db } = journalWithAll()
      const expected = db.prepare<[], number>('SELECT id FROM millrace_jobs').pluck().all()
      const shown = pages(db, { states: all, tasks: undefined, limit })
      assert.deepEqual(new Set(ids(shown)), new Set(expected))
      assert.equal(shown.length, expected.length)
    })
  }

  it('show the jobs of the tasks that are asked for', () => {
    const { db } = journalWithAll()
    for (const tasks of [['beta'], ['alpha', 'beta'], ['strange'], []]) {
      const shown = pages(db, { states: all, tasks, limit: 3 })
      const every = pages(db, { states: all, tasks: undefined, limit: 100 })
      assert.deepEqual(new Set(ids(shown)), new Set(ids(every.filter(({ task }) => tasks.includes(task)))))
    }
  })

  it('go state by state in the order that is asked for, ended ones latest first', () => {
    const { db } = journalWithAll()
    const states = [stateCodes.dead, stateCodes.scheduled, stateCodes.available, stateCodes.running]
    const shown = pages(db, { states, tasks: undefined, limit: 4 })
    assert.deepEqual([...new Set(shown.map(({ state }) => state))], states)
    const of = (state: number) => shown.filter((job) => job.state === state)
    const latest = of(stateCodes.dead).map(({ ended_at }) => ended_at as number)
    assert.deepEqual(
      latest,
      latest.toSorted((a, b) => b - a),
    )
    const due = of(stateCodes.scheduled).map(({ due_at }) => due_at as number)
    assert.deepEqual(
      due,
      due.toSorted((a, b) => a - b),
    )
    const waiting = of(stateCodes.available).map(({ task, rank }) => `${task} ${rank}`)
    assert.deepEqual(waiting, ['alpha 5', 'alpha 7', 'alpha 9', 'beta 6', 'beta 8'])
  })

  it('do not go on from what no page has given out', () => {
    const { db } = journalWithAll()
    const query = { states: all, tasks: undefined, limit: 3 }
    const { running, available, dead } = stateCodes
    for (const [state, position] of [
      [running, [1, 2]],
      [available, [1, 2]],
      [dead, [1]],
      [dead, [1, 'x']],
    ] as const) {
      const after = JSON.stringify({ state, position })
      assert.throws(() => pageOf(db, { ...query, after }), { code: 'MILLRACE_INVALID_OPTION', path: 'after' }, after)
    }
    for (const after of ['', '{', 'null', '7', '{"state":1}']) {
      assert.throws(() => pageOf(db, { ...query, after }), { code: 'MILLRACE_INVALID_OPTION', path: 'after' }, after)
    }
  })

  it('do not go on in a state that is not asked for', () => {
    const { db } = journalWithAll()
    const query = { tasks: undefined, limit: 2 }
    const { next: after } = pageOf(db, { ...query, states: [stateCodes.dead], after: undefined })
    assert.ok(after !== undefined)
    const states = [stateCodes.scheduled, stateCodes.available]
    assert.throws(() => pageOf(db, { ...query, states, after }), { code: 'MILLRACE_INVALID_OPTION', path: 'after' })
    assert.equal(pageOf(db, { ...query, states: [...states, stateCodes.dead], after }).jobs.length, 1)
  })

  for (const state of ['scheduled', 'dead'] as const) {
    it(`of several tasks come in the order of all of them: ${state}`, () => {
      const tasks = ['alpha', 'beta', 'gamma']
      const journal = new StoreDriver({ places: [tasks] })
      // Many of one task at a time, so that it is read on and on while the others wait.
      for (let at = 0; at < 60; at++) {
        journal.enqueue(tasks[Math.floor(at / 20)] as string, { dueAt: START + 1_000_000 + (at % 7) })
        journal.addRoom(1)
        const dead = journal.enqueue(tasks[Math.floor(at / 15) % 3] as string)
        journal.settle(journal.held(dead.number), 'die', { record: '{}' })
        if (at % 4 === 0) journal.advance(1)
      }
      const states = [stateCodes[state]]
      for (const limit of [1, 7, 25, 200]) {
        const every = ids(pages(journal.db, { states, tasks: undefined, limit: 200 }))
        assert.deepEqual(ids(pages(journal.db, { states, tasks, limit })), every)
        const two = pages(journal.db, { states, tasks: ['alpha', 'gamma'], limit })
        const expected = pages(journal.db, { states, tasks: undefined, limit }).filter(({ task }) => task !== 'beta')
        assert.deepEqual(ids(two), ids(expected))
      }
    })
  }

  it('end where their payloads become too large, and go on behind that', () => {
    const journal = new StoreDriver()
    const input = JSON.stringify('x'.repeat(1_000_000))
    const numbers = Array.from({ length: 7 }, () => journal.enqueue('alpha', { input }).number)
    const query = { states: all, tasks: undefined, limit: 200 }
    const first = pageOf(journal.db, { ...query, after: undefined })
    const second = pageOf(journal.db, { ...query, after: first.next })
    assert.deepEqual([first.jobs.length, ids([...first.jobs, ...second.jobs])], [5, numbers])
    assert.equal(second.next, undefined)
  })

  it('show what was recorded of each attempt', () => {
    const { db } = journalWithAll()
    const [dead] = pages(db, { states: [stateCodes.dead], tasks: undefined, limit: 10 })
    assert.deepEqual(dead?.attempts, ['{}'])
  })

  for (const state of jobStates) {
    for (const tasks of [undefined, ['alpha'], ['alpha', 'beta']]) {
      it(`are read in the order of an index: ${state}, ${tasks?.join(' and ') ?? 'any task'}`, () => {
        const { db } = journalWithAll()
        const first = plansOf(db, { states: [stateCodes[state]], tasks, limit: 1, after: undefined })
        const { next } = pageOf(db, { states: [stateCodes[state]], tasks, limit: 1, after: undefined })
        assert.ok(next !== undefined)
        const second = plansOf(db, { states: [stateCodes[state]], tasks, limit: 1, after: next })
        for (const plan of [...first, ...second]) {
          assert.doesNotMatch(plan, /TEMP B-TREE/, 'nothing is sorted')
          assert.match(plan, /(?:SCAN|SEARCH) j USING (?:(?:COVERING )?INDEX millrace_|INTEGER PRIMARY KEY)/)
        }
        // Of those that run there are never more than the owner holds.
        if (tasks === undefined || state === 'running') return
        for (const plan of [first, second]) {
          assert.match(plan.join(), /SEARCH j USING (?:COVERING )?INDEX millrace_\w+ \(task=\?/, 'others are not read')
        }
      })
    }
  }
})

/** How SQLite would go about the statements that a page makes of the jobs. */
function plansOf(db: Database, query: PageQuery): string[] {
  const statements: { sql: string; values: unknown[] }[] = []
  const watched = new Proxy(db, {
    get: (target, name) =>
      name !== 'prepare'
        ? Reflect.get(target, name)
        : (sql: string) => {
            const statement = target.prepare(sql)
            if (!sql.includes('FROM millrace_jobs')) return statement
            const noted: unknown = new Proxy(statement, {
              get: (_, way) => (way === 'raw' ? raw : note(way as 'all')),
            })
            const raw = () => {
              statement.raw()
              return noted
            }
            const note =
              (way: 'all' | 'get' | 'iterate') =>
              (...values: unknown[]) => {
                statements.push({ sql, values })
                return statement[way](...values)
              }
            return noted
          },
  })
  pageOf(watched, query)
  assert.ok(statements.length > 0)
  return statements.map(({ sql, values }) => {
    const steps = db.prepare<unknown[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql}`).all(...values)
    return steps.map(({ detail }) => detail).join('\n')
  })
}
