import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createRuntime } from '../../runtime/index.ts'
import {
  atOnce,
  choosy,
  echo,
  flaky,
  kept,
  laneEcho,
  parent,
  parked,
  returning,
  teller,
  whereabouts,
} from '../fixtures/tasks.ts'
import { nextEvent } from '../helpers/next-event.ts'
import { fixtureTasks, startRuntime } from '../helpers/start-runtime.ts'

const TIMEOUT = { timeoutMs: 20_000 }

describe('a job', () => {
  it('runs on a thread of its tier, or on the loop of its lane, and gives its result', async (test) => {
    const runtime = await startRuntime(test)
    const job = await runtime.enqueue(echo, { value: 'ünï\u{1f600}' })
    assert.deepEqual(await job.result(TIMEOUT), { value: 'ünï\u{1f600}' })
    assert.deepEqual(await (await runtime.enqueue(laneEcho, { value: 2 })).result(TIMEOUT), { value: 2 })
    const { threadId } = await (await runtime.enqueue(whereabouts, null)).result(TIMEOUT)
    assert.notEqual(threadId, 0)
  })

  it('is retried with its backoff, and its errors are kept', async (test) => {
    const runtime = await startRuntime(test)
    const retrying = nextEvent(runtime, 'job.retrying')
    const job = await runtime.enqueue(flaky, { failures: 2 })
    assert.equal(await job.result(TIMEOUT), 3)
    assert.equal((await retrying).error.message, 'attempt 1')
    const dead = await runtime.enqueue(flaky, { failures: 9 })
    await assert.rejects(dead.result(TIMEOUT), (error: { code: string; cause: { code: string; message: string } }) => {
      assert.deepEqual(
        [error.code, error.cause.code, error.cause.message],
        ['MILLRACE_JOB_FAILED', 'E_FLAKY', 'attempt 3'],
      )
      return true
    })
    const { history, attempts, state } = await dead.record()
    assert.deepEqual(
      [state, attempts, history.map(({ error }) => error?.message)],
      ['dead', 3, ['attempt 1', 'attempt 2', 'attempt 3']],
    )
    const once = await runtime.enqueue(flaky, { failures: 1 }, { retry: { attempts: 1 } })
    await assert.rejects(once.result(TIMEOUT), { code: 'MILLRACE_JOB_FAILED' })
  })

  it('is not retried when its error rules that out', async (test) => {
    const runtime = await startRuntime(test)
    for (const error of ['final', 'fatal', 'permanent'] as const) {
      const job = await runtime.enqueue(choosy, { error })
      await assert.rejects(job.result(TIMEOUT), { code: 'MILLRACE_JOB_FAILED' })
      assert.equal((await job.record()).attempts, 1, error)
    }
  })

  it('comes back after a snooze uncharged, and ends with a discard', async (test) => {
    const runtime = await startRuntime(test, { tiers: { default: { threads: 1 }, small: { threads: 1 } } })
    assert.equal(await (await runtime.enqueue(returning, { what: 'snooze' })).result(TIMEOUT), 1)
    const discarded = await runtime.enqueue(returning, { what: 'discard' })
    await assert.rejects(discarded.result(TIMEOUT), /not wanted any more/)
    assert.equal((await discarded.record()).state, 'discarded')
  })

  it('brings its children with its success, and none with any other end', async (test) => {
    const runtime = await startRuntime(test)
    let children = 0
    runtime.on('job.succeeded', ({ task }) => {
      if (task === 'echo') children++
    })
    await (await runtime.enqueue(parent, { children: 25, end: 'success' })).result(TIMEOUT)
    for (const end of ['failure', 'discard'] as const) {
      await assert.rejects((await runtime.enqueue(parent, { children: 25, end })).result(TIMEOUT))
    }
    await runtime.idle()
    assert.equal(children, 25)
    await assert.rejects((await runtime.enqueue(atOnce, null)).result(TIMEOUT))
    await runtime.idle()
    assert.equal(children, 26, 'a child with { now: true } stays')
  })

  it('brings as many children as one commit may have, without waiting between them', {
    timeout: 60_000,
  }, async (test) => {
    const runtime = await startRuntime(test)
    let children = 0
    runtime.on('job.succeeded', ({ task }) => {
      if (task === 'echo') children++
    })
    const once = { timeoutMs: 30_000 }
    await (await runtime.enqueue(parent, { children: 10_000, end: 'success' })).result(once)
    const tooMany = await runtime.enqueue(parent, { children: 10_001, end: 'success' })
    await assert.rejects(tooMany.result(once), { code: 'MILLRACE_TOO_MANY_CHILDREN' })
    await runtime.idle()
    assert.equal(children, 10_000)
  })

  it('tells its progress, keeps its lines, and knows its metadata', async (test) => {
    const runtime = await startRuntime(test)
    const progress = nextEvent(runtime, 'job.progress')
    const job = await runtime.enqueue(teller, null, { metadata: { user: 'ada' } })
    assert.equal(await job.result(TIMEOUT), 'told')
    assert.deepEqual((await progress).value, { done: 0.5 })
    const { history, state, metadata } = await job.record()
    assert.deepEqual([state, metadata], ['succeeded', { user: 'ada' }])
    const lines = history[0]?.log?.map(({ level, message, fields }) => [level, message, fields])
    assert.deepEqual(lines, [
      ['info', 'begun', { user: 'ada' }],
      ['warn', 'nearly', undefined],
    ])
  })

  it('of an unknown task waits, is counted, and fails nobody', async (test) => {
    const runtime = await startRuntime(test)
    const unknown = nextEvent(runtime, 'task.unknown')
    const job = await runtime.enqueue(parked, null)
    assert.deepEqual(await unknown, { task: 'parked' })
    await runtime.idle()
    const { state, place } = await job.record()
    assert.deepEqual([state, place], ['available', undefined])
    const summary = (await runtime.tasks()).find(({ task }) => task === 'parked')
    assert.deepEqual(summary, { task: 'parked', place: undefined, jobs: { available: 1 } })
    assert.equal(await job.cancel(), 'cancelled')
  })

  it('keeps a result for later where its task says so, and says so where it does not', async (test) => {
    const runtime = await startRuntime(test)
    const job = await runtime.enqueue(kept, { value: 7 })
    await job.result(TIMEOUT)
    const { state, output } = await job.record()
    assert.deepEqual([state, output], ['succeeded', 7])
    const gone = await runtime.enqueue(echo, { value: 1 })
    await gone.result(TIMEOUT)
    await assert.rejects(gone.record(), { code: 'MILLRACE_JOB_NOT_FOUND' })
    await assert.rejects(runtime.job(`${job.id.slice(0, 7)}zzzz`).record(), { code: 'MILLRACE_JOB_NOT_FOUND' })
    assert.throws(() => runtime.job('nonsense'), { code: 'MILLRACE_JOB_NOT_FOUND', path: 'id' })
    await assert.rejects((await runtime.enqueue(parked, null)).result({ timeoutMs: 20 }), {
      code: 'MILLRACE_RESULT_TIMEOUT',
      message: /has not ended within 20 ms; it goes on/,
    })
  })

  it('is not there in time, and the error says how the last attempt has failed', async (test) => {
    const runtime = await startRuntime(test)
    const retrying = nextEvent(runtime, 'job.retrying', { timeoutMs: 20_000 })
    const again = { attempts: 3, backoff: { type: 'fixed', delayMs: 60_000 } } as const
    const job = await runtime.enqueue(flaky, { failures: 9 }, { retry: again })
    await retrying
    await assert.rejects(job.result({ timeoutMs: 20 }), (error: Error & { code: string }) => {
      assert.equal(error.code, 'MILLRACE_RESULT_TIMEOUT')
      assert.match(error.message, /within 20 ms, and its last attempt has failed: attempt 1; it goes on/)
      assert.equal((error.cause as Error).message, 'attempt 1')
      return true
    })
  })
})

describe('enqueueMany', () => {
  it('takes any iterable, and counts what is a duplicate', async (test) => {
    const runtime = await startRuntime(test)
    let succeeded = 0
    runtime.on('job.succeeded', () => succeeded++)
    const inputs = Array.from({ length: 2_500 }, (_, value) => ({ value }))
    assert.deepEqual(await runtime.enqueueMany(echo, inputs), { enqueued: 2_500, duplicates: 0 })
    async function* later() {
      for (let value = 0; value < 100; value++) yield { value }
    }
    assert.deepEqual(await runtime.enqueueMany(echo, later()), { enqueued: 100, duplicates: 0 })
    const keyed = await runtime.enqueueMany(parked, [null, null, null], (_input, index) => ({ key: `k${index % 2}` }))
    assert.deepEqual(keyed, { enqueued: 2, duplicates: 1 })
    await runtime.idle()
    assert.equal(succeeded, 2_600)
  })

  it('stops at what it cannot take, and says how far it came', async (test) => {
    const runtime = await startRuntime(test)
    const inputs = [{ value: 1 }, { value: 2 }, { value: () => 3 }, { value: 4 }] as never[]
    await assert.rejects(
      runtime.enqueueMany(echo, inputs),
      (error: { code: string; details: unknown; cause: { path: string } }) => {
        assert.deepEqual(
          [error.code, error.details, error.cause.path],
          ['MILLRACE_ENQUEUE_MANY', { enqueued: 2, duplicates: 0, index: 2, refused: [], next: 2 }, 'input.value'],
        )
        return true
      },
    )
    function* failing() {
      yield { value: 1 }
      throw new Error('the source broke')
    }
    await assert.rejects(runtime.enqueueMany(echo, failing()), { code: 'MILLRACE_ENQUEUE_MANY' })
  })
})

describe('createRuntime', () => {
  it('refuses what it cannot use, with the path and the way out', async () => {
    const journal = { file: ':memory:' }
    const refusals: [object, string, string][] = [
      [{ journal }, 'MILLRACE_INVALID_OPTION', 'tasks'],
      [{ tasks: fixtureTasks, journal: {} }, 'MILLRACE_INVALID_OPTION', 'journal.file'],
      [{ tasks: fixtureTasks, journal, teirs: {} }, 'MILLRACE_UNKNOWN_OPTION', 'teirs'],
      [
        { tasks: fixtureTasks, journal, tiers: { default: { threads: 0 } } },
        'MILLRACE_INVALID_OPTION',
        'tiers.default.threads',
      ],
      [{ tasks: fixtureTasks, journal, lanes: { default: {} } }, 'MILLRACE_INVALID_OPTION', 'lanes.default'],
    ]
    for (const [options, code, path] of refusals) {
      await assert.rejects(createRuntime(options as never), { code, path }, path)
    }
    const missing = new URL('./no-such-module.js', import.meta.url)
    await assert.rejects(createRuntime({ tasks: missing, journal }), { code: 'MILLRACE_TASKS_MODULE' })
  })

  for (const [group, name, parts] of [
    ['journal', '', ['maxResults', 'keepEndedMs', 'maxEnded', 'durability']],
    ['tiers', 'default.', ['threads', 'processes', 'handJobs', 'maxZombies', 'maxHeapMb', 'recycle', 'retryShare']],
    ['lanes', 'network.', ['threads', 'concurrency', 'handJobs', 'retryShare', 'limits', 'maxWaiting']],
    ['watchdog', '', ['blockedMs', 'atHardLimit']],
  ] as const) {
    it(`refuses null in ${group}, and does not take it for left out`, async () => {
      for (const part of parts) {
        const given = group === 'journal' ? { file: ':memory:', [part]: null } : { [part]: null }
        const options = { [group]: name === '' ? given : { [name.slice(0, -1)]: given } }
        const path = `${group}.${name}${part}`
        await assert.rejects(
          createRuntime({ tasks: fixtureTasks, journal: { file: ':memory:' }, ...options } as never),
          { code: 'MILLRACE_INVALID_OPTION', path },
          path,
        )
      }
    })
  }

  it('names the place that a task wants and nobody offers', async () => {
    const promise = createRuntime({
      tasks: fixtureTasks,
      journal: { file: ':memory:' },
      tiers: { default: { threads: 1 } },
    })
    await assert.rejects(promise, { code: 'MILLRACE_UNKNOWN_PLACE' })
  })
})
