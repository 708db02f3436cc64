// needs-quiet: how long a stop takes beyond its grace
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { createRuntime } from '../../runtime/index.ts'
import { echo, laneEcho, native, parked, stubborn, traced } from '../fixtures/tasks.ts'
import { nextEvent } from '../helpers/next-event.ts'
import { ledgerLines, ledgerOf, scratchFolder } from '../helpers/scratch.ts'
import { fixtureTasks, startRuntime } from '../helpers/start-runtime.ts'

const TIERS = { default: { threads: 2 }, small: { threads: 1 } }
const LANES = { network: { concurrency: 10 } }

/** What the contract allows over the grace, and a commit of a loaded machine. */
const OVER_MS = 200 + 400

describe('stop', () => {
  it('lets running jobs end within the grace, and starts nothing new', async (test) => {
    const runtime = await startRuntime(test)
    const ledger = join(scratchFolder(), 'ledger')
    for (let at = 0; at < 20; at++) await runtime.enqueue(traced, { ledger, ms: 150 })
    await ledgerOf(ledger, 2, 'start')
    assert.deepEqual(await runtime.stop({ graceMs: 10_000 }), { stuck: [] })
    const lines = ledgerLines(ledger)
    const started = lines.filter(([what]) => what === 'start').length
    assert.equal(lines.filter(([what]) => what === 'end').length, started, 'what had started has ended')
    assert.ok(started < 20, 'the rest has not started')
  })

  it('aborts what outlasts the grace, returns it uncharged, and is in time', async (test) => {
    const file = join(scratchFolder(), 'jobs.db')
    const ledger = join(scratchFolder(), 'ledger')
    const runtime = await startRuntime(test, { journal: { file } })
    const polite = await runtime.enqueue(traced, { ledger, ms: 60_000 })
    const deaf = await runtime.enqueue(stubborn, { ledger, ms: 60_000 })
    const lane = await runtime.enqueue(laneEcho, { value: 1 })
    await lane.result()
    await ledgerOf(ledger, 2, 'start')
    const begunAt = performance.now()
    assert.deepEqual(await runtime.stop({ graceMs: 300 }), { stuck: [] })
    const tookMs = performance.now() - begunAt
    assert.ok(tookMs >= 300 && tookMs < 300 + OVER_MS, `stop took ${tookMs} ms`)
    await using next = await createRuntime({ tasks: fixtureTasks, journal: { file }, tiers: TIERS, lanes: LANES })
    await ledgerOf(ledger, 4, 'start')
    for (const { id } of [polite, deaf]) {
      const { state, attempts, crashes, claim } = await next.job(id).record()
      assert.deepEqual([state, attempts, crashes, claim], ['running', 0, 0, 2])
    }
    await next.stop({ graceMs: 0 })
  })

  it('keeps what was waiting, and refuses who comes late', async (test) => {
    const file = join(scratchFolder(), 'jobs.db')
    const runtime = await startRuntime(test, { journal: { file } })
    const { id } = await runtime.enqueue(parked, null)
    const pending = runtime.enqueue(echo, { value: 'in time' })
    const stopped = runtime.stop({ graceMs: 1_000 })
    await assert.rejects(runtime.enqueue(echo, { value: 'late' }), { code: 'MILLRACE_STOPPING' })
    await pending
    await stopped
    assert.equal(runtime.stop(), runtime.stop(), 'a second stop is the same')
    await using next = await createRuntime({ tasks: fixtureTasks, journal: { file }, tiers: TIERS, lanes: LANES })
    assert.equal((await next.job(id).record()).state, 'available')
  })

  for (const hears of ['on', 'once'] as const) {
    it(`is the same for who calls it when they hear of it, with ${hears}`, async (test) => {
      const runtime = await startRuntime(test)
      const stops: Promise<unknown>[] = []
      let told = 0
      runtime[hears]('runtime.stopping', () => stops.push(runtime.stop({ graceMs: 5 })))
      runtime.on('runtime.stopped', () => told++)
      const stopped = runtime.stop({ graceMs: 0 })
      assert.deepEqual([stops.length, stops[0] === stopped], [1, true])
      await stopped
      assert.equal(told, 1)
    })
  }

  it('names a stuck job once, also one that is in time for its limits', async (test) => {
    const runtime = await startRuntime(test)
    const ledger = join(scratchFolder(), 'ledger')
    const limits = { softLimitMs: 20_000, hardLimitMs: 30_000 }
    const job = await runtime.enqueue(native, { ledger, seconds: 1, how: 'exec' }, limits)
    await ledgerOf(ledger, 1, 'start')
    assert.deepEqual(await runtime.stop({ graceMs: 0 }), { stuck: [job.id] })
    // The thread is still in its call: the test ends when that has returned.
    await new Promise((resolve) => setTimeout(resolve, 1_000))
  })

  it('refuses what is no grace, and goes on', async (test) => {
    const runtime = await startRuntime(test)
    for (const graceMs of [Number.NaN, -1, '5' as unknown as number]) {
      await assert.rejects(runtime.stop({ graceMs }), { code: 'MILLRACE_INVALID_OPTION', path: 'graceMs' })
    }
    const misspelt = { grace: 5 } as unknown as { graceMs: number }
    await assert.rejects(runtime.stop(misspelt), { code: 'MILLRACE_UNKNOWN_OPTION', message: /did you mean graceMs/ })
    assert.deepEqual(await (await runtime.enqueue(echo, { value: 1 })).result(), { value: 1 })
  })

  it('says which jobs are stuck in a native call, and leaves them to the next start', async (test) => {
    const file = join(scratchFolder(), 'jobs.db')
    const ledger = join(scratchFolder(), 'ledger')
    const runtime = await startRuntime(test, { journal: { file } })
    const job = await runtime.enqueue(native, { ledger, seconds: 2, how: 'exec' })
    await nextEvent(runtime, 'place.zombies', { timeoutMs: 20_000 })
    const begunAt = performance.now()
    assert.deepEqual(await runtime.stop({ graceMs: 100 }), { stuck: [job.id] })
    assert.ok(performance.now() - begunAt < 100 + OVER_MS)
    await using next = await createRuntime({ tasks: fixtureTasks, journal: { file }, tiers: TIERS, lanes: LANES })
    const { attempts, crashes } = await next.job(job.id).record()
    assert.deepEqual([attempts, crashes], [0, 0], 'uncharged')
    // The thread of the first life is still in its call: the test ends when that has returned.
    await new Promise((resolve) => setTimeout(resolve, 2_000))
  })
})
