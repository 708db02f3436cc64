import { pick, type Scale } from '../bench.ts'
import { median } from '../figures.ts'
import type { Prefork, Way } from './prefork.ts'

/** Celery's documentation names 1 for long tasks, its default is 4, and many short tasks want more. */
const PREFETCHES = [1, 4, 50]
/** Results come to the thread that has asked, so with more of them one would wait behind the other. */
const HOW: readonly Omit<Way, 'prefetch'>[] = [
  ...[1, 4, 16, 64].map((callers) => ({ callers, outcomes: 'counted' as const })),
  { callers: 1, outcomes: 'home' },
]
const LIKELY: Way = { prefetch: 50, callers: 16, outcomes: 'counted' }

export interface BestWay {
  readonly way: Way
  /** What each way came to, in words; empty where there was no choice. */
  readonly tried: string
}

/** Tries all ways in short runs. */
export async function bestWay(scale: Scale, start: (way: Way) => Promise<Prefork>): Promise<BestWay> {
  if (scale === 'once') return { way: LIKELY, tried: '' }
  const jobs = pick(scale, { full: 1_500, quick: 300, once: 0 })
  const runs = pick(scale, { full: 2, quick: 1, once: 0 })
  const measured: { readonly way: Way; readonly perSecond: number }[] = []
  for (const prefetch of PREFETCHES) {
    await using peer = await start({ ...LIKELY, prefetch })
    for (const how of HOW) {
      const rates: number[] = []
      for (let run = 0; run < runs; run++) rates.push((jobs / (await peer.run('noop', jobs, how))) * 1_000)
      measured.push({ way: { ...how, prefetch }, perSecond: median(rates) })
    }
  }
  measured.sort((a, b) => b.perSecond - a.perSecond)
  return {
    way: measured[0]?.way ?? LIKELY,
    tried: measured.map(({ way, perSecond }) => `${inWords(way)}: ${Math.round(perSecond)}/s`).join('; '),
  }
}

export function inWords({ prefetch, callers, outcomes }: Way): string {
  return `prefetch multiplier ${prefetch}, ${callers} publishing threads, ${
    outcomes === 'counted' ? 'results ignored' : 'results by rpc'
  }`
}
