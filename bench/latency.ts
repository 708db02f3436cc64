import type { Runtime } from '../runtime/index.ts'
import { type Against, atMost, type Bench, type Figure, pick, type Scale } from './bench.ts'
import { board, nowMs } from './board.ts'
import { Ceiling } from './ceiling.ts'
import { type Percentiles, percentiles, rangeOf } from './figures.ts'
import { evenly, openLoop } from './open-loop.ts'
import { stampedInput } from './payload.ts'
import { publish, Service } from './service.ts'
import { noop, stamped } from './tasks.ts'
import { TimerGap } from './timer-gap.ts'

const PER_SECOND = 4_000
const MOST_P50_MS = 2
const MOST_P99_MS = 5
const RAW_SHARE = 3

export const latency: Bench = {
  name: 'latency',
  about: '4,000 jobs/s for 60 s, open loop: enqueue to start on a tier of 2 threads',
  async run(scale): Promise<readonly Figure[]> {
    const seconds = pick(scale, { full: 60, quick: 0.5, once: 0.2 })
    await using service = await Service.start()
    using raw = new Ceiling()
    const { runtime } = service
    if (scale !== 'once') await publish(runtime, noop, 5_000, 500)
    await runtime.idle()
    board.takeSamples()
    const before = await alone(raw, scale, seconds)
    const calls = await callsOf(runtime, seconds)
    return figuresOf({ seconds, calls, alone: [before, await alone(raw, scale, seconds)] })
  },
}

interface Alone {
  /** Commits of a single row one after another, in ms each. */
  readonly commits: readonly number[]
  /** What the same rows wait for their commit, in ms each, if they come as in the minute and nothing else is done. */
  readonly waits: readonly number[]
}

/**
 * Before and after the minute and not within it, so that the measured is not allowed to excuse itself. A disk that stands
 * still for a moment is one slow commit to who commits one row after another, and late for all who come meanwhile.
 */
async function alone(raw: Ceiling, scale: Scale, seconds: number): Promise<Alone> {
  const commits = raw.singleCommits(pick(scale, { full: 2_000, quick: 200, once: 20 }))
  return { commits, waits: await raw.rowsAsTheyCome(PER_SECOND, seconds / 2) }
}

/** In ms each. */
interface Calls {
  readonly toStart: Float64Array
  readonly late: readonly number[]
  readonly gap: number
}

async function callsOf(runtime: Runtime, seconds: number): Promise<Calls> {
  const late: number[] = []
  const enqueued: Promise<unknown>[] = []
  const timer = new TimerGap()
  await openLoop(evenly(PER_SECOND, seconds), (meantAt) => {
    const at = nowMs()
    late.push(at - meantAt)
    enqueued.push(runtime.enqueue(stamped, stampedInput(at)))
  })
  const gap = timer.stop()
  await Promise.all(enqueued)
  await runtime.idle()
  const toStart = board.takeSamples()
  if (toStart.length !== enqueued.length) {
    throw new Error(`a job did not start once; got ${toStart.length} starts, expected ${enqueued.length}`)
  }
  return { toStart, late, gap }
}

interface Measured {
  readonly seconds: number
  readonly calls: Calls
  readonly alone: readonly Alone[]
}

function figuresOf({ seconds, calls, alone }: Measured): Figure[] {
  const what = `enqueue to start, ${PER_SECOND.toLocaleString('en')} jobs/s for ${seconds} s`
  const toStart = percentiles(calls.toStart)
  const late = percentiles(calls.late)
  const runs = toStart.count
  const rawP99 = percentiles(alone.flatMap(({ commits }) => commits)).p99
  const allowed = MOST_P99_MS + RAW_SHARE * rawP99
  const halves = alone.map(({ waits }) => percentiles(waits))
  const both = percentiles(alone.flatMap(({ waits }) => waits))
  const row = (part: Exclude<keyof Percentiles, 'count'>) => {
    const value = toStart[part]
    const ratioRange = rangeOf(halves.map((half) => value / half[part]))
    const against: Against = { name: 'committed raw', value: both[part], ratio: value / both[part], ratioRange }
    return { unit: 'ms' as const, value, runs, against }
  }
  return [
    { what: `${what}, p50`, ...row('p50'), target: atMost(toStart.p50, MOST_P50_MS, 'ms') },
    {
      what: `${what}, p99`,
      ...row('p99'),
      target: atMost(toStart.p99, allowed, 'ms'),
      note: `allowed: ${MOST_P99_MS} ms + ${RAW_SHARE} x raw p99 of ${rawP99.toFixed(2)} ms`,
    },
    { what: `${what}, longest`, ...row('max') },
    { what: 'longest gap of a 1 ms timer meanwhile', unit: 'ms', value: calls.gap, runs: 1 },
    { what: 'calls later than their schedule, p99', unit: 'ms', value: late.p99, runs: late.count },
  ]
}
