import { atMost, type Bench, type Figure, pick } from './bench.ts'
import { board } from './board.ts'
import { percentiles } from './figures.ts'
import { INPUT } from './payload.ts'
import { Service } from './service.ts'
import { neighbour, SPIN_LIMIT_MS, spin } from './tasks.ts'
import type { Runtime, TierConfig } from '../runtime/index.ts'

const NEIGHBOURS = 16
const MOST_MS = 150
/** A tier that recycles keeps a spare thread; this one has it and never needs it for that. */
const NEVER = 1e9

export const kill: Bench = {
  name: 'kill',
  about: 'a job that spins: from its hard limit to the first job of the thread that takes over',
  async run(scale): Promise<readonly Figure[]> {
    const kills = pick(scale, { full: 100, quick: 4, once: 1 })
    const spare = await measure(kills, { threads: 1, recycle: { jobs: NEVER } })
    const started = await measure(kills, { threads: 1 })
    const charged = spare.charged + started.charged
    return [
      ...figuresOf('hard limit to the spare thread serving', spare, atMost(spare.p99, MOST_MS, 'ms')),
      ...figuresOf('hard limit to a new thread serving', started),
      {
        what: 'neighbours charged',
        unit: 'jobs',
        value: charged,
        runs: 2 * kills * NEIGHBOURS,
        target: atMost(charged, 0, ''),
      },
    ]
  },
}

interface Measured {
  readonly kills: number
  readonly p50: number
  readonly p99: number
  readonly max: number
  readonly charged: number
}

async function measure(kills: number, tier: TierConfig): Promise<Measured> {
  await using service = await Service.start({ tiers: { default: tier } })
  board.takeSamples()
  board.set('charged', 0)
  const served: number[] = []
  for (let at = 0; at < kills; at++) {
    served.push(await killOne(service.runtime))
    if (tier.recycle !== undefined) await spareIsReady(service.runtime)
  }
  return { kills, ...percentiles(served), charged: board.get('charged') }
}

function figuresOf(what: string, { kills, p50, p99, max }: Measured, target?: Figure['target']): Figure[] {
  return [
    { what: `spinning job: ${what}, p50`, unit: 'ms', value: p50, runs: kills },
    { what: `spinning job: ${what}, p99`, unit: 'ms', value: p99, runs: kills, ...(target && { target }) },
    { what: `spinning job: ${what}, longest`, unit: 'ms', value: max, runs: kills },
  ]
}

/** The thread that was killed is replaced too: it is the next spare. */
async function spareIsReady(runtime: Runtime): Promise<void> {
  for (;;) {
    const [place] = await runtime.places()
    if (place?.threads.filter(({ verdict }) => verdict === 'idle').length === 2) return
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** The neighbours are enqueued behind the spinning job on the only thread, so none of them can run before its end. */
async function killOne(runtime: Runtime): Promise<number> {
  const spinning = await runtime.enqueue(spin, INPUT)
  const neighbours = await Promise.all(Array.from({ length: NEIGHBOURS }, () => runtime.enqueue(neighbour, INPUT)))
  await Promise.all(neighbours.map((job) => job.result()))
  await spinning.result().then(
    () => Promise.reject(new Error('the spinning job has ended by itself')),
    () => undefined,
  )
  const [spunAt = Number.NaN, ...started] = board.takeSamples()
  return Math.min(...started) - (spunAt + SPIN_LIMIT_MS)
}
