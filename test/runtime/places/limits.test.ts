import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { Runtime } from '../../../runtime/index.ts'
import {
  echo,
  hang,
  type Hang,
  HANG_LIMIT_MS,
  hoard,
  laneEcho,
  laneHang,
  laneSleep,
  native,
  polite,
} from '../../fixtures/tasks.ts'
import { nextEvent } from '../../helpers/next-event.ts'
import { ledgerLines, scratchFolder } from '../../helpers/scratch.ts'
import { startRuntime } from '../../helpers/start-runtime.ts'

/** From the limit to the end of the thread; for loaded machines, since `hard-limit-times.test.ts` measures it. */
const GENEROUS_MS = 2_000

/** Fills both threads with no-ops around a job, and says what became of all of them. */
async function among(runtime: Runtime, neighbours: number): Promise<Promise<unknown>[]> {
  const jobs = await Promise.all(
    Array.from({ length: neighbours }, (_, at) => runtime.enqueue(echo, { value: at }, { retry: { attempts: 1 } })),
  )
  return jobs.map((job) => job.result({ timeoutMs: 20_000 }))
}

describe('the hard limit', () => {
  for (const how of ['loop', 'regex', 'atomics', 'microtasks', 'promises', 'never'] satisfies Hang[]) {
    it(`ends a thread in ${how}, charges nobody beside it, and puts another in its place`, async (test) => {
      const runtime = await startRuntime(test)
      const before = await among(runtime, 30)
      const job = await runtime.enqueue(hang, { how })
      const beside = await among(runtime, 30)
      const dead = nextEvent(runtime, 'job.dead', { timeoutMs: 20_000 })
      await assert.rejects(job.result({ timeoutMs: 20_000 }), { code: 'MILLRACE_HARD_LIMIT' })
      const { ranMs } = await dead
      assert.ok(ranMs !== undefined && ranMs >= HANG_LIMIT_MS && ranMs < HANG_LIMIT_MS + GENEROUS_MS, `ran ${ranMs} ms`)
      const results = await Promise.all([...before, ...beside, ...(await among(runtime, 30))])
      assert.equal(results.length, 90)
    })
  }

  it('gives a job on a lane up, and its slot back', async (test) => {
    const runtime = await startRuntime(test, { lanes: { network: { concurrency: 1 } } })
    const jobs = [await runtime.enqueue(laneHang, null), await runtime.enqueue(laneHang, null)]
    for (const job of jobs) await assert.rejects(job.result({ timeoutMs: 20_000 }), { code: 'MILLRACE_HARD_LIMIT' })
  })

  it('gives a job up on a lane that has threads', async (test) => {
    const runtime = await startRuntime(test, { lanes: { network: { concurrency: 10, threads: 1 } } })
    const job = await runtime.enqueue(laneHang, null)
    const beside = await runtime.enqueue(laneEcho, { value: 1 })
    await assert.rejects(job.result({ timeoutMs: 20_000 }), { code: 'MILLRACE_HARD_LIMIT' })
    assert.deepEqual(await beside.result(), { value: 1 })
  })

  it('leaves a lane that has threads the slots that were not given up', async (test) => {
    const runtime = await startRuntime(test, { lanes: { network: { concurrency: 4, threads: 1 } } })
    const given = [await runtime.enqueue(laneHang, null), await runtime.enqueue(laneHang, null)]
    for (const job of given) await assert.rejects(job.result({ timeoutMs: 20_000 }), { code: 'MILLRACE_HARD_LIMIT' })
    // Those that come while it is paused are offered together, so that every slot is asked for.
    await runtime.pause({ place: 'network' })
    const more = await Promise.all(Array.from({ length: 300 }, (_, value) => runtime.enqueue(laneEcho, { value })))
    await runtime.resume({ place: 'network' })
    for (const [value, job] of more.entries()) assert.deepEqual(await job.result({ timeoutMs: 20_000 }), { value })
  })

  it('counts from when an attempt begins, however long its thread has had the job', async (test) => {
    const runtime = await startRuntime(test, { lanes: { network: { concurrency: 2, threads: 1 } } })
    await (await runtime.enqueue(laneSleep, { ms: 0 })).result({ timeoutMs: 20_000 })
    // The thread gets all of them in one hand-over: the last begins after 19 x 50 ms, far beyond the limit of each.
    await runtime.pause({ place: 'network' })
    const limits = { softLimitMs: 500, hardLimitMs: 500 }
    const jobs = await Promise.all(Array.from({ length: 40 }, () => runtime.enqueue(laneSleep, { ms: 50 }, limits)))
    const resumedAt = performance.now()
    await runtime.resume({ place: 'network' })
    for (const job of jobs) assert.equal(await job.result({ timeoutMs: 20_000 }), 'slept')
    assert.ok(performance.now() - resumedAt > 900, 'more than two ran at once')
  })

  it('finds a thread that ran out of its memory', async (test) => {
    const runtime = await startRuntime(test)
    const job = await runtime.enqueue(hoard, null)
    await assert.rejects(job.result({ timeoutMs: 30_000 }), { code: 'MILLRACE_THREAD_EXIT' })
  })
})

describe('the soft limit', () => {
  it('aborts the signal of a handler that waits', async (test) => {
    const runtime = await startRuntime(test)
    const job = await runtime.enqueue(polite, { synchronous: 'no' })
    assert.deepEqual(await job.result({ timeoutMs: 10_000 }), { code: 'MILLRACE_SOFT_LIMIT' })
  })

  it('is seen by a handler that never waits, at its next checkpoint', async (test) => {
    const runtime = await startRuntime(test)
    const job = await runtime.enqueue(polite, { synchronous: 'yes' })
    await assert.rejects(job.result({ timeoutMs: 10_000 }), { code: 'MILLRACE_SOFT_LIMIT' })
  })
})

describe('a thread in a native call', () => {
  for (const how of ['exec', 'sqlite'] as const) {
    it(`is counted while it hangs (${how}), and its job waits for its exit`, async (test) => {
      const runtime = await startRuntime(test, { tiers: { default: { threads: 1 }, small: { threads: 1 } } })
      const ledger = join(scratchFolder(), 'ledger')
      const zombies = nextEvent(runtime, 'place.zombies', { timeoutMs: 20_000 })
      const job = await runtime.enqueue(native, { ledger, seconds: 2, how })
      const enqueuedAt = Date.now()
      assert.deepEqual(await zombies, { place: 'default', count: 1 })
      // The replacement serves meanwhile.
      const neighbour = await runtime.enqueue(echo, { value: 1 })
      await neighbour.result({ timeoutMs: 20_000 })
      assert.equal((await job.record()).state, 'running')
      assert.equal(await job.result({ timeoutMs: 60_000 }), 'again')
      const starts = ledgerLines(ledger)
      assert.deepEqual(
        starts.map(([, , attempt]) => attempt),
        ['1', '2'],
      )
      const gapMs = Number(starts[1]?.[3]) - Number(starts[0]?.[3])
      assert.ok(how === 'sqlite' || gapMs >= 1_000, `the second attempt began ${gapMs} ms after the first`)
      assert.ok(Date.now() - enqueuedAt < 60_000)
    })
  }

  it('is told from threads that need long to end since the machine has too much to do', async (test) => {
    const runtime = await startRuntime(test, {
      tiers: { default: { threads: 12, maxZombies: 0 }, small: { threads: 1 } },
    })
    const unfit: unknown[] = []
    runtime.on('runtime.unfit', (event) => unfit.push(event))
    const jobs = await Promise.all(Array.from({ length: 24 }, () => runtime.enqueue(hang, { how: 'loop' })))
    const limit = { code: 'MILLRACE_HARD_LIMIT' }
    await Promise.all(jobs.map((job) => assert.rejects(job.result({ timeoutMs: 60_000 }), limit)))
    assert.deepEqual(unfit, [])
  })

  it('drains the runtime when too many of them hang', async (test) => {
    const tiers = { default: { threads: 1, maxZombies: 0 }, small: { threads: 1 } }
    const runtime = await startRuntime(test, { tiers })
    const ledger = join(scratchFolder(), 'ledger')
    const stopped = nextEvent(runtime, 'runtime.stopped', { timeoutMs: 30_000 })
    const unfit = nextEvent(runtime, 'runtime.unfit', { timeoutMs: 20_000 })
    await runtime.enqueue(native, { ledger, seconds: 5, how: 'exec' }, { retry: { attempts: 1 } })
    assert.equal(((await unfit).error as { code?: string }).code, 'MILLRACE_ZOMBIES')
    await assert.rejects(runtime.enqueue(echo, { value: 1 }), { code: 'MILLRACE_STOPPING' })
    await stopped
  })

  it('lets who hears of that say how long the grace is', async (test) => {
    const tiers = { default: { threads: 1, maxZombies: 0 }, small: { threads: 2 } }
    const runtime = await startRuntime(test, { tiers })
    const stops: Promise<unknown>[] = []
    runtime.on('runtime.unfit', () => stops.push(runtime.stop({ graceMs: 0 })))
    const stopped = nextEvent(runtime, 'runtime.stopped', { timeoutMs: 20_000 })
    const ledger = join(scratchFolder(), 'ledger')
    await runtime.enqueue(laneHang, null, { softLimitMs: 60_000, hardLimitMs: 60_000 })
    const unfit = nextEvent(runtime, 'runtime.unfit', { timeoutMs: 20_000 })
    await runtime.enqueue(native, { ledger, seconds: 5, how: 'exec' }, { retry: { attempts: 1 } })
    await unfit
    const unfitAt = performance.now()
    await stopped
    const tookMs = performance.now() - unfitAt
    assert.ok(stops.length === 1 && tookMs < 8_000, `took ${tookMs} ms, as with the default grace of 10,000`)
  })
})
