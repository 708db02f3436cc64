import { atMost, type Bench, type Figure, pick } from './bench.ts'
import { board } from './board.ts'
import { percentiles } from './figures.ts'
import { INPUT } from './payload.ts'
import { Service } from './service.ts'
import { neighbour, SPIN_LIMIT_MS, spin } from './tasks.ts'
import type { Runtime } from '../runtime/index.ts'

const NEIGHBOURS = 16
const MOST_MS = 150

export const kill: Bench = {
  name: 'kill',
  about: 'a job that spins: from its hard limit to the first job of the thread that replaces it',
  async run(scale): Promise<readonly Figure[]> {
    const kills = pick(scale, { full: 100, quick: 4, once: 1 })
    await using service = await Service.start({ tiers: { default: { threads: 1 } } })
    board.takeSamples()
    board.set('charged', 0)
    const served: number[] = []
    for (let at = 0; at < kills; at++) served.push(await killOne(service.runtime))
    const { p50, p99, max } = percentiles(served)
    const charged = board.get('charged')
    const what = 'spinning job: hard limit to replacement serving'
    return [
      { what: `${what}, p50`, unit: 'ms', value: p50, runs: kills },
      { what: `${what}, p99`, unit: 'ms', value: p99, runs: kills, target: atMost(p99, MOST_MS, 'ms') },
      { what: `${what}, longest`, unit: 'ms', value: max, runs: kills },
      {
        what: 'neighbours charged',
        unit: 'jobs',
        value: charged,
        runs: kills * NEIGHBOURS,
        target: atMost(charged, 0, ''),
      },
    ]
  },
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
