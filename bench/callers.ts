import { setImmediate as turn } from 'node:timers/promises'
import { ALTERNATIONS } from './alternate.ts'
import { atMost, type Bench, type Figure, pick } from './bench.ts'
import { median, rangeOf } from './figures.ts'
import { INPUT } from './payload.ts'
import { publish, Service } from './service.ts'
import { noop } from './tasks.ts'
import { TimerGap } from './timer-gap.ts'
import type { Runtime } from '../runtime/index.ts'

const FEW = 500
/** Callers arrive so many a turn of the loop: no server accepts 25,000 requests in one. */
const SLICE = 500
const MOST_GAP_MS = 15

interface Measured {
  readonly perSecond: number
  readonly gapMs: number
  /** Callers that waited for their acknowledgement at the same time, at the most. */
  readonly atOnce: number
}

export const callers: Bench = {
  name: 'callers',
  about: '25,000 callers of enqueue at once against 500, and the longest gap of a 1 ms timer meanwhile',
  async run(scale): Promise<readonly Figure[]> {
    const many = pick(scale, { full: 25_000, quick: 10_000, once: 2_000 })
    await using service = await Service.start()
    const { runtime } = service
    const runs: { few: Measured; many: Measured }[] = []
    for (let run = scale === 'once' ? 0 : -1; run < ALTERNATIONS[scale]; run++) {
      const few = await measure(runtime, many, () => publish(runtime, noop, many, FEW).then(() => FEW))
      const all = await measure(runtime, many, () => callAtOnce(runtime, many))
      if (run >= 0) runs.push({ few, many: all })
    }
    return figuresOf(many, runs)
  },
}

async function measure(runtime: Runtime, jobs: number, acknowledged: () => Promise<number>): Promise<Measured> {
  const gap = new TimerGap()
  const startedAt = performance.now()
  const atOnce = await acknowledged()
  const perSecond = (jobs / (performance.now() - startedAt)) * 1_000
  const gapMs = gap.stop()
  await runtime.idle()
  return { perSecond, gapMs, atOnce }
}

/** Resolves when every caller has its acknowledgement, to how many waited at once; rejects if one is refused. */
async function callAtOnce(runtime: Runtime, count: number): Promise<number> {
  const slices: Promise<unknown>[] = []
  let [called, acknowledged, atOnce] = [0, 0, 0]
  while (called < count) {
    const slice: Promise<unknown>[] = []
    while (slice.length < Math.min(SLICE, count - called)) slice.push(runtime.enqueue(noop, INPUT))
    called += slice.length
    slices.push(Promise.all(slice).then(() => (acknowledged += slice.length)))
    atOnce = Math.max(atOnce, called - acknowledged)
    await turn()
  }
  await Promise.all(slices)
  return atOnce
}

function figuresOf(callerCount: number, runs: readonly { few: Measured; many: Measured }[]): Figure[] {
  const count = callerCount.toLocaleString('en')
  const few = runs.map((run) => run.few.perSecond)
  const many = runs.map((run) => run.many.perSecond)
  const ratios = runs.map((run) => run.many.perSecond / run.few.perSecond)
  const gaps = runs.map((run) => run.many.gapMs)
  const fewGaps = runs.map((run) => run.few.gapMs)
  const ratio = median(ratios)
  return [
    {
      what: `${count} concurrent callers, acknowledged`,
      unit: 'jobs/s',
      value: median(many),
      runs: runs.length,
      range: rangeOf(many),
      against: { name: `${FEW} callers`, value: median(few), ratio, ratioRange: rangeOf(ratios) },
      target: { text: '>= 1.00 x', verdict: ratio >= 1 ? 'ok' : 'below' },
      note: `they come ${SLICE} a turn of the loop; ${median(runs.map((run) => run.many.atOnce)).toLocaleString('en')} waited at the same time`,
    },
    {
      what: `longest gap of a 1 ms timer, ${count} callers`,
      unit: 'ms',
      value: median(gaps),
      runs: runs.length,
      range: rangeOf(gaps),
      target: atMost(median(gaps), MOST_GAP_MS, 'ms'),
    },
    {
      what: `longest gap of a 1 ms timer, ${FEW} callers`,
      unit: 'ms',
      value: median(fewGaps),
      runs: runs.length,
      range: rangeOf(fewGaps),
    },
  ]
}
