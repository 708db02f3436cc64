import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, describe, it, type TestContext } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { Job, Runtime } from '../../../runtime/index.ts'
import { Database } from '../../../runtime/index.ts'
import { echo, kept, laneEcho, laneHang, parked, traced } from '../../fixtures/tasks.ts'
import { leakCheck } from '../../helpers/leak-check.ts'
import { nextEvent } from '../../helpers/next-event.ts'
import { ledgerLines, ledgerOf, scratchFolder } from '../../helpers/scratch.ts'
import { startRuntime } from '../../helpers/start-runtime.ts'

leakCheck({ after }, { withinMs: 5_000 })

const TIMEOUT = { timeoutMs: 20_000 }
const LATER_MS = 600_000
const JOBS = 1_200
const MOST_JOBS = 20 * JOBS
const AT_ONCE = 200

type Value = { value: number | string }

/** Something that takes no time, a microtask, a turn of the loop, or a millisecond: whatever may lie between two calls. */
const PAUSES = [
  () => undefined,
  () => Promise.resolve(),
  turn,
  () => new Promise((resolve) => void setTimeout(resolve, 1)),
]

/** How a job has ended: its result, or the code of its error. */
function endOf(job: Job<Value>): Promise<Value | string> {
  return job.result(TIMEOUT).catch((error: { code: string }) => error.code)
}

async function cancelsAsItSays(job: Job<Value>): Promise<string> {
  const said = await job.cancel()
  const { state } = await job.record()
  if (said === 'cancelled') assert.equal(state, 'cancelled', 'it is durable when it is said')
  if (said === 'ended') assert.equal(state, 'succeeded')
  const end = await endOf(job)
  assert.equal(end === 'MILLRACE_JOB_CANCELLED', (await job.record()).state === 'cancelled')
  return said
}

async function reschedulesAsItSays(job: Job<Value>): Promise<string> {
  const said = await job.reschedule({ delayMs: LATER_MS }).then(
    () => 'rescheduled',
    (error: { code: string }) => error.code,
  )
  if (said !== 'rescheduled') assert.equal(typeof (await endOf(job)), 'object', said)
  else {
    assert.equal((await job.record()).state, 'scheduled')
    assert.equal(await job.cancel(), 'cancelled', 'so it has not run')
  }
  return said
}

async function takesItsInputAsItSays(job: Job<Value>): Promise<string> {
  const said = await job.reschedule({ delayMs: 0, input: { value: 'new' } }).then(
    () => 'rescheduled',
    (error: { code: string }) => error.code,
  )
  assert.equal(((await endOf(job)) as Value).value === 'new', said === 'rescheduled', said)
  return said
}

/** Changes jobs right after their enqueue, many at a time, so that they are in every place where a job can be. */
async function change(runtime: Runtime, task: typeof echo, how: (job: Job<Value>) => Promise<string>) {
  const said = new Map<string, number>()
  // A machine that is busy otherwise may not have come to run any before all are changed.
  for (let first = 0; first < JOBS || (said.size < 2 && first < MOST_JOBS); first += AT_ONCE) {
    await Promise.all(
      Array.from({ length: AT_ONCE }, async (_, at) => {
        const job = await runtime.enqueue(task, { value: first + at }, { keepResultMs: 60_000 })
        await PAUSES[at % PAUSES.length]?.()
        const answer = await how(job)
        said.set(answer, (said.get(answer) ?? 0) + 1)
      }),
    )
  }
  return said
}

describe('a change right after the enqueue', () => {
  const settings = {
    'on a tier': { task: echo, options: { tiers: { default: { threads: 1 }, small: { threads: 1 } } } },
    'on a lane': { task: laneEcho, options: { lanes: { network: { concurrency: 5, handJobs: 50 } } } },
  }
  for (const [where, { task, options }] of Object.entries(settings)) {
    for (const how of [cancelsAsItSays, reschedulesAsItSays, takesItsInputAsItSays]) {
      it(`does what it says: ${how.name}, ${where}`, async (test) => {
        const runtime = await startRuntime(test, options)
        const said = await change(runtime, task, how)
        test.diagnostic(JSON.stringify([...said]))
        assert.ok(said.size > 1, 'jobs were caught in more than one state')
      })
    }
  }

  it('aborts what had begun, and what was on its way does not begin', async (test) => {
    const runtime = await startRuntime(test, { tiers: { default: { threads: 2 }, small: { threads: 1 } } })
    const ledger = join(scratchFolder(), 'ledger')
    const jobs = await Promise.all(Array.from({ length: 300 }, () => runtime.enqueue(traced, { ledger, ms: LATER_MS })))
    const said = await Promise.all(jobs.map((job) => job.cancel()))
    for (const job of jobs) await assert.rejects(job.result(TIMEOUT), { code: 'MILLRACE_JOB_CANCELLED' })
    const begun = new Set(ledgerLines(ledger).map(([, id]) => id))
    jobs.forEach(({ id }, at) =>
      assert.ok(said[at] !== 'requested' || begun.has(id), 'what has not begun is cancelled'),
    )
  })
})

describe('a reschedule of jobs that stand in hands and slots', () => {
  const LIMITS = { softLimitMs: LATER_MS, hardLimitMs: LATER_MS }

  async function begun(runtime: Runtime): Promise<Job> {
    const progress = nextEvent(runtime, 'job.progress', TIMEOUT)
    const job = await runtime.enqueue(laneHang, null, LIMITS)
    await progress
    return job
  }

  function reschedule(job: Job): Promise<string> {
    return job.reschedule({ delayMs: LATER_MS }).then(
      () => 'rescheduled',
      (error: { code: string }) => error.code,
    )
  }

  for (const jobs of [3, 300]) {
    it(`is refused only for what has begun, and nothing else begins: ${jobs} on a tier`, async (test) => {
      const runtime = await startRuntime(test, { tiers: { default: { threads: 1 }, small: { threads: 1 } } })
      const ledger = join(scratchFolder(), 'ledger')
      const input = { ledger, ms: LATER_MS }
      const all = await Promise.all(Array.from({ length: jobs }, () => runtime.enqueue(traced, input, LIMITS)))
      const said = await Promise.all(all.map(reschedule))
      const refused = all.filter((_, at) => said[at] === 'MILLRACE_WRONG_STATE').map(({ id }) => id)
      const lines = await ledgerOf(ledger, refused.length)
      assert.deepEqual(new Set(lines.map(([, id]) => id)), new Set(refused))
      assert.equal(said.filter((each) => each === 'rescheduled').length, jobs - refused.length)
      assert.equal(
        (await runtime.jobs({ state: 'scheduled' }, { limit: 200 })).jobs.length,
        Math.min(200, jobs - refused.length),
      )
    })
  }

  for (const [where, threads] of [
    ['in the slots of a lane on threads', 1],
    ['in the hand of a lane on the loop of the service', 0],
  ] as const) {
    it(`takes back what waits ${where}, and leaves what runs`, async (test) => {
      const runtime = await startRuntime(test, { lanes: { network: { threads, concurrency: 2 } } })
      const running = [await begun(runtime), await begun(runtime)]
      const behind = await runtime.enqueue(laneHang, null, LIMITS)
      const [{ reason }, { state }] = await Promise.all([runtime.explain(behind.id), behind.record()])
      assert.deepEqual([reason.type, state], [threads === 1 ? 'offered' : 'in-hand', 'running'])
      assert.deepEqual(await Promise.all(running.map(reschedule)), ['MILLRACE_WRONG_STATE', 'MILLRACE_WRONG_STATE'])
      await behind.reschedule({ delayMs: LATER_MS, priority: 7 })
      const record = await behind.record()
      assert.deepEqual([record.state, record.attempts, record.priority], ['scheduled', 0, 7])
      const again = nextEvent(runtime, 'job.progress', TIMEOUT)
      await Promise.all(running.map((job) => job.cancel({ mode: 'terminate' })))
      await behind.reschedule({ delayMs: 0 })
      assert.equal((await again).id, behind.id, 'it runs once there is room')
    })
  }
})

describe('who waits for a result', () => {
  async function waiting(test: TestContext) {
    const runtime = await startRuntime(test)
    const job = await runtime.enqueue(kept, { value: 1 }, { delayMs: LATER_MS })
    const end = (code: string) => assert.rejects(job.result(TIMEOUT), { code })
    return { runtime, job, end }
  }

  it('hears of a cancel among many, and so do listeners', async (test) => {
    const { runtime, job, end } = await waiting(test)
    const heard = nextEvent(runtime, 'job.cancelled')
    const ended = end('MILLRACE_JOB_CANCELLED')
    assert.equal(await runtime.cancelMany({ task: kept }), 1)
    await ended
    assert.deepEqual(await heard, { id: job.id, task: 'kept' })
    await end('MILLRACE_JOB_CANCELLED')
  })

  it('waits for the next end of a job that is retried among many', async (test) => {
    const { runtime, job, end } = await waiting(test)
    await job.cancel()
    await end('MILLRACE_JOB_CANCELLED')
    assert.equal(await runtime.retryMany({ state: 'cancelled' }), 1)
    assert.equal(await job.result(TIMEOUT), 1)
  })

  for (const how of ['purge', 'remove'] as const) {
    it(`hears of a ${how}`, async (test) => {
      const { runtime, job, end } = await waiting(test)
      const ended = end('MILLRACE_RESULT_NOT_KEPT')
      if (how === 'purge') assert.equal(await runtime.purge({ task: kept }), 1)
      else await job.remove()
      await ended
      await end('MILLRACE_RESULT_NOT_KEPT')
    })
  }
})

describe('the handle of a job from a transaction', () => {
  async function withDatabase(test: TestContext) {
    const file = join(scratchFolder(), 'jobs.db')
    const runtime = await startRuntime(test, { journal: { file } })
    const db = new Database(file)
    test.after(() => db.close())
    return { runtime, enqueue: (key?: string) => enqueueIn(runtime, db, key) }
  }

  function enqueueIn(runtime: Runtime, db: Database, key: string | undefined) {
    return runtime.transaction(db, (transaction) => transaction.enqueue(parked, null, key === undefined ? {} : { key }))
  }

  it('knows it at once, although the owner has not taken it over yet', async (test) => {
    const { enqueue } = await withDatabase(test)
    for (let round = 0; round < 20; round++) {
      assert.equal((await enqueue().record()).state, 'available')
      const later = enqueue()
      await later.reschedule({ delayMs: LATER_MS })
      assert.equal((await later.record()).state, 'scheduled')
      const gone = enqueue()
      await gone.remove()
      await assert.rejects(gone.record(), { code: 'MILLRACE_JOB_NOT_FOUND' })
      assert.equal(await enqueue().cancel(), 'cancelled')
      await assert.rejects(enqueue().retry(), { code: 'MILLRACE_WRONG_STATE' })
    }
  })

  it('follows the first job if its own was a duplicate', async (test) => {
    const { runtime, enqueue } = await withDatabase(test)
    const first = await runtime.enqueue(parked, null, { key: 'k' })
    const second = enqueue('k')
    assert.equal(await second.cancel(), 'cancelled')
    assert.equal((await first.record()).state, 'cancelled')
    await second.retry()
    assert.equal((await first.record()).state, 'available')
  })
})
