import { boot, systemGround } from '../runtime/boot.ts'
import { resolveConfig } from '../runtime/config/config.ts'
import { Runtime } from '../runtime/runtime.ts'
import { type Bench, type Figure, pick } from './bench.ts'
import { board, nowMs } from './board.ts'
import { median, type Percentiles, percentiles, rangeOf } from './figures.ts'
import { atRandom, evenly, openLoop } from './open-loop.ts'
import { INPUT, stampedInput } from './payload.ts'
import { Scratch } from './scratch.ts'
import { elapsedMs, publish, serviceOptions } from './service.ts'
import { noop, slow, stamped } from './tasks.ts'

const THREADS = 2
const SLOW_MS = 100
/** Slow jobs take this share of the threads' time. */
const LOAD = 0.6
const SLOW_PER_SECOND = (LOAD * THREADS * 1_000) / SLOW_MS
const NOOPS_PER_SECOND = 500
const PUBLISHERS = 500
/** The same arrivals for both policies. */
const SEED = 2_013

interface Measured {
  readonly toStart: Percentiles
  readonly perSecond: number
}

export const mixed: Bench = {
  name: 'mixed',
  about: 'no-ops among jobs of 100 ms at 60 % of 2 threads, open loop; against batches of 1',
  async run(scale): Promise<readonly Figure[]> {
    const seconds = pick(scale, { full: 20, quick: 0.5, once: 0.2 })
    const runs = pick(scale, { full: 7, quick: 1, once: 1 })
    const batched: Measured[] = []
    const single: Measured[] = []
    for (let run = 0; run < runs; run++) {
      single.push(await measure(1, seconds, SEED + run))
      batched.push(await measure(undefined, seconds, SEED + run))
    }
    return figuresOf(batched, single)
  },
}

/** `batchJobs` is no option of the public API: it is there for this comparison. */
async function measure(batchJobs: number | undefined, seconds: number, seed: number): Promise<Measured> {
  using scratch = new Scratch()
  const config = resolveConfig(serviceOptions(scratch.file('jobs.db')))
  const places = config.places.map((place) => ({ ...place, ...(batchJobs !== undefined && { batchJobs }) }))
  const runtime = new Runtime(await boot({ ...config, places }, systemGround()))
  try {
    const toStart = await startDelays(runtime, seconds, seed)
    return { toStart, perSecond: await throughput(runtime, seconds, seed) }
  } finally {
    await runtime.stop({ graceMs: 0 })
  }
}

async function startDelays(runtime: Runtime, seconds: number, seed: number): Promise<Percentiles> {
  await publish(runtime, noop, 2_000, PUBLISHERS)
  await runtime.idle()
  board.takeSamples()
  const enqueued: Promise<unknown>[] = []
  await Promise.all([
    openLoop(atRandom(SLOW_PER_SECOND, seconds, seed), () => enqueued.push(runtime.enqueue(slow, INPUT))),
    openLoop(evenly(NOOPS_PER_SECOND, seconds), () => enqueued.push(runtime.enqueue(stamped, stampedInput(nowMs())))),
  ])
  await Promise.all(enqueued)
  await runtime.idle()
  return percentiles(board.takeSamples())
}

/** No-ops as many as will go, while the slow jobs keep coming. */
async function throughput(runtime: Runtime, seconds: number, seed: number): Promise<number> {
  const enqueued: Promise<unknown>[] = []
  const coming = openLoop(atRandom(SLOW_PER_SECOND, seconds / 4, seed), () => {
    enqueued.push(runtime.enqueue(slow, INPUT))
  })
  let ended = 0
  let status: 'running' | 'over' = 'running'
  const count = () => ended++
  runtime.on('job.succeeded', count)
  const ms = await elapsedMs(async () => {
    const publishers = Array.from({ length: PUBLISHERS }, async () => {
      while (status === 'running') await (await runtime.enqueue(noop, INPUT)).result()
    })
    await coming
    status = 'over'
    await Promise.all(publishers)
  })
  runtime.off('job.succeeded', count)
  await Promise.all(enqueued)
  return ((ended - enqueued.length) / ms) * 1_000
}

function figuresOf(batched: readonly Measured[], single: readonly Measured[]): Figure[] {
  const delay = (which: 'p50' | 'p99') =>
    compared(`no-ops among 100 ms jobs, enqueue to start, ${which}`, 'ms', {
      batched: batched.map(({ toStart }) => toStart[which]),
      single: single.map(({ toStart }) => toStart[which]),
      most: 1,
    })
  const rate = compared('no-ops among 100 ms jobs, throughput', 'jobs/s', {
    batched: batched.map(({ perSecond }) => perSecond),
    single: single.map(({ perSecond }) => perSecond),
    least: 2,
  })
  return [delay('p50'), delay('p99'), rate]
}

function compared(
  what: string,
  unit: 'ms' | 'jobs/s',
  {
    batched,
    single,
    most = Number.POSITIVE_INFINITY,
    least = 0,
  }: {
    readonly batched: readonly number[]
    readonly single: readonly number[]
    readonly most?: number
    readonly least?: number
  },
): Figure {
  const ratios = batched.map((value, run) => value / (single[run] as number))
  const ratio = median(ratios)
  return {
    what,
    unit,
    value: median(batched),
    runs: batched.length,
    range: rangeOf(batched),
    against: { name: 'batches of 1', value: median(single), ratio, ratioRange: rangeOf(ratios) },
    target: {
      text: least > 0 ? `>= ${least.toFixed(2)} x` : `<= ${most.toFixed(2)} x`,
      verdict: ratio >= least && ratio <= most ? 'ok' : 'below',
    },
  }
}
