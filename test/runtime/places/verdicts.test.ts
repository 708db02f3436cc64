import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { after, before, describe, it } from 'node:test'
import type { PlaceSummary, Runtime, ThreadSummary, Verdict } from '../../../runtime/index.ts'
import { type Conduct, onLoop, onThreads, onTier, short } from '../../fixtures/conduct-tasks.ts'
import { nextEvent } from '../../helpers/next-event.ts'
import { startRuntime } from '../../helpers/start-runtime.ts'
import { until } from '../../helpers/until.ts'

const tasks = new URL('../../fixtures/conduct-tasks.js', import.meta.url)
const MS = 2_500

function start(test: { after(clean: () => unknown): unknown }): Promise<Runtime> {
  return startRuntime(test, {
    tasks,
    tiers: { default: { threads: 1, maxHeapMb: 64 } },
    lanes: { threads: { threads: 1, concurrency: 10 }, loop: {} },
  })
}

async function placeOf(runtime: Runtime, name: string): Promise<PlaceSummary> {
  return (await runtime.places()).find(({ place }) => place === name) as PlaceSummary
}

async function threadOf(runtime: Runtime, name: string): Promise<ThreadSummary> {
  return (await placeOf(runtime, name)).threads[0] as ThreadSummary
}

function untilIt(runtime: Runtime, place: string, wanted: (thread: ThreadSummary) => boolean): Promise<ThreadSummary> {
  return until(`the thread of ${place} is as wanted`, () => threadOf(runtime, place), wanted)
}

const conducts = [
  ['await a timer', 'waiting'],
  ['await a socket', 'waiting'],
  ['compute in turns', 'working'],
  ['loop', 'spinning'],
  ['regular expression', 'spinning'],
  ['Atomics.wait', 'blocked'],
  ['execSync', 'blocked'],
  // It uses the processor as a loop does; only that it cannot be ended tells them apart.
  ['query', 'spinning'],
] as const satisfies readonly (readonly [Conduct, Verdict])[]

for (const [place, task] of [
  ['default', onTier],
  ['threads', onThreads],
] as const) {
  describe(`a thread of the ${place === 'default' ? 'tier' : 'lane'}`, () => {
    let runtime: Runtime
    const hooks: (() => unknown)[] = []
    const zombies: number[] = []
    before(async () => {
      runtime = await start({ after: (clean) => hooks.push(clean) })
      runtime.on('place.zombies', ({ count }) => zombies.push(count))
      await (await runtime.enqueue(task, { conduct: 'await a timer', ms: 0 })).result()
    })
    after(async () => {
      for (const hook of hooks) await hook()
    })

    it('is idle where nothing runs', async () => {
      const { verdict, job, running } = await untilIt(runtime, place, ({ verdict }) => verdict === 'idle')
      assert.deepEqual([verdict, job, running], ['idle', undefined, 0])
    })

    for (const [conduct, verdict] of conducts) {
      it(`is ${verdict} in ${conduct}, two beats later`, async () => {
        const endless = conduct === 'regular expression'
        const limits = endless ? { softLimitMs: 2_000, hardLimitMs: 2_500 } : {}
        const job = await runtime.enqueue(task, { conduct, ms: MS }, limits)
        const seen = await untilIt(runtime, place, ({ job: present, verdict: now, evidence }) => {
          // Who has hardly had a processor is not judged yet: on such a machine two beats are not enough.
          const isStarved = now === 'working' && (evidence.queuedShare ?? 0) > 0.6
          return (present?.runningMs ?? 0) >= 250 && !isStarved
        })
        const { text } = await runtime.explain(job.id)
        assert.deepEqual([seen.verdict, seen.job?.id, seen.running], [verdict, job.id, 1], JSON.stringify(seen))
        assert.match(text, new RegExp(`has run for \\d+ ms on thread 0 of ${place}, which is (?:${verdict}|working)`))
        if (endless) await assert.rejects(job.result(), { code: 'MILLRACE_HARD_LIMIT' })
        else await job.result()
        await untilIt(runtime, place, (thread) => thread.verdict === 'idle')
        // Its thread was ended at the hard limit itself, not some time after it had been given up.
        if (endless) assert.deepEqual(zombies, [])
      })
    }

    it('is dead when it has exited, until the next one serves', async () => {
      const died = nextEvent(runtime, 'thread.died', { timeoutMs: 20_000 })
      const job = await runtime.enqueue(task, { conduct: 'exit', ms: 0 })
      const { jobs, error, ...where } = await died
      assert.deepEqual([where, jobs.map(({ id }) => id)], [{ place, thread: 0 }, [job.id]])
      assert.match(error.message, /exited with code: 3/)
      assert.equal((await threadOf(runtime, place)).verdict, 'dead')
      await untilIt(runtime, place, ({ verdict }) => verdict === 'idle')
      assert.ok((await placeOf(runtime, place)).restarts >= 1)
    })
  })
}

describe('a thread', () => {
  it('is dead when it ran out of its memory', async (test) => {
    const runtime = await start(test)
    const died = nextEvent(runtime, 'thread.died', { timeoutMs: 60_000 })
    await runtime.enqueue(onTier, { conduct: 'out of memory', ms: 0 })
    const { error } = await died
    assert.equal((error as NodeJS.ErrnoException).code, 'ERR_WORKER_OUT_OF_MEMORY')
    assert.equal((await threadOf(runtime, 'default')).verdict, 'dead')
  })

  it('is stuck when it does not answer past the soft limit, which is told once, and not if it does', async (test) => {
    const runtime = await start(test)
    const stuck: string[] = []
    runtime.on('thread.stuck', ({ job }) => stuck.push(job.id))
    const answering = await runtime.enqueue(short, { conduct: 'compute in turns', ms: 700 })
    await answering.result({ timeoutMs: 20_000 })
    const told = nextEvent(runtime, 'thread.stuck', { timeoutMs: 20_000 })
    const job = await runtime.enqueue(short, { conduct: 'loop', ms: 600_000 }, { hardLimitMs: 5_000 })
    const { place, thread, verdict, job: of, evidence } = await told
    assert.deepEqual([place, thread, verdict, of.id, of.task], ['default', 0, 'spinning', job.id, 'conduct.short'])
    assert.ok(of.runningMs >= 300 && evidence.silentMs >= 200, JSON.stringify({ of, evidence }))
    await assert.rejects(job.result({ timeoutMs: 20_000 }), { code: 'MILLRACE_HARD_LIMIT' })
    assert.deepEqual(stuck, [job.id])
  })

  it('hangs in a native call when it was told to end and has not, and its job is given up', async (test) => {
    const runtime = await start(test)
    const hung = nextEvent(runtime, 'thread.hung', { timeoutMs: 20_000 })
    const job = await runtime.enqueue(short, { conduct: 'execSync', ms: 4_000 })
    const { jobs, ...where } = await hung
    assert.deepEqual([where, jobs.map(({ id }) => id)], [{ place: 'default', thread: 0 }, [job.id]])
    const { threads, zombies } = await placeOf(runtime, 'default')
    const old = threads.find((thread) => thread.job?.id === job.id)
    assert.deepEqual([zombies, old?.verdict], [1, 'blocked'])
    const { reason, text } = await runtime.explain(job.id)
    assert.equal(reason.type, 'given-up', text)
    await assert.rejects(job.result({ timeoutMs: 20_000 }), { code: 'MILLRACE_HARD_LIMIT' })
  })
})

describe("the service's own loop", () => {
  it('is idle, waits and works as a thread does', async (test) => {
    const runtime = await start(test)
    assert.equal((await threadOf(runtime, 'loop')).verdict, 'idle')
    for (const [conduct, verdict] of [
      ['await a timer', 'waiting'],
      ['compute in turns', 'working'],
    ] as const) {
      const job = await runtime.enqueue(onLoop, { conduct, ms: MS })
      // It is the loop that asks as well, so it may be busy for some beats where it hardly gets a processor.
      const seen = await untilIt(runtime, 'loop', ({ job: present, verdict: now }) => {
        return (present?.runningMs ?? 0) >= 250 && now === verdict
      })
      assert.deepEqual([seen.thread, seen.job?.id], ['loop', job.id])
      await job.result()
    }
  })
})

/** Ends by itself: a test that is killed cannot end it. */
const SPIN_FOR_A_WHILE = 'for (const end = Date.now() + 60_000; Date.now() < end; );'

describe('on a machine with twice as much to do as it can', () => {
  it('nobody is called dead who lives, nor stuck who is idle', async (test) => {
    const spinners = Array.from({ length: 2 * availableParallelism() }, () =>
      spawn(process.execPath, ['-e', SPIN_FOR_A_WHILE], { stdio: 'ignore' }),
    )
    test.after(() => spinners.forEach((spinner) => spinner.kill('SIGKILL')))
    const runtime = await start(test)
    const spinning = await runtime.enqueue(onTier, { conduct: 'loop', ms: 4_000 })
    await untilIt(runtime, 'threads', ({ verdict }) => verdict === 'idle')
    const seen: Record<string, Set<Verdict>> = { default: new Set(), threads: new Set() }
    const endsAt = performance.now() + 3_000
    while (performance.now() < endsAt) {
      for (const { place, threads } of await runtime.places())
        for (const { verdict } of threads) seen[place]?.add(verdict)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    assert.deepEqual([...(seen['threads'] ?? [])], ['idle'])
    assert.ok(seen['default']?.has('spinning') && !seen['default'].has('dead'), [...(seen['default'] ?? [])].join())
    await spinning.result()
  })
})
