import { Pace } from '../../../lib/pace.ts'
import type { ClaimColumns } from '../protocol.ts'
import type { Waiting } from '../store/waiting.ts'

/** An estimate has to be this many times too long before a job is given up for it. */
const CLEARLY = 2

/** How fast places take what waits for them: measured once a job asks, and only while others wait. */
export class Paces {
  readonly #waiting: Waiting
  #paces: Pace[] = []
  /** Places for which jobs were left waiting by the last commit. */
  #busy: readonly number[] = []
  #lastAt = 0
  #asked: 'yes' | 'no' = 'no'

  constructor(waiting: Waiting) {
    this.#waiting = waiting
  }

  /** Whether a new job cannot start within so long, as far as that is clear. */
  isHopeless(task: number, rank: number, withinMs: number): boolean {
    this.#asked = 'yes'
    const place = this.#waiting.placeOf(task)
    if (place < 0) return false
    const estimateMs = this.#paces[place]?.msFor(this.#waiting.before(place, rank)) ?? 0
    return estimateMs > CLEARLY * withinMs
  }

  /** At the end of a commit. */
  observe(places: number, claims: readonly ClaimColumns[], now: number): void {
    if (this.#asked === 'no') return
    const elapsedMs = now - this.#lastAt
    for (const place of this.#busy) {
      let jobs = 0
      for (const claim of claims) if (claim.place === place) jobs += claim.numbers.length
      ;(this.#paces[place] ??= new Pace()).observe(jobs, elapsedMs)
    }
    this.#lastAt = now
    this.#busy = Array.from({ length: places }, (_, place) => place).filter(
      (place) => this.#waiting.firstRank(place) !== undefined,
    )
  }

  /** Places may be others now. */
  forget(): void {
    this.#paces = []
    this.#busy = []
  }
}
