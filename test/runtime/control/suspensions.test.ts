import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { discard, PermanentError, snooze } from '../../../runtime/index.ts'
import { EventEmitter } from 'eventemitter3'
import { breakerPolicy } from '../../../lib/breaker.ts'
import { ManualClock } from '../../../lib/manual-clock.ts'
import { defineTask } from '../../../lib/task.ts'
import { Suspensions } from '../../../runtime/control/suspensions.ts'
import { createEmit } from '../../../runtime/emit.ts'
import type { Ended } from '../../../runtime/messages.ts'
import { claimOf } from '../../helpers/claims.ts'
import type { TestRuntime } from '../../../runtime/testing/test-runtime.ts'
import { testRuntime } from '../../../runtime/testing/index.ts'
import { needy } from '../../fixtures/fragile-dependency-tasks.ts'
import { nextEvent } from '../../helpers/next-event.ts'
import { scratchFolder } from '../../helpers/scratch.ts'
import { startRuntime } from '../../helpers/start-runtime.ts'
import { until } from '../../helpers/until.ts'

type Way = 'works' | 'fails' | 'fails for good' | 'is declined' | 'snoozes' | 'discards'

/** A task that does as it is told, and how often it ran. */
function told(limits: object = {}) {
  const state = { way: 'fails' as Way, runs: 0 }
  const task = defineTask({
    name: 'told',
    breaker: { of: 4, pauseMs: 1_000, maxPauseMs: 4_000 },
    retry: { attempts: 1 },
    ...limits,
    run: (_input: { n: number }) => {
      state.runs++
      if (state.way === 'fails') throw new Error('it is down')
      if (state.way === 'fails for good') throw new PermanentError('never')
      if (state.way === 'is declined') throw Object.assign(new Error('no'), { code: 'DECLINED' })
      if (state.way === 'snoozes') return snooze(3_600_000)
      return state.way === 'discards' ? discard('no use') : undefined
    },
  })
  return { state, task }
}

async function suspended(limits: object = {}) {
  const { state, task } = told(limits)
  const runtime = await testRuntime({ tasks: [task] })
  await runJobs(runtime, task, 4)
  state.runs = 0
  return { state, task, runtime }
}

async function runJobs(runtime: TestRuntime, task: ReturnType<typeof told>['task'], jobs: number) {
  const handles = []
  for (let n = 0; n < jobs; n++) handles.push(await runtime.enqueue(task, { n }))
  await runtime.drain()
  return handles
}

describe('a task whose attempts keep failing', () => {
  it('is not suspended for what its retry policy gives up on, the job’s own as well', async () => {
    const own = { retry: { attempts: 3, giveUpOn: ['DECLINED'] } }
    const { task, state } = told(own)
    const other = told({ name: 'other' })
    const runtime = await testRuntime({ tasks: [task, other.task] })
    state.way = other.state.way = 'is declined'
    await runJobs(runtime, task, 8)
    for (let n = 0; n < 8; n++) await runtime.enqueue(other.task, { n }, own)
    await runtime.drain()
    assert.deepEqual([state.runs, other.state.runs], [8, 8])
    assert.deepEqual(
      (await runtime.tasks()).filter(({ suspended }) => suspended !== undefined),
      [],
    )
    await runJobs(runtime, other.task, 4)
    await runJobs(runtime, other.task, 1)
    assert.equal(other.state.runs, 12, 'where the policy does not say so it is suspended')
  })

  it('is suspended: its jobs wait uncharged, and everybody is told why', async () => {
    const { task, state } = told()
    const runtime = await testRuntime({ tasks: [task] })
    const event = nextEvent(runtime, 'task.suspended')
    await runJobs(runtime, task, 4)
    const { error, ...rest } = await event
    assert.deepEqual(rest, { task: 'told', untilAt: runtime.now + 1_000, failed: 4, all: 4 })
    assert.equal(error.message, 'it is down')
    const jobs = await runJobs(runtime, task, 3)
    assert.equal(state.runs, 4)
    for (const job of jobs) {
      const { state: where, attempts } = await job.record()
      assert.deepEqual([where, attempts], ['available', 0])
    }
    const summary = (await runtime.tasks()).find((each) => each.task === 'told')
    assert.deepEqual([summary?.suspended?.untilAt, summary?.suspended?.failed], [runtime.now + 1_000, 4])
    assert.deepEqual(
      (await runtime.places()).flatMap((place) => place.suspended),
      ['told'],
    )
    await runtime.stop()
  })

  it('is tried with one job after its pause, ever more rarely, and goes on when that succeeds', async () => {
    const { runtime, task, state } = await suspended()
    await runJobs(runtime, task, 5)
    await runtime.advance(999)
    assert.equal(state.runs, 0)
    await runtime.advance(1)
    assert.equal(state.runs, 1, 'one is tried')
    await runtime.advance(1_999)
    assert.equal(state.runs, 1)
    await runtime.advance(1)
    assert.equal(state.runs, 2, 'the next one, after twice the time')
    state.way = 'works'
    const resumed = nextEvent(runtime, 'task.resumed')
    await runtime.advance(4_000)
    await runtime.drain()
    assert.equal(state.runs, 5, 'all')
    assert.deepEqual(await resumed, { task: 'told' })
    assert.equal((await runtime.tasks()).find((each) => each.task === 'told')?.suspended, undefined)
    await runtime.stop()
  })

  it('is tried with the next job that comes, where none waits', async () => {
    const { runtime, task, state } = await suspended()
    await runtime.advance(5_000)
    await runJobs(runtime, task, 2)
    state.way = 'works'
    await runtime.advance(200)
    await runtime.drain()
    assert.equal(state.runs, 2)
    await runtime.stop()
  })

  it('is tried with another job where the first one says nothing', async () => {
    const { runtime, task, state } = await suspended()
    await runJobs(runtime, task, 3)
    state.way = 'fails for good'
    await runtime.advance(1_000)
    assert.equal(state.runs, 1)
    state.way = 'works'
    await runtime.advance(200)
    await runtime.drain()
    assert.equal(state.runs, 3)
    await runtime.stop()
  })

  it('is not tried while somebody has paused it', async () => {
    const { runtime, task, state } = await suspended()
    await runJobs(runtime, task, 1)
    await runtime.pause({ task: 'told' })
    await runtime.advance(3_000)
    assert.equal(state.runs, 0)
    state.way = 'works'
    await runtime.resume({ task: 'told' })
    await runtime.advance(200)
    assert.equal(state.runs, 1)
    await runtime.stop()
  })

  it('is tried within its limits', async () => {
    const { runtime, task, state } = await suspended({
      concurrency: { limit: 1, by: ({ n }: { n: number }) => n % 2 },
      fair: { by: ({ n }: { n: number }) => n },
    })
    await runJobs(runtime, task, 6)
    await runtime.advance(1_000)
    assert.equal(state.runs, 1)
    state.way = 'works'
    await runtime.advance(2_000)
    await runtime.drain()
    assert.equal(state.runs, 7 - 1)
    await runtime.stop()
  })

  it('is not kept suspended over a restart', async () => {
    const { runtime, task, state } = await suspended()
    await runJobs(runtime, task, 1)
    assert.equal(state.runs, 0)
    await runtime.reboot()
    await runtime.drain()
    assert.equal(state.runs, 1)
    await runtime.stop()
  })

  for (const way of ['fails for good', 'snoozes', 'discards'] as const) {
    it(`is meant: one that ${way} is not`, async () => {
      const { task, state } = told()
      state.way = way
      const runtime = await testRuntime({ tasks: [task] })
      await runJobs(runtime, task, 20)
      await runJobs(runtime, task, 1)
      assert.equal(state.runs, 21)
      await runtime.stop()
    })
  }
})

describe('suspensions', () => {
  /** Of task 0, opened by its first failure and at the end of its first pause. */
  function probing() {
    const clock = new ManualClock(1_000)
    const asked: number[] = []
    const suspensions = new Suspensions({
      clock,
      emit: createEmit(new EventEmitter()),
      catalog: { breakerOf: () => breakerPolicy({ of: 1, pauseMs: 100 }), name: () => 'told', of: () => told().task },
      changed: () => Promise.resolve(),
      probe: (task) => void asked.push(task),
    })
    suspensions.observe([ended(1, failed)])
    clock.advance(100)
    return { clock, asked, suspensions }
  }

  const failed = { type: 'failed', error: { name: 'Error', message: 'down' }, retry: 'by-policy' } as const
  const succeeded = { type: 'succeeded', output: '' } as const
  const ended = (ord: number, outcome: Ended['outcome']): Ended => ({
    job: claimOf({ ord }),
    outcome,
    startedAt: 1,
    endedAt: 2,
  })

  it('starts no second job while one is tried, however often one was asked for', () => {
    const { suspensions, asked, clock } = probing()
    clock.advance(100)
    assert.deepEqual(asked, [0, 0], 'no news of the first')
    suspensions.claimed([claimOf({ ord: 2 })])
    suspensions.claimed([claimOf({ ord: 3 })])
    assert.deepEqual(
      [suspensions.holdsJob(claimOf({ ord: 2 })), suspensions.holdsJob(claimOf({ ord: 3 }))],
      [false, true],
    )
    clock.advance(1_000)
    assert.deepEqual(asked, [0, 0], 'it runs')
  })

  it('do not end by what had begun before', () => {
    const { suspensions } = probing()
    suspensions.claimed([claimOf({ ord: 2 })])
    suspensions.observe([ended(7, succeeded)])
    assert.equal(suspensions.holds(0), true)
    suspensions.observe([ended(2, succeeded)])
    assert.equal(suspensions.holds(0), false)
  })

  it('try another job where the one that was tried came back', () => {
    const { suspensions, asked, clock } = probing()
    suspensions.claimed([claimOf({ ord: 2 })])
    suspensions.observe([ended(2, { type: 'interrupted', cause: 'drain' })])
    clock.advance(100)
    assert.deepEqual(asked, [0, 0])
    suspensions.close()
    clock.advance(1_000)
    assert.deepEqual(asked, [0, 0], 'nothing after the end')
  })
})

describe('a suspended task on threads', () => {
  it('gives back what stands in hands and slots, starts one job a probe, and runs them all in the end', async (test) => {
    const folder = scratchFolder()
    const [ledger, needs] = [join(folder, 'ledger'), join(folder, 'needs')]
    const runtime = await startRuntime(test, {
      tasks: new URL('../../fixtures/fragile-dependency-tasks.js', import.meta.url),
      tiers: { default: { threads: 2 } },
      lanes: {},
    })
    const starts = () => readFileSync(ledger, 'utf8').match(/^start/gm)?.length ?? 0
    let probes = 0
    const failedProbes = new Promise<void>((resolve) => {
      runtime.on('task.probing', () => ++probes === 4 && resolve())
    })
    const opened = nextEvent(runtime, 'task.suspended')
    await runtime.enqueueMany(
      needy,
      Array.from({ length: 300 }, () => ({ ledger, needs, ms: 5 })),
    )
    await opened
    await until(
      'nothing is claimed',
      async () => (await runtime.tasks()).find(({ task }) => task === 'needy'),
      (summary) => (summary?.jobs.running ?? 0) === 0,
    )
    const before = starts()
    assert.ok(before < 40, `${before} had started when it was suspended`)
    const triedFrom = probes
    const waiting = (await runtime.jobs({ task: needy, state: 'available' }, { limit: 200 })).jobs
    const charged = waiting.reduce((sum, { attempts }) => sum + attempts, 0)
    assert.ok(waiting.length > 100 && charged <= starts(), `${charged} attempts charged`)
    const { reason, text } = await runtime.explain(waiting.at(-1)?.id ?? '')
    assert.equal(reason.type, 'task-suspended')
    assert.match(text, /its task needy is suspended (until|while) .* failed, the last with it is not there/)
    await failedProbes
    assert.ok(starts() - before <= probes - triedFrom, `${starts() - before} jobs for ${probes - triedFrom} probes`)
    writeFileSync(needs, '')
    await until(
      'all have run',
      async () => (await runtime.tasks()).find(({ task }) => task === 'needy'),
      (summary) => Object.values(summary?.jobs ?? {}).every((jobs) => jobs === 0),
    )
    assert.equal(readFileSync(ledger, 'utf8').match(/^end/gm)?.length, 300)
  })
})
