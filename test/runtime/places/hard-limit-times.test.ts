// needs-quiet: how soon a thread is ended at the hard limit, and another one is there
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { percentiles } from '../../../bench/figures.ts'
import type { Runtime } from '../../../runtime/index.ts'
import { echo, hang, type Hang } from '../../fixtures/tasks.ts'
import { loadBuild, mutant } from '../../helpers/mutant.ts'
import { nextEvent } from '../../helpers/next-event.ts'
import { scratchFolder } from '../../helpers/scratch.ts'
import { fixtureTasks, startRuntime } from '../../helpers/start-runtime.ts'
import { until } from '../../helpers/until.ts'

const SHAPES = ['loop', 'regex', 'atomics', 'microtasks', 'promises', 'never'] satisfies Hang[]
const SAMPLES = 20
const THREADS = 2
const INNOCENTS = 10
const LIMIT_MS = 60

/**
 * Apart from the time in which the machine had no processor for it: 99 of 100 end so soon after the limit, and all are
 * replaced by then. A quiet machine takes 40 to 70 and 180 to 230 ms with that time, 35 and 150 ms without it; beside twice as
 * much work as it can do 73 and 510, of which 53 and 100 are left.
 */
const ENDED_MS = 100
const ENDED_SHARE = 0.99
const WHOLE_MS = 250
/** Where the kernel does not tell for how long threads waited for a processor, fewer: beside much other work they do. */
const UNTOLD = { ended: 0.95, whole: 0.75 }
const ANY_MS = 2_000
const LIMIT = { timeout: 300_000 }
const TIERS = { tiers: { default: { threads: THREADS }, small: { threads: 1 } } }

/** From the limit on; and for how much of each the machine had no processor for the threads that it takes. */
interface Sample {
  readonly endedMs: number
  readonly endedQueuedMs: number
  readonly wholeMs: number
  readonly wholeQueuedMs: number
}

/** For how long each thread of this process has waited for a processor so far, in ms; none where the kernel does not tell. */
function queued(): ReadonlyMap<string, number> {
  const times = new Map<string, number>()
  for (const thread of readdirSync('/proc/self/task')) {
    try {
      const [, waitedNs] = readFileSync(`/proc/self/task/${thread}/schedstat`, 'utf8').split(' ')
      times.set(thread, Number(waitedNs) / 1e6)
    } catch {
      // It has ended, or there is no such file.
    }
  }
  return times
}

/** For how long since then this thread has waited, and that of the new ones which has waited longest. */
function queuedSince(before: ReadonlyMap<string, number>): number {
  const now = queued()
  const own = String(process.pid)
  const fresh = [...now].filter(([thread]) => !before.has(thread)).map(([, waitedMs]) => waitedMs)
  return (now.get(own) ?? 0) - (before.get(own) ?? 0) + Math.max(0, ...fresh)
}

/** Lets a job hang on a thread among others, and looks after the tier until it has all its threads again. */
async function sample(runtime: Runtime, how: Hang): Promise<Sample> {
  const before = queued()
  const dead = nextEvent(runtime, 'job.dead', { timeoutMs: 20_000 })
  const limits = { softLimitMs: LIMIT_MS / 2, hardLimitMs: LIMIT_MS }
  const hanging = runtime.enqueue(hang, { how }, limits)
  const innocent = Array.from({ length: INNOCENTS }, (_, value) =>
    runtime.enqueue(echo, { value }, { retry: { attempts: 1 } }),
  )
  const { id, ranMs = Number.NaN } = await dead
  const endedAt = performance.now()
  const endedQueuedMs = queuedSince(before)
  assert.equal(id, (await hanging).id)
  await until(
    'all threads are there',
    () => runtime.places(),
    ([tier]) => {
      const verdicts = tier?.threads.map(({ verdict }) => verdict) ?? []
      return verdicts.length === THREADS && !verdicts.includes('starting') && !verdicts.includes('dead')
    },
  )
  const wholeMs = ranMs - LIMIT_MS + performance.now() - endedAt
  const wholeQueuedMs = queuedSince(before)
  for (const job of await Promise.all(innocent)) await job.result({ timeoutMs: 20_000 })
  return { endedMs: ranMs - LIMIT_MS, endedQueuedMs, wholeMs, wholeQueuedMs }
}

function below(times: readonly number[], ms: number): number {
  return times.filter((time) => time < ms).length / times.length
}

/** What of the times is not as promised. */
function faultsIn(samples: readonly Sample[]): string[] {
  const told = queued().size > 0
  const ended = samples.map(({ endedMs, endedQueuedMs }) => endedMs - endedQueuedMs)
  const whole = samples.map(({ wholeMs, wholeQueuedMs }) => wholeMs - wholeQueuedMs)
  const faults: string[] = []
  if (below(ended, ENDED_MS) < (told ? ENDED_SHARE : UNTOLD.ended)) faults.push('ended late')
  if (below(whole, WHOLE_MS) < (told ? 1 : UNTOLD.whole)) faults.push('replaced late')
  if (below([...ended, ...whole], ANY_MS) < 1) faults.push('very late')
  return faults
}

function shown(times: readonly number[]): string {
  const { p50, p99, max } = percentiles(times)
  return `p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms, at most ${max.toFixed(0)} ms`
}

describe('a thread that hangs at its hard limit', () => {
  it(
    `is ended soon and replaced, and costs nobody else anything, ${SAMPLES} times in each of ${SHAPES.length} ways`,
    LIMIT,
    async (test) => {
      const runtime = await startRuntime(test, TIERS)
      const samples: Sample[] = []
      for (const how of SHAPES) for (let at = 0; at < SAMPLES; at++) samples.push(await sample(runtime, how))
      const ended = samples.map(({ endedMs }) => endedMs)
      const figures = [
        `ended after ${shown(ended)}`,
        `of it without a processor ${shown(samples.map(({ endedQueuedMs }) => endedQueuedMs))}`,
        `whole again after ${shown(samples.map(({ wholeMs }) => wholeMs))}`,
        `of it without a processor ${shown(samples.map(({ wholeQueuedMs }) => wholeQueuedMs))}`,
      ].join('; ')
      test.diagnostic(figures)
      assert.ok(Math.min(...ended) >= 0, `one was ended before its limit: ${figures}`)
      assert.deepEqual(faultsIn(samples), [], figures)
      const [tier] = await runtime.places()
      assert.deepEqual([tier?.restarts, tier?.zombies], [samples.length, 0])
    },
  )

  it('is ended late where it is seldom looked for (control)', LIMIT, async (test) => {
    using copy = mutant(
      { file: 'runtime/places/looks.js', from: 'SOONEST_MS = 5', to: 'SOONEST_MS = 500' },
      { file: 'runtime/places/looks.js', from: 'LATEST_MS = 50', to: 'LATEST_MS = 500' },
    )
    const { createRuntime } = await loadBuild(copy.folder)
    const journal = { file: join(scratchFolder(), 'jobs.db') }
    const runtime = await createRuntime({ tasks: fixtureTasks, journal, lanes: { network: {} }, ...TIERS })
    test.after(() => runtime.stop({ graceMs: 0 }))
    const samples: Sample[] = []
    for (const how of SHAPES) samples.push(await sample(runtime, how))
    await runtime.stop({ graceMs: 0 })
    const faults = faultsIn(samples)
    assert.ok(faults.includes('ended late') && faults.includes('replaced late'), JSON.stringify(samples))
  })
})
