import type { Evidence } from '../../lib/places.ts'
import {
  BEAT_MS,
  isSilent,
  queuedShareOf,
  type Reading,
  type Standing,
  shareOf,
  SILENT_MS,
  type Verdict,
  verdictOf,
} from '../../lib/verdict.ts'

/** A reading that follows another one sooner than this is not kept: too little happens in between. */
const APART_MS = BEAT_MS / 2
/** What was read longer ago says nothing about now. */
const STALE_MS = 3_000
const KEPT = 4

export interface Judged {
  readonly verdict: Verdict
  /** Monotonic ms from which on it holds, as far as somebody looked. */
  readonly since: number
  readonly evidence: Evidence
}

/** The readings of one thread: taken when somebody looks, and only then. */
export class Gauge {
  readonly #read: () => Reading
  #readings: Reading[] = []
  #verdict: Verdict | undefined
  #since = 0
  #tells: 'yes' | 'no' = 'no'

  constructor(read: () => Reading) {
    this.#read = read
  }

  look(standing: Standing): Judged {
    const now = this.#read()
    const from = beginOf(now, standing)
    const earlier = this.#readings.find(({ at }) => at >= (from ?? 0) && now.at - at >= APART_MS)
    this.#tells = from === undefined || earlier !== undefined ? 'yes' : 'no'
    this.#keep(now)
    const verdict = verdictOf(earlier, now, standing)
    if (verdict !== this.#verdict) {
      this.#verdict = verdict
      this.#since = isSilent(now) && verdict !== 'dead' ? now.beatAt : now.at
    }
    return { verdict, since: this.#since, evidence: evidenceOf(earlier, now) }
  }

  /** Whether the looks so far could tell what the thread does; if not, another one a beat later can. */
  get tells(): boolean {
    return this.#tells === 'yes'
  }

  #keep(now: Reading): void {
    const readings = this.#readings.filter(({ at }) => now.at - at <= STALE_MS)
    const latest = readings.at(-1)
    if (latest === undefined || now.at - latest.at >= APART_MS) readings.push(now)
    this.#readings = readings.slice(-KEPT)
  }
}

/** When that began which a reading is needed of: the silence, or the job; `undefined` where the present one will do. */
function beginOf(now: Reading, { status, longestMs, toldToEndMs }: Standing): number | undefined {
  if (status !== 'serving' || toldToEndMs !== undefined) return undefined
  if (isSilent(now)) return now.beatAt
  return longestMs === undefined || longestMs < SILENT_MS ? undefined : now.at - longestMs
}

function evidenceOf(earlier: Reading | undefined, latest: Reading): Evidence {
  return {
    silentMs: Math.max(0, latest.at - latest.beatAt),
    busyShare: shareOf('activeMs', earlier, latest),
    processorShare: shareOf('processorMs', earlier, latest),
    queuedShare: queuedShareOf(earlier, latest),
  }
}
