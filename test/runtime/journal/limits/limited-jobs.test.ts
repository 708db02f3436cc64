import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { LimitedPlay, limitedStep, limitedTasks } from '../../../helpers/limited-play.ts'
import type { ClaimedJob } from '../../../../runtime/messages.ts'
import { StoreDriver } from '../../../helpers/store-driver.ts'

const part = (c: string) => JSON.stringify({ c })
const byKey = { concurrency: { limit: 2, by: 'c' } } as const

describe('jobs with limits', () => {
  it('never break one and never wait in vain, whatever happens to the journal', () => {
    fc.assert(
      fc.property(limitedTasks, fc.array(limitedStep, { maxLength: 50, size: 'max' }), (limits, steps) => {
        const play = new LimitedPlay(limits)
        for (const step of steps) play.run(step)
        play.driver.db.close()
      }),
      { numRuns: 200 },
    )
  })

  it('all end', () => {
    fc.assert(
      fc.property(limitedTasks, fc.array(limitedStep, { maxLength: 40, size: 'max' }), (limits, steps) => {
        const play = new LimitedPlay(limits)
        for (const step of steps) play.run(step)
        play.finish()
        play.driver.db.close()
      }),
      { numRuns: 50 },
    )
  })

  it('run as many at once as their key allows, and the next when one of them has ended', () => {
    const journal = new StoreDriver({ limits: { alpha: byKey } })
    const [first, second, third, other] = ['a', 'a', 'a', 'b'].map(
      (key) => journal.add('alpha', { part: part(key) }).number,
    ) as [number, number, number, number]
    assert.deepEqual(journal.claim(10), [first, second, other])
    assert.deepEqual(
      journal.finish(journal.held(second)).claims.flatMap(({ numbers }) => numbers),
      [third],
    )
  })

  it('keep what they have reserved of a rate when a commit is undone', () => {
    const journal = new StoreDriver({ limits: { beta: { rate: { limit: 1, perMs: 200, burst: 0 } } } })
    const [first, second] = [journal.add('beta').number, journal.add('beta').number]
    assert.deepEqual(journal.claim(5), [first])
    journal.add('alpha', { input: JSON.stringify('x'.repeat(300_000)) })
    journal.db.pragma(`max_page_count = ${String(journal.db.pragma('page_count', { simple: true }))}`)
    assert.throws(() => journal.commit())
    journal.db.pragma('max_page_count = 1000000')
    journal.advance(1_000)
    assert.deepEqual([...journal.hand.keys()], [first], 'it has not started yet')
    journal.addStart(first, journal.now)
    journal.advance(199)
    assert.deepEqual([...journal.hand.keys()], [first])
    journal.advance(3)
    assert.deepEqual([...journal.hand.keys()], [first, second])
  })

  it('hold no room and hold up nobody behind them', () => {
    const journal = new StoreDriver({ limits: { alpha: { concurrency: { limit: 1 } } } })
    for (let job = 0; job < 5; job++) journal.add('alpha')
    const [waiting] = journal.claim(3)
    assert.equal(journal.enqueue('beta').as, 'claimed', 'it takes the short cut past those that are full')
    assert.equal(journal.ledger.rooms.jobs(0), 1)
    assert.equal(journal.ledger.claimable, 0)
    assert.equal(journal.ledger.waiting.total, 4, 'and they are not forgotten')
    assert.equal(journal.hand.get(waiting as number)?.claim, 1)
  })

  it('come in order of priority and age among all others of their place', () => {
    const journal = new StoreDriver({ limits: { alpha: byKey } })
    const numbers = [
      journal.add('beta').number,
      journal.add('alpha', { part: part('a') }).number,
      journal.add('beta', { priority: 9 }).number,
      journal.add('alpha', { part: part('b'), priority: 9 }).number,
      journal.add('beta').number,
    ]
    journal.commit()
    assert.deepEqual(
      journal.claim(10),
      [2, 3, 0, 1, 4].map((at) => numbers[at]),
    )
  })

  it('that are fair take turns by what they have run, and are not claimed far ahead', () => {
    const journal = new StoreDriver({ limits: { alpha: { fair: { by: 'f' } } }, parallel: 1 })
    const tenant = (f: string) => ({ part: JSON.stringify({ f }) })
    for (let job = 0; job < 40; job++) journal.add('alpha', tenant('long'))
    for (let job = 0; job < 40; job++) journal.add('alpha', tenant('short'))
    journal.claim(1_000)
    const ran = { long: 0, short: 0 }
    for (let job = 0; job < 44; job++) {
      const [first] = journal.hand.values()
      const { number } = first as { number: number }
      const { f } = JSON.parse(partOf(journal, number)) as { f: 'long' | 'short' }
      ran[f]++
      journal.settle(journal.held(number), 'succeed', {
        row: 'drop',
        startedAt: journal.now,
        ranMs: f === 'long' ? 100 : 10,
      })
      if (job > 5) assert.ok(journal.hand.size <= 6, `${journal.hand.size} are claimed ahead`)
    }
    assert.ok(ran.short >= 36 && ran.long >= 4, JSON.stringify(ran))
  })

  it('share what their place lets run, beside limits of their own', () => {
    const place = { name: 'place 0', concurrency: 3 }
    const limits = { alpha: { concurrency: { limit: 1 }, place }, beta: { place } }
    const journal = new StoreDriver({ limits })
    for (const task of ['alpha', 'alpha', 'beta', 'beta', 'beta']) journal.add(task)
    journal.commit()
    assert.equal(journal.claim(10).length, 3)
    const tasks = [...journal.hand.values()].map(({ task }) => task)
    assert.deepEqual(
      tasks.sort((a, b) => a - b),
      [0, 1, 1],
    )
    const ended = [...journal.hand.values()].find(({ task }) => task === 1)
    assert.equal(journal.finish(ended as ClaimedJob).claims[0]?.tasks[0], 1)
    const rate = { limit: 2, perMs: 1_000, burst: 0 }
    const rated = new StoreDriver({
      limits: { alpha: { place: { name: 'p', rate } }, beta: { place: { name: 'p', rate } } },
    })
    for (const task of ['alpha', 'beta', 'alpha']) rated.add(task)
    rated.commit()
    const [first] = rated.claim(5)
    assert.deepEqual([rated.hand.size, first === undefined], [1, false])
    rated.addStart(first as number, rated.now)
    rated.commit()
    assert.equal(rated.advance(502).claims[0]?.tasks[0], 1)
  })

  it('that wait for a rate are claimed when the journal said that it opens', () => {
    const journal = new StoreDriver({ limits: { alpha: { rate: { limit: 1, perMs: 1_000, burst: 0 } } } })
    const [first, second] = [journal.add('alpha').number, journal.add('alpha').number]
    assert.deepEqual(journal.claim(5), [first])
    assert.equal(journal.commit().nextDueAt, undefined, 'the first has not started yet')
    journal.addStart(first, journal.now)
    const opensAt = journal.commit().nextDueAt as number
    assert.ok(opensAt >= journal.now + 1_000 && opensAt < journal.now + 1_010, String(opensAt - journal.now))
    assert.deepEqual(journal.advance(opensAt - journal.now - 1).claims, [])
    assert.deepEqual(journal.advance(1).claims[0]?.numbers, [second])
  })

  it('find a rate where the owner before has left it, with what that one held as started', () => {
    const journal = new StoreDriver({ limits: { alpha: { rate: { limit: 1, perMs: 1_000, burst: 0 } } } })
    const [first] = [journal.add('alpha').number, journal.add('alpha').number]
    journal.claim(5)
    journal.finish(journal.held(first))
    journal.now += 500
    journal.reopen()
    assert.deepEqual(journal.claim(5), [], 'one has started half a second ago')
    assert.equal(journal.advance(600).claims.length, 1)
    journal.enqueue('alpha')
    journal.reopen()
    assert.deepEqual(journal.claim(5), [], 'one may have')
    assert.equal(journal.advance(1_100).claims.length, 1)
  })

  it('leave nothing of a rate behind when it is full again', () => {
    const journal = new StoreDriver({ limits: { alpha: { rate: { limit: 1, perMs: 1_000, burst: 0, by: 'c' } } } })
    const rates = () => journal.db.prepare<[], string>('SELECT name FROM millrace_rates').pluck().all()
    for (const key of ['a', 'b']) journal.add('alpha', { part: part(key) })
    for (const number of journal.claim(5)) journal.finish(journal.held(number))
    assert.deepEqual(rates().sort(), ['task:alpha c "a"', 'task:alpha c "b"'])
    journal.advance(2_000)
    assert.deepEqual(rates(), [])
  })

  it('are counted anew when another owner opens the journal', () => {
    const journal = new StoreDriver({ limits: { alpha: byKey } })
    for (let job = 0; job < 5; job++) journal.add('alpha', { part: part('a') })
    assert.equal(journal.claim(10).length, 2)
    journal.reopen()
    assert.equal(journal.claim(10).length, 2, 'nothing runs any more')
  })

  it('that have no part, since they came before there were keys, are one part of their own', () => {
    const journal = new StoreDriver({ limits: { alpha: byKey } })
    for (let job = 0; job < 4; job++) journal.add('alpha', job % 2 === 0 ? {} : { part: part('a') })
    journal.add('alpha')
    assert.equal(journal.claim(10).length, 4)
    const held = [...journal.hand.values()]
    for (const job of held) journal.finish(job)
    assert.equal(journal.hand.size, 1)
  })
})

function partOf(journal: StoreDriver, number: number): string {
  return journal.db
    .prepare<[number], string>('SELECT part FROM millrace_jobs WHERE id = ?')
    .pluck()
    .get(number) as string
}

describe('the rows of parts', () => {
  it('are found by index, however many others wait', () => {
    const journal = new StoreDriver({ limits: { alpha: byKey } })
    const plan = (sql: string, ...values: unknown[]) =>
      journal.db.prepare<unknown[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql}`).all(...values)
    const next = `SELECT ord FROM millrace_jobs
      WHERE state = 1 AND task = ? AND part = ? AND rank = ? AND ord > ? ORDER BY ord LIMIT 1`
    assert.match(JSON.stringify(plan(next, 1, 'a', 5, 0)), /SEARCH millrace_jobs USING COVERING INDEX millrace_parted/)
    const heads = `SELECT part, rank, count(*), min(ord) FROM millrace_jobs
      WHERE state = 1 AND part IS NOT NULL AND task = ? GROUP BY part, rank`
    assert.match(JSON.stringify(plan(heads, 1)), /SEARCH millrace_jobs USING COVERING INDEX millrace_parted/)
  })
})
