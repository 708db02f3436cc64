import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { defineTask, discard, snooze } from '../../../lib/task.ts'
import { Database, type Explanation, type Job, type Reason, type Runtime } from '../../../runtime/index.ts'
import { testRuntime } from '../../../runtime/testing/index.ts'
import { onThreads } from '../../fixtures/conduct-tasks.ts'
import { bounded } from '../../fixtures/limited-tasks.ts'
import { echo, flaky, kept, parked, stubborn } from '../../fixtures/tasks.ts'
import { nextEvent } from '../../helpers/next-event.ts'
import { scratchFolder } from '../../helpers/scratch.ts'
import { startRuntime } from '../../helpers/start-runtime.ts'
import { until } from '../../helpers/until.ts'

const ONE_THREAD = { tiers: { default: { threads: 1, handJobs: 0 }, small: { threads: 1 } } }
const fixtures = (name: string) => new URL(`../../fixtures/${name}.js`, import.meta.url)

function reasonAs<Type extends Reason['type']>({ reason, text }: Explanation, type: Type) {
  assert.equal(reason.type, type, text)
  return reason as Extract<Reason, { type: Type }>
}

/** Keeps the only thread of the tier busy, in a way that it answers. */
async function occupy(runtime: Runtime, ms = 60_000): Promise<string> {
  const job = await runtime.enqueue(stubborn, { ledger: '/dev/null', ms })
  await untilIt(runtime, job.id, 'running')
  return job.id
}

function untilIt(runtime: Runtime, id: string, type: Reason['type']): Promise<Explanation> {
  return until(
    `${id} is ${type}`,
    () => runtime.explain(id),
    ({ reason }) => reason.type === type,
  )
}

describe('explain', () => {
  it('says of a job without a row that it succeeded or never was, and of another journal nothing', async (test) => {
    const runtime = await startRuntime(test)
    const job = await runtime.enqueue(echo, { value: 1 })
    await job.result()
    const explanation = await untilIt(runtime, job.id, 'not-found')
    assert.deepEqual([explanation.task, explanation.state], [undefined, undefined])
    assert.match(explanation.text, /either it succeeded and its task keeps nothing, or it was never enqueued/)
    await assert.rejects(runtime.explain('aaaaaa-1'), { code: 'MILLRACE_JOB_NOT_FOUND' })
  })

  it('says how a job ended, and when', async (test) => {
    const runtime = await startRuntime(test)
    const before = Date.now()
    const failed = await runtime.enqueue(flaky, { failures: 9 }, { retry: { attempts: 1 } })
    await assert.rejects(failed.result())
    const dead = await runtime.explain(failed.id)
    const { state, endedAt, attempts, error } = reasonAs(dead, 'ended')
    assert.deepEqual([state, attempts, error?.message], ['dead', 1, 'attempt 1'])
    assert.ok(endedAt >= before && endedAt <= Date.now())
    assert.match(dead.text, /it ended as dead at \d{4}-.*Z after 1 attempt: attempt 1/)
    const done = await runtime.enqueue(kept, { value: 1 })
    await done.result()
    assert.equal(reasonAs(await runtime.explain(done.id), 'ended').state, 'succeeded')
  })

  it('says until when a job is delayed, or waits for its next attempt after which error', async (test) => {
    const runtime = await startRuntime(test)
    const delayed = await runtime.enqueue(echo, { value: 1 }, { delayMs: 60_000 })
    const delay = reasonAs(await runtime.explain(delayed.id), 'delayed')
    assert.ok(Math.abs(delay.dueAt - Date.now() - 60_000) < 10_000)
    const retrying = nextEvent(runtime, 'job.retrying')
    const again = { attempts: 3, backoff: { type: 'fixed', delayMs: 60_000 } } as const
    const failed = await runtime.enqueue(flaky, { failures: 9 }, { retry: again })
    const { nextAt } = await retrying
    const explanation = await runtime.explain(failed.id)
    const { dueAt, attempts, error } = reasonAs(explanation, 'retry')
    assert.deepEqual([Math.round(dueAt), attempts, error?.code], [Math.round(nextAt), 1, 'E_FLAKY'])
    assert.match(explanation.text, /next attempt is due at .*Z after 1 attempt: attempt 1/)
  })

  it('says until when a handler wants to come back', async () => {
    const sleeper = defineTask({ name: 'sleeper', run: (_input: null) => snooze(60_000) })
    await using runtime = await testRuntime({ tasks: [sleeper] })
    const job = await runtime.enqueue(sleeper, null)
    await runtime.drain()
    const explanation = await runtime.explain(job.id)
    assert.deepEqual(reasonAs(explanation, 'snoozed'), { type: 'snoozed', dueAt: runtime.now + 60_000 })
    assert.match(explanation.text, /asked to come back at 2000-01-01T00:01:00/)
  })

  it('names a task that no module handles', async (test) => {
    const runtime = await startRuntime(test)
    const job = await runtime.enqueue(parked, null)
    const explanation = await runtime.explain(job.id)
    assert.deepEqual(reasonAs(explanation, 'unknown-task'), { type: 'unknown-task', task: 'parked' })
    assert.equal(explanation.state, 'available')
  })

  it('says that its task is paused, or which limit it waits for', async (test) => {
    const runtime = await startRuntime(test, {
      ...ONE_THREAD,
      tasks: fixtures('limited-tasks'),
      lanes: { network: {}, threads: { threads: 1 } },
    })
    const jobs = [1, 2, 3].map(() => runtime.enqueue(bounded, { ledger: '/dev/null', account: 'a', ms: 60_000 }))
    const [first, second] = (await Promise.all(jobs)) as [Job<void>, Job<void>, Job<void>]
    await untilIt(runtime, first.id, 'running')
    const waits = await untilIt(runtime, second.id, 'concurrency')
    assert.deepEqual(waits.reason, { type: 'concurrency', of: 'task', key: undefined, used: 1, limit: 1 })
    assert.equal(waits.text, '1 of its task run, and 1 may at once')
    await runtime.pause({ task: bounded })
    assert.deepEqual((await runtime.explain(second.id)).reason, { type: 'task-paused', task: 'bounded' })
    await runtime.pause({ place: 'default' })
    assert.deepEqual((await runtime.explain(second.id)).reason, { type: 'place-paused', place: 'default' })
    assert.deepEqual((await runtime.places())[0]?.status, { type: 'paused' })
  })

  it('says behind how many a job waits, and counts no further than 10,000', async (test) => {
    const runtime = await startRuntime(test, ONE_THREAD)
    await occupy(runtime)
    await runtime.enqueueMany(
      echo,
      Array.from({ length: 300 }, (_, value) => ({ value })),
    )
    const few = await runtime.enqueue(echo, { value: 'few' })
    const first = await untilIt(runtime, few.id, 'behind')
    const { ahead, inHand, running } = reasonAs(first, 'behind')
    // What the thread has slots for goes in and out of the hand.
    assert.equal(ahead.counted, 'all')
    assert.ok(ahead.jobs + inHand >= 150 && ahead.jobs + inHand <= 300 && running === 1, first.text)
    const urgent = await runtime.enqueue(echo, { value: 'urgent' }, { priority: 9 })
    const urgently = await runtime.explain(urgent.id)
    if (urgently.reason.type === 'behind') assert.equal(urgently.reason.ahead.jobs, 0)
    await runtime.enqueueMany(
      echo,
      Array.from({ length: 12_000 }, (_, value) => ({ value })),
    )
    const many = await runtime.enqueue(echo, { value: 'many' })
    const last = await runtime.explain(many.id)
    assert.deepEqual(reasonAs(last, 'behind').ahead, { jobs: 10_000, counted: 'at-least' })
    assert.match(last.text, /waits for default, behind more than 10000 jobs in the journal/)
  })

  it('says that a place has a job in hand, behind how many', async (test) => {
    const runtime = await startRuntime(test, { tiers: { default: { threads: 1 }, small: { threads: 1 } } })
    await occupy(runtime)
    const ids: string[] = []
    for (let value = 0; value < 5; value++) ids.push((await runtime.enqueue(echo, { value })).id)
    const { place, ahead } = reasonAs(await untilIt(runtime, ids[3] as string, 'in-hand'), 'in-hand')
    assert.deepEqual([place, ahead], ['default', 3])
  })

  it('says behind whom a job was handed to a thread that does not answer', async (test) => {
    const runtime = await startRuntime(test, {
      tasks: fixtures('conduct-tasks'),
      tiers: { default: { threads: 1 } },
      lanes: { threads: { threads: 1, concurrency: 10 }, loop: {} },
    })
    const spinning = await runtime.enqueue(onThreads, { conduct: 'loop', ms: 3_000 })
    await untilIt(runtime, spinning.id, 'running')
    const job = await runtime.enqueue(onThreads, { conduct: 'await a timer', ms: 1 })
    const explanation = await until(
      'the thread is known to spin',
      () => runtime.explain(job.id),
      ({ reason }) => reason.type !== 'offered' || reason.verdict === 'spinning',
    )
    const { behind, verdict, thread } = reasonAs(explanation, 'offered')
    assert.deepEqual([behind?.id, behind?.task, verdict, thread], [spinning.id, 'conduct.threads', 'spinning', 0])
    assert.match(explanation.text, /behind .* of conduct\.threads, which has run for \d+ ms \(spinning\)/)
    await job.result()
  })

  it('says that a running job is wanted to end', async (test) => {
    const runtime = await startRuntime(test, ONE_THREAD)
    const id = await occupy(runtime, 3_000)
    assert.equal(await runtime.job(id).cancel(), 'requested')
    const explanation = await runtime.explain(id)
    const { runningMs, place, thread } = reasonAs(explanation, 'cancel-requested')
    assert.deepEqual([place, thread, runningMs >= 0], ['default', 0, true])
    assert.match(explanation.text, /somebody wants it cancelled; it has run for \d+ ms/)
  })

  it('says that the runtime stops', async (test) => {
    const runtime = await startRuntime(test, ONE_THREAD)
    await occupy(runtime, 1_500)
    const job = await runtime.enqueue(echo, { value: 1 })
    const stopped = runtime.stop({ graceMs: 3_000 })
    reasonAs(await untilIt(runtime, job.id, 'draining'), 'draining')
    await stopped
  })

  it('says that a suspect waits for its trial', async (test) => {
    const file = join(scratchFolder(), 'jobs.db')
    const before = await startRuntime(test, { ...ONE_THREAD, journal: { file } })
    await occupy(before)
    const job = await before.enqueue(echo, { value: 1 })
    await before.stop({ graceMs: 0 })
    const db = new Database(file)
    db.prepare('UPDATE millrace_jobs SET crashes = 3, rank = rank + 16 WHERE state = 1').run()
    db.close()
    const runtime = await startRuntime(test, { ...ONE_THREAD, journal: { file } })
    const explanation = await runtime.explain(job.id)
    assert.equal(reasonAs(explanation, 'suspect').crashes, 3)
    assert.match(explanation.text, /3 deaths of the service/)
  })

  it('says with which error the last attempt of a job had failed that has expired', async () => {
    const down = defineTask({
      name: 'down',
      retry: { backoff: { type: 'fixed', delayMs: 60_000 } },
      run(_input: null) {
        throw new Error('no luck')
      },
    })
    await using runtime = await testRuntime({ tasks: [down] })
    const job = await runtime.enqueue(down, null, { expiresAt: runtime.now + 2_000 })
    await runtime.advance(2_000)
    const explanation = await runtime.explain(job.id)
    const { state, attempts, error } = reasonAs(explanation, 'ended')
    assert.deepEqual([state, attempts, error?.message], ['expired', 1, 'no luck'])
    assert.match(explanation.text, /ended as expired at .*Z after 1 attempt, and its last attempt had failed: no luck$/)
  })

  it('says why a job was discarded, and of one that was cancelled later nothing of that', async () => {
    const drop = defineTask({ name: 'drop', run: (_input: null) => discard('the photo is gone') })
    await using runtime = await testRuntime({ tasks: [drop] })
    const job = await runtime.enqueue(drop, null)
    await runtime.drain()
    assert.equal(reasonAs(await runtime.explain(job.id), 'ended').why, 'the photo is gone')
    await job.retry()
    await job.cancel()
    const { state, why } = reasonAs(await runtime.explain(job.id), 'ended')
    assert.deepEqual([state, why], ['cancelled', undefined])
  })

  it('says that a place is paused', async () => {
    const work = defineTask({ name: 'work', run(_input: null) {} })
    await using runtime = await testRuntime({ tasks: [work] })
    const job = await runtime.enqueue(work, null)
    assert.deepEqual(reasonAs(await runtime.explain(job.id), 'place-paused'), {
      type: 'place-paused',
      place: 'default',
    })
    const [place] = await runtime.places()
    assert.deepEqual([place?.status, place?.waiting], [{ type: 'paused' }, 1])
  })
})
