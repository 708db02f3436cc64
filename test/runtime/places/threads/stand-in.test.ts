import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ManualClock } from '../../../../lib/manual-clock.ts'
import { QUIET_FOR_MS } from '../../../../lib/sizing.ts'
import type { RuntimeOptions } from '../../../../runtime/index.ts'
import type { Resizing } from '../../../../runtime/messages.ts'
import type { Incarnation } from '../../../../runtime/places/threads/incarnation.ts'
import { StandIn } from '../../../../runtime/places/threads/stand-in.ts'
import { ThreadBudget } from '../../../../runtime/places/threads/thread-budget.ts'
import { endless, quick } from '../../../fixtures/quick-tasks.ts'
import { nextEvent } from '../../../helpers/next-event.ts'
import { startRuntime } from '../../../helpers/start-runtime.ts'
import { until } from '../../../helpers/until.ts'

const LONG_MS = 5_000

interface Test {
  after(clean: () => unknown): unknown
}

async function start(test: Test, options: Partial<RuntimeOptions>) {
  return startRuntime(test, {
    tasks: new URL('../../../fixtures/quick-tasks.js', import.meta.url),
    tiers: { fast: { threads: 1 }, default: { threads: 1 } },
    lanes: {},
    ...options,
  })
}

/** How long quick jobs wait, one after another, while a long one holds the only thread of their tier. */
async function waitsBeside(test: Test, options: Partial<RuntimeOptions>): Promise<number[]> {
  const runtime = await start(test, options)
  await (await runtime.enqueue(quick, undefined)).result()
  const long = await runtime.enqueue(endless, { ms: LONG_MS })
  await until(
    'it runs',
    () => runtime.explain(long.id),
    ({ reason }) => reason.type === 'running',
  )
  const endsAt = Date.now() + LONG_MS
  const waits: number[] = []
  while (Date.now() < endsAt - 200) {
    const at = Date.now()
    waits.push((await (await runtime.enqueue(quick, undefined)).result({ timeoutMs: 2 * LONG_MS })) - at)
    await sleep(20)
  }
  return waits
}

describe('a run far beyond the budget of its tier', () => {
  it('holds quick jobs up only until somebody stands in', { timeout: 60_000 }, async (test) => {
    const waits = await waitsBeside(test, {})
    assert.ok(Math.max(...waits) < LONG_MS / 2, `one waited ${Math.max(...waits)} ms`)
    assert.ok(waits.length > 20, `${waits.length} ran beside it`)
  })

  it('holds them up as long as it runs where its tier has no budget (control)', { timeout: 60_000 }, async (test) => {
    const waits = await waitsBeside(test, { promotion: 'off' })
    assert.ok(Math.max(...waits) > (LONG_MS * 3) / 4, `${Math.max(...waits)} ms`)
  })

  it('is told, and so is the end of it', { timeout: 60_000 }, async (test) => {
    const runtime = await start(test, { promotion: { ladder: [{ tier: 'fast', budgetMs: 50 }, { tier: 'default' }] } })
    const held = nextEvent(runtime, 'place.resized', { timeoutMs: 20_000 })
    await (await runtime.enqueue(endless, { ms: 1_000 })).result({ timeoutMs: 20_000 })
    const { place, cause, before, threads } = await held
    assert.deepEqual([place, cause, before, threads], ['fast', 'held', 1, 2])
    const quiet = await nextEvent(runtime, 'place.resized', { timeoutMs: 30_000 })
    assert.deepEqual([quiet.cause, quiet.before, quiet.threads], ['quiet', 2, 1])
    await (await runtime.enqueue(quick, undefined)).result({ timeoutMs: 20_000 })
  })
})

describe('who stands in', () => {
  /** Threads that run one job each, since an instant; `undefined` where none runs. */
  function standing(budgetMs: number | undefined, threads = 1, budget = new ThreadBudget(1)) {
    const clock = new ManualClock()
    const runs: (number | undefined)[] = [undefined]
    const changes: [Resizing['cause'], number, number][] = []
    let seats = threads
    const standIn = new StandIn({
      clock,
      budget,
      budgetMs,
      threads: () => seats,
      serving: () =>
        runs.map(
          (startedAt) => ({ begun: () => (startedAt === undefined ? [] : [{ startedAt }]) }) as never as Incarnation,
        ),
      resized({ cause, before, threads }) {
        changes.push([cause, before, threads])
        seats = threads
      },
    })
    const look = (ms: number) => {
      clock.advance(ms)
      standIn.look(clock.monotonicMs())
    }
    return { clock, runs, changes, standIn, look }
  }

  it('comes when a run has held the last thread for twice the budget, and never twice', () => {
    const { runs, changes, look } = standing(100)
    runs[0] = 0
    look(200)
    assert.deepEqual(changes, [])
    look(1)
    assert.deepEqual(changes, [['held', 1, 2]])
    runs.push(0)
    look(500)
    assert.equal(changes.length, 1)
  })

  it('does not come while another thread is not held, or starts', () => {
    const { runs, changes, look } = standing(100, 2)
    runs[0] = 0
    look(500)
    assert.deepEqual(changes, [], 'the other one starts')
    runs.push(undefined)
    look(500)
    assert.deepEqual(changes, [], 'the other one is free')
    runs[1] = 500
    look(500)
    assert.equal(changes.length, 1)
  })

  it('goes when nothing has held a thread for a while', () => {
    const { clock, runs, changes, look } = standing(100)
    runs[0] = 0
    look(201)
    look(QUIET_FOR_MS - 1)
    runs[0] = undefined
    look(1)
    clock.advance(QUIET_FOR_MS - 2)
    assert.equal(changes.length, 1)
    clock.advance(2)
    assert.deepEqual(changes.at(-1), ['quiet', 2, 1])
  })

  it('comes when the runtime has a thread left for it, which is free again when it goes, or at the end', () => {
    const budget = new ThreadBudget(1)
    budget.claim(1)
    const { clock, runs, changes, look, standIn } = standing(100, 1, budget)
    runs[0] = 0
    look(201)
    assert.deepEqual(changes, [], 'another tier has them all')
    budget.giveBack(1)
    look(1)
    assert.deepEqual([changes.length, budget.free], [1, 0])
    runs[0] = undefined
    clock.advance(QUIET_FOR_MS + 1)
    assert.deepEqual([changes.length, budget.free], [2, 1])
    runs[0] = 0
    look(1)
    assert.equal(budget.free, 0)
    standIn.stop()
    standIn.stop()
    assert.equal(budget.free, 1)
  })

  it('is nobody where there is no budget, or after the end', () => {
    const { runs, changes, look, standIn, clock } = standing(undefined)
    runs[0] = 0
    look(10_000)
    assert.deepEqual(changes, [])
    const other = standing(100)
    other.runs[0] = 0
    other.look(201)
    other.standIn.stop()
    standIn.stop()
    other.clock.advance(10 * QUIET_FOR_MS)
    clock.advance(1)
    assert.equal(other.changes.length, 1)
  })
})
