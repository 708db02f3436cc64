import { writeFileSync } from 'node:fs'
import type { RuntimeOptions } from '../runtime/config/config.ts'
import { createRuntime, type Runtime } from '../runtime/index.ts'
import { siblingUrl } from '../runtime/sibling-url.ts'
import { type Bench, type Figure, pick, type Scale } from './bench.ts'
import { board, nowMs } from './board.ts'
import { median, type Percentiles, percentiles, rangeOf } from './figures.ts'
import { atRandom, openLoop } from './open-loop.ts'
import { calling, type MixTasks, namedLong, namedQuick, unnamedLong, unnamedQuick, waitsBySecond } from './mix-tasks.ts'
import { svgOf } from './plot.ts'
import { Scratch } from './scratch.ts'

/** What the talk's service was given, with as much work on threads as two cores can do. */
const PER_SECOND = 4_000
const QUICK_PER_SECOND = 100
/** One of a hundred. */
const LONG_PER_SECOND = QUICK_PER_SECOND / 100
const CALL_MS = 100
const THREADS = 8
const FAST_THREADS = 2
const SEED = 2_013

interface Arrangement {
  readonly name: string
  readonly colour: string
  readonly tasks: MixTasks
  readonly options: Pick<RuntimeOptions, 'tiers' | 'promotion'>
}

const apart = { fast: { threads: FAST_THREADS }, default: { threads: THREADS - FAST_THREADS } }

const oneQueue: Arrangement = {
  name: 'one queue',
  colour: '#c0392b',
  tasks: { quick: unnamedQuick, long: unnamedLong },
  // The other tier is there because the tasks module has tasks that name it; nothing is enqueued for it.
  options: { tiers: { default: { threads: THREADS }, fast: { threads: 1 } }, promotion: 'off' },
}

const byHand: Arrangement = {
  name: 'tiers by hand',
  colour: '#7f8c8d',
  tasks: { quick: namedQuick, long: namedLong },
  options: { tiers: apart, promotion: 'off' },
}

const automatically: Arrangement = {
  name: 'automatic tiers, from cold',
  colour: '#2471a3',
  tasks: { quick: unnamedQuick, long: unnamedLong },
  options: { tiers: apart },
}

export const mix: Bench = {
  name: 'mix',
  about:
    '4,000 jobs/s as in the talk, 1 % of those on threads long: one queue, tiers by hand, automatic tiers; draws docs/tiers.svg',
  async run(scale): Promise<readonly Figure[]> {
    const seconds = pick(scale, { full: 60, quick: 4, once: 0.5 })
    const rounds = pick(scale, { full: 3, quick: 1, once: 1 })
    const one = await replay(oneQueue, seconds, scale)
    const pairs: Pair[] = []
    for (let round = 0; round < rounds; round++) {
      const hand = await replay(byHand, seconds, scale)
      pairs.push({ hand, automatic: await replay(automatically, seconds, scale) })
    }
    const [{ hand, automatic }] = pairs as [Pair]
    if (scale === 'full')
      writeFileSync(new URL('../../docs/tiers.svg', import.meta.url), drawing([one, hand, automatic]))
    return figuresOf(one, pairs, seconds)
  },
}

/** Two that are to be compared, one after the other. */
interface Pair {
  readonly hand: Measured
  readonly automatic: Measured
}

interface Measured {
  readonly arrangement: Arrangement
  readonly bySecond: ReadonlyMap<number, number[]>
  /** Of the second half of the replay. */
  readonly settled: Percentiles
}

async function replay(arrangement: Arrangement, seconds: number, scale: Scale): Promise<Measured> {
  using scratch = new Scratch()
  const runtime = await createRuntime({
    tasks: siblingUrl('./mix-tasks', import.meta.url),
    journal: { file: scratch.file('jobs.db') },
    lanes: { network: {} },
    ...arrangement.options,
  })
  try {
    board.takeSamples()
    await arrive(runtime, arrangement.tasks, seconds, pick(scale, { full: 1, quick: 0.1, once: 0.02 }))
    const bySecond = waitsBySecond(board.takeSamples())
    const later = [...bySecond].flatMap(([second, waits]) => (second >= Math.floor(seconds / 2) ? waits : []))
    return { arrangement, bySecond, settled: percentiles(later) }
  } finally {
    await runtime.stop({ graceMs: 0 })
  }
}

/** The same arrivals for every arrangement, whatever becomes of those before. */
async function arrive(runtime: Runtime, { quick, long }: MixTasks, seconds: number, longer: number): Promise<void> {
  const beganAt = nowMs()
  const enqueued: Promise<unknown>[] = []
  const between = evenlyBetween(SEED)
  const enqueue = (task: MixTasks['quick'], ms: number) =>
    void enqueued.push(runtime.enqueue(task, { beganAt, at: nowMs(), ms }))
  const calls = PER_SECOND - QUICK_PER_SECOND - LONG_PER_SECOND
  await Promise.all([
    openLoop(atRandom(calls, seconds, SEED), () => enqueue(calling, between(0, 2 * CALL_MS))),
    openLoop(atRandom(QUICK_PER_SECOND, seconds, SEED + 1), () => enqueue(quick, between(1, 5))),
    openLoop(atRandom(LONG_PER_SECOND, seconds, SEED + 2), () => enqueue(long, between(2_000, 10_000) * longer)),
  ])
  await Promise.all(enqueued)
  // What waits at the end belongs to the figures: without it a queue that grows would look short.
  for (;;) {
    const tasks = await runtime.tasks()
    const left = tasks.find(({ task }) => task === quick.name)?.jobs ?? {}
    if ((left.available ?? 0) + (left.running ?? 0) === 0) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

function evenlyBetween(seed: number): (from: number, to: number) => number {
  let state = seed
  return (from, to) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return from + (state / 2 ** 32) * (to - from)
  }
}

function figuresOf(one: Measured, pairs: readonly Pair[], seconds: number): Figure[] {
  const figure = (all: readonly Measured[]): Figure => {
    const [{ arrangement }] = all as [Measured]
    const p99s = all.map(({ settled }) => settled.p99)
    return {
      what: `wait of the quick ones after ${seconds / 2} s, p99: ${arrangement.name}`,
      unit: 'ms',
      value: median(p99s),
      runs: all.length,
      range: rangeOf(p99s),
      note: `p50 ${median(all.map(({ settled }) => settled.p50)).toFixed(1)} ms`,
    }
  }
  const against = (
    name: string,
    most: number,
    baseOf: (pair: Pair) => Measured,
  ): Pick<Figure, 'against' | 'target'> => {
    const ratios = pairs.map((pair) => pair.automatic.settled.p99 / baseOf(pair).settled.p99)
    const value = median(pairs.map((pair) => baseOf(pair).settled.p99))
    const ratio = median(ratios)
    return {
      against: { name, value, ratio, ratioRange: rangeOf(ratios) },
      target: { text: `<= ${most.toFixed(2)} x`, verdict: ratio <= most ? 'ok' : 'below' },
    }
  }
  const automatic = figure(pairs.map((pair) => pair.automatic))
  return [
    figure([one]),
    figure(pairs.map(({ hand }) => hand)),
    { ...automatic, ...against('tiers by hand', 1.5, ({ hand }) => hand) },
    { ...automatic, ...against('one queue', 0.1, () => one) },
  ]
}

function drawing(measured: readonly Measured[]): string {
  const series = measured.map(({ arrangement: { name, colour }, bySecond }) => ({
    name,
    colour,
    points: [...bySecond]
      .sort(([a], [b]) => a - b)
      .map(([second, waits]): [number, number] => [second, percentiles(waits).p99]),
  }))
  return svgOf({
    title: 'How long quick jobs wait for a thread (p99 of each second)',
    x: 'seconds since a cold start',
    y: 'wait, logarithmic',
    series,
  })
}
