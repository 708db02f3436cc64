import { atMost, type Bench, type Figure, pick, type Scale } from './bench.ts'
import { board, nowMs } from './board.ts'
import { Ceiling } from './ceiling.ts'
import { type Percentiles, percentiles } from './figures.ts'
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
    const seconds = pick(scale, { full: 60, quick: 1, once: 0.2 })
    const rawBefore = rawCommits(scale)
    await using service = await Service.start()
    const { runtime } = service
    if (scale !== 'once') await publish(runtime, noop, 5_000, 500)
    await runtime.idle()
    board.takeSamples()
    const late: number[] = []
    const enqueued: Promise<unknown>[] = []
    const gap = new TimerGap()
    await openLoop(evenly(PER_SECOND, seconds), (meantAt) => {
      const at = nowMs()
      late.push(at - meantAt)
      enqueued.push(runtime.enqueue(stamped, stampedInput(at)))
    })
    const gapMs = gap.stop()
    await Promise.all(enqueued)
    await runtime.idle()
    const toStart = percentiles(board.takeSamples())
    if (toStart.count !== enqueued.length) {
      throw new Error(`a job did not start once; got ${toStart.count} starts, expected ${enqueued.length}`)
    }
    const raw = percentiles([...rawBefore, ...rawCommits(scale)])
    return figuresOf({ seconds, toStart, raw, gapMs, late: percentiles(late) })
  },
}

/** Before and after the minute and not within it, so that the measured is not allowed to excuse itself. */
function rawCommits(scale: Scale): number[] {
  using raw = new Ceiling()
  return raw.singleCommits(pick(scale, { full: 2_000, quick: 200, once: 20 }))
}

interface Measured {
  readonly seconds: number
  readonly toStart: Percentiles
  readonly raw: Percentiles
  readonly gapMs: number
  readonly late: Percentiles
}

function figuresOf({ seconds, toStart, raw, gapMs, late }: Measured): Figure[] {
  const what = `enqueue to start, ${PER_SECOND.toLocaleString('en')} jobs/s for ${seconds} s`
  const runs = toStart.count
  const allowed = MOST_P99_MS + RAW_SHARE * raw.p99
  const note = `allowed: ${MOST_P99_MS} ms + ${RAW_SHARE} x raw p99 of ${raw.p99.toFixed(2)} ms`
  return [
    { what: `${what}, p50`, unit: 'ms', value: toStart.p50, runs, target: atMost(toStart.p50, MOST_P50_MS, 'ms') },
    { what: `${what}, p99`, unit: 'ms', value: toStart.p99, runs, target: atMost(toStart.p99, allowed, 'ms'), note },
    { what: `${what}, longest`, unit: 'ms', value: toStart.max, runs },
    { what: 'longest gap of a 1 ms timer meanwhile', unit: 'ms', value: gapMs, runs: 1 },
    { what: 'calls later than their schedule, p99', unit: 'ms', value: late.p99, runs: late.count },
  ]
}
