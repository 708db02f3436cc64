import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LaneConfig, Runtime } from '../../runtime/index.ts'
import { guarded, PATIENCE_MS, unguarded } from '../fixtures/dependent-tasks.ts'
import { FrailServer } from '../helpers/frail-server.ts'
import { startRuntime } from '../helpers/start-runtime.ts'

/**
 * A dependency is away for 20 s at 80 % load, and is slow afterwards while too many requests have gathered, most of which
 * nobody waits for any more. These times are a quarter of that; in full: MILLRACE_OUTAGE_TIMES=4 npm test -- outage
 */
const TIMES = Number(process.env['MILLRACE_OUTAGE_TIMES'] ?? 1)
const OUTAGE_MS = 5_000 * TIMES
const BACK_WITHIN_MS = 2_500 * TIMES
const LOOK_MS = 2_000

const CAPACITY = 200
const OFFERED = 0.8 * CAPACITY
/** Half of what the server could answer while a caller waits: the lane alone does not overload it. */
const CONCURRENCY = (CAPACITY * PATIENCE_MS) / 1_000 / 2
const OVERLOAD = { requests: 3 * CONCURRENCY, slower: 4 }

describe('a dependency that was away', { concurrency: false }, () => {
  it('has as many good answers as before within 10 s, with a breaker and a budget of retries', async (test) => {
    const { before, after } = await outage(test, guarded, {})
    assert.ok(before >= 0.8 * OFFERED, `${before} before`)
    assert.ok(after >= 0.95 * OFFERED, `${after} after`)
  })

  it('does not come back without them (control)', async (test) => {
    const { before, after } = await outage(test, unguarded, { retryShare: 0.5 })
    assert.ok(before >= 0.8 * OFFERED, `${before} before`)
    assert.ok(after < 0.5 * OFFERED, `${after} after`)
  })
})

type Task = typeof guarded

/** Good answers a second, before the outage and from the time on at which all should be well again. */
async function outage(test: TestContext, task: Task, lane: LaneConfig) {
  const server = new FrailServer({ requestsPerSecond: CAPACITY, overload: OVERLOAD })
  const port = await server.listen()
  const runtime = await startRuntime(test, {
    tasks: new URL('../fixtures/dependent-tasks.js', import.meta.url),
    lanes: { network: { concurrency: CONCURRENCY, handJobs: 100, ...lane } },
  })
  test.after(() => server.close())
  const load = offer(runtime, task, port)
  await sleep(1_000)
  const beganAt = performance.now()
  await sleep(LOOK_MS)
  const frozenAt = performance.now()
  server.freeze()
  await sleep(OUTAGE_MS)
  const gathered = server.unanswered
  server.thaw()
  const thawedAt = performance.now()
  await sleep(BACK_WITHIN_MS + LOOK_MS)
  clearInterval(load)
  const results = {
    before: server.goodput(beganAt, frozenAt),
    after: server.goodput(thawedAt + BACK_WITHIN_MS, thawedAt + BACK_WITHIN_MS + LOOK_MS),
  }
  test.diagnostic(JSON.stringify({ ...results, gathered, unanswered: server.unanswered }))
  return results
}

/** New jobs at an even pace, also where the machine is too busy for it now and then. */
function offer(runtime: Runtime, task: Task, port: number): NodeJS.Timeout {
  const from = performance.now()
  let offered = 0
  return setInterval(() => {
    for (; offered < ((performance.now() - from) / 1_000) * OFFERED; offered++) void runtime.enqueue(task, { port })
  }, 10)
}
