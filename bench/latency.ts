import type { Runtime } from '../runtime/index.ts'
import { type Against, atMost, type Bench, type Figure, pick, type Scale } from './bench.ts'
import { board, nowMs } from './board.ts'
import { Ceiling } from './ceiling.ts'
import { median, type Percentiles, percentiles, rangeOf } from './figures.ts'
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
    const turns = pick(scale, { full: 6, quick: 1, once: 1 })
    await using service = await Service.start()
    using raw = new Ceiling()
    const { runtime } = service
    const commits = singleCommits(raw, scale)
    if (scale !== 'once') await publish(runtime, noop, 5_000, 500)
    await runtime.idle()
    board.takeSamples()
    const measured: Turn[] = []
    const alone: number[][] = []
    for (let turn = 0; turn < turns; turn++) {
      measured.push(await callsOf(runtime, seconds / turns))
      // A disk that stands still for a moment is one slow commit to who commits one row after another, and late for all who come meanwhile.
      alone.push(await raw.rowsAsTheyCome(PER_SECOND, seconds / turns))
    }
    commits.push(...singleCommits(raw, scale))
    return figuresOf({ seconds, measured, alone, rawP99: percentiles(commits).p99 })
  },
}

/** Before and after the minute and not within it, so that the measured is not allowed to excuse itself. */
function singleCommits(raw: Ceiling, scale: Scale): number[] {
  return raw.singleCommits(pick(scale, { full: 2_000, quick: 200, once: 20 }))
}

/** In ms each. */
interface Turn {
  readonly toStart: Float64Array
  readonly late: readonly number[]
  readonly gap: number
}

async function callsOf(runtime: Runtime, seconds: number): Promise<Turn> {
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
  readonly measured: readonly Turn[]
  readonly alone: readonly (readonly number[])[]
  readonly rawP99: number
}

function figuresOf({ seconds, measured, alone, rawP99 }: Measured): Figure[] {
  const what = `enqueue to start, ${PER_SECOND.toLocaleString('en')} jobs/s for ${seconds} s`
  const toStart = percentiles(measured.flatMap((turn) => [...turn.toStart]))
  const late = percentiles(measured.flatMap((turn) => turn.late))
  const runs = toStart.count
  const allowed = MOST_P99_MS + RAW_SHARE * rawP99
  const note = `allowed: ${MOST_P99_MS} ms + ${RAW_SHARE} x raw p99 of ${rawP99.toFixed(2)} ms`
  const beside = (part: keyof Percentiles) => besideRaw(measured, alone, part)
  return [
    {
      what: `${what}, p50`,
      unit: 'ms',
      value: toStart.p50,
      runs,
      against: beside('p50'),
      target: atMost(toStart.p50, MOST_P50_MS, 'ms'),
    },
    {
      what: `${what}, p99`,
      unit: 'ms',
      value: toStart.p99,
      runs,
      against: beside('p99'),
      target: atMost(toStart.p99, allowed, 'ms'),
      note,
    },
    { what: `${what}, longest`, unit: 'ms', value: toStart.max, runs, against: beside('max') },
    {
      what: 'longest gap of a 1 ms timer meanwhile',
      unit: 'ms',
      value: Math.max(...measured.map(({ gap }) => gap)),
      runs: measured.length,
    },
    { what: 'calls later than their schedule, p99', unit: 'ms', value: late.p99, runs: late.count },
  ]
}

/** What the same rows wait for their commit where nothing is done but that, turn by turn. */
function besideRaw(measured: readonly Turn[], alone: Measured['alone'], part: keyof Percentiles): Against {
  const ratios = measured.map((turn, at) => percentiles(turn.toStart)[part] / percentiles(alone[at] ?? [])[part])
  return {
    name: 'committed raw',
    value: percentiles(alone.flat())[part],
    ratio: median(ratios),
    ratioRange: rangeOf(ratios),
  }
}
