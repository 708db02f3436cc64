import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { echo, hang, laneHang, parked, stubborn, traced } from '../fixtures/tasks.ts'
import { leakCheck } from '../helpers/leak-check.ts'
import { nextEvent } from '../helpers/next-event.ts'
import { ledgerLines, ledgerOf, scratchFolder } from '../helpers/scratch.ts'
import { startRuntime } from '../helpers/start-runtime.ts'

leakCheck({ after }, { withinMs: 5_000 })

const ONE_THREAD = { tiers: { default: { threads: 1 }, small: { threads: 1 } } }
const TIMEOUT = { timeoutMs: 20_000 }

describe('cancel', () => {
  it('ends a job that waits, wherever it waits', async (test) => {
    const runtime = await startRuntime(test, ONE_THREAD)
    const ledger = join(scratchFolder(), 'ledger')
    const running = await runtime.enqueue(traced, { ledger, ms: 60_000 })
    await ledgerOf(ledger)
    const inJournal = await runtime.enqueue(parked, null)
    const scheduled = await runtime.enqueue(echo, { value: 1 }, { delayMs: 60_000 })
    const behind = await runtime.enqueue(echo, { value: 2 })
    for (const job of [inJournal, scheduled, behind]) {
      const result = assert.rejects(job.result(TIMEOUT), { code: 'MILLRACE_JOB_CANCELLED' })
      const told = nextEvent(runtime, 'job.cancelled', { where: ({ id }) => id === job.id })
      assert.equal(await job.cancel(), 'cancelled')
      assert.equal((await job.record()).state, 'cancelled')
      await result
      await told
      assert.equal(await job.cancel(), 'ended')
    }
    // Where the attempt follows at once, its end may be in the same commit as the wish.
    assert.match(await running.cancel(), /^(requested|cancelled)$/)
    await assert.rejects(running.result(TIMEOUT), { code: 'MILLRACE_JOB_CANCELLED' })
    const [first, ...more] = ledgerLines(ledger)
    assert.deepEqual([first?.[0], more], ['start', []], 'it has not run to its end')
  })

  it('lets a success win that comes before the end', async (test) => {
    const runtime = await startRuntime(test, ONE_THREAD)
    const ledger = join(scratchFolder(), 'ledger')
    const job = await runtime.enqueue(stubborn, { ledger, ms: 300 })
    await ledgerOf(ledger)
    assert.equal(await job.cancel(), 'requested')
    assert.equal(await job.result(TIMEOUT), undefined)
  })

  it('is refused with options that it does not have, and changes nothing', async (test) => {
    const runtime = await startRuntime(test, ONE_THREAD)
    const job = await runtime.enqueue(parked, null)
    for (const options of [{ mode: 'kill' }, { force: true }, null] as never[]) {
      await assert.rejects(job.cancel(options), /MILLRACE_(INVALID|UNKNOWN)_OPTION/)
    }
    assert.equal((await job.record()).state, 'available')
  })

  it('ends the thread at once when it is told to', async (test) => {
    const runtime = await startRuntime(test, ONE_THREAD)
    const begun = nextEvent(runtime, 'job.progress', { timeoutMs: 20_000 })
    const job = await runtime.enqueue(hang, { how: 'loop' }, { softLimitMs: 60_000, hardLimitMs: 60_000 })
    const beside = await runtime.enqueue(echo, { value: 1 })
    await begun
    const cancelled = nextEvent(runtime, 'job.cancelled', { timeoutMs: 20_000 })
    assert.notEqual(await job.cancel({ mode: 'terminate' }), 'ended')
    await assert.rejects(job.result(TIMEOUT), { code: 'MILLRACE_JOB_CANCELLED' })
    assert.equal((await cancelled).id, job.id)
    assert.deepEqual(await beside.result(TIMEOUT), { value: 1 })
  })
})

describe('cancel of an attempt on a lane that is terminated', () => {
  const kinds = { 'the loop of the service': 0, 'threads of its own': 1 }
  for (const [where, threads] of Object.entries(kinds)) {
    it(`gives it up at once, on ${where}`, async (test) => {
      const runtime = await startRuntime(test, { lanes: { network: { threads, concurrency: 10 } } })
      const begun = nextEvent(runtime, 'job.progress', { timeoutMs: 20_000 })
      const job = await runtime.enqueue(laneHang, null, { softLimitMs: 60_000, hardLimitMs: 60_000 })
      await begun
      const cancelled = nextEvent(runtime, 'job.cancelled', { timeoutMs: 20_000 })
      await job.cancel({ mode: 'terminate' })
      await cancelled
    })
  }
})

describe('retry', () => {
  it('gives a dead job all its attempts again', async (test) => {
    const runtime = await startRuntime(test)
    const job = await runtime.enqueue(hang, { how: 'loop' })
    await assert.rejects(job.result(TIMEOUT), { code: 'MILLRACE_HARD_LIMIT' })
    await assert.rejects((await runtime.enqueue(parked, null)).retry(), {
      code: 'MILLRACE_WRONG_STATE',
      message: /got a job that is available, expected dead, .*; let it end first, or reschedule\(\) one that waits$/,
    })
    await job.retry()
    await assert.rejects(job.result(TIMEOUT), { code: 'MILLRACE_HARD_LIMIT' })
    const { claim, attempts, history } = await job.record()
    assert.deepEqual([claim, attempts, history.length], [2, 1, 2])
  })

  it('is refused while another job has the key', async (test) => {
    const runtime = await startRuntime(test)
    const job = await runtime.enqueue(hang, { how: 'loop' }, { key: 'k' })
    await assert.rejects(job.result(TIMEOUT), { code: 'MILLRACE_HARD_LIMIT' })
    const second = await runtime.enqueue(hang, { how: 'loop' }, { key: 'k', delayMs: 60_000 })
    assert.equal(second.duplicate, false)
    const third = await runtime.enqueue(hang, { how: 'loop' }, { key: 'k' })
    assert.deepEqual([third.duplicate, third.id], [true, second.id])
    await assert.rejects(job.retry(), { code: 'MILLRACE_KEY_TAKEN' })
    await second.cancel()
    await job.retry()
    await assert.rejects(job.result(TIMEOUT), { code: 'MILLRACE_HARD_LIMIT' })
  })
})

describe('reschedule', () => {
  it('keeps the place of a job in the order where no time is said', async (test) => {
    const runtime = await startRuntime(test)
    const jobs = [await runtime.enqueue(parked, null), await runtime.enqueue(parked, null)]
    await jobs[0]?.reschedule({ input: 1 })
    const order = async () => (await runtime.jobs({ task: parked })).jobs.map(({ id }) => id)
    assert.deepEqual(
      await order(),
      jobs.map(({ id }) => id),
    )
    await jobs[1]?.reschedule({ priority: 9 })
    assert.deepEqual(await order(), jobs.map(({ id }) => id).reverse())
    await jobs[1]?.reschedule({ priority: 4 })
    assert.deepEqual(
      await order(),
      jobs.map(({ id }) => id),
    )
    await jobs[0]?.reschedule({ delayMs: 0 })
    assert.deepEqual(await order(), jobs.map(({ id }) => id).reverse())
  })

  it('runs a job now, later, or with another input', async (test) => {
    const runtime = await startRuntime(test)
    const job = await runtime.enqueue(echo, { value: 'old' }, { delayMs: 60_000 })
    await job.reschedule({ delayMs: 120_000, priority: 7 })
    const { dueAt, createdAt, priority, state } = await job.record()
    assert.deepEqual([state, priority], ['scheduled', 7])
    assert.ok((dueAt ?? 0) - createdAt >= 120_000)
    await job.reschedule({ input: { value: 'new' } })
    assert.equal((await job.record()).state, 'scheduled')
    await job.reschedule({ delayMs: 0 })
    assert.deepEqual(await job.result(TIMEOUT), { value: 'new' })
    await assert.rejects(job.reschedule({ delayMs: 0 }), {
      code: 'MILLRACE_JOB_NOT_FOUND',
      message: new RegExp(`cannot reschedule ${job.id}: it has no row; .*; enqueue another one$`),
    })
  })

  it('refuses what makes no sense, and changes nothing', async (test) => {
    const runtime = await startRuntime(test)
    const job = await runtime.enqueue(echo, { value: 1 }, { delayMs: 60_000 })
    const before = await job.record()
    await assert.rejects(job.reschedule({ priority: 12 }), { code: 'MILLRACE_INVALID_OPTION', path: 'priority' })
    await assert.rejects(job.reschedule({ delayMs: -5 }), { code: 'MILLRACE_INVALID_OPTION', path: 'delayMs' })
    await assert.rejects(job.reschedule({ delayMs: 5, runAt: 5 }), { code: 'MILLRACE_INVALID_OPTION' })
    await assert.rejects(job.reschedule({ delay: 5 } as never), { code: 'MILLRACE_UNKNOWN_OPTION' })
    await assert.rejects(job.reschedule({ input: new Date() }), { code: 'MILLRACE_OPAQUE_INPUT' })
    assert.deepEqual(await job.record(), before)
  })
})
