import type { Clock, Timer } from '../../lib/clock.ts'

/** Soon enough for limits in ms, and for who is stuck behind whom. */
const SOONEST_MS = 5
const LATEST_MS = 50
/** Looks take at most one part in so many of the loop, however many jobs there are to look at. */
const SHARE = 20

export interface LooksOptions {
  readonly clock: Clock
  /** Whether there is anything to look at. */
  wanted(): boolean
  look(): void
}

/** Looks again and again at what runs, for as long as anything does. */
export class Looks {
  readonly #options: LooksOptions
  #next: Timer | undefined
  #tookMs = 0

  constructor(options: LooksOptions) {
    this.#options = options
  }

  /** From now on, if there is anything to look at. */
  start(): void {
    const { clock, wanted, look } = this.#options
    if (this.#next !== undefined || !wanted()) return
    const delayMs = Math.min(LATEST_MS, Math.max(SOONEST_MS, SHARE * this.#tookMs))
    this.#next = clock.setTimer(delayMs, () => {
      this.#next = undefined
      const startedAt = clock.monotonicMs()
      look()
      this.#tookMs = clock.monotonicMs() - startedAt
      this.start()
    })
  }

  stop(): void {
    this.#next?.cancel()
  }
}
