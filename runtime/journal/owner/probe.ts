import type { Clock, Timer } from '../../../lib/clock.ts'

/** How often a disk that refuses is tried again, by the journal's thread or by opening it anew. */
export const RETRY_MS = 1_000

/** Tries again while the journal refuses: a disk that fills and empties many times a second is tried no more often. */
export class Probe {
  readonly #clock: Clock
  readonly #attempt: () => 'again' | 'done'
  #timer: Timer | undefined

  constructor(clock: Clock, attempt: () => 'again' | 'done') {
    this.#clock = clock
    this.#attempt = attempt
  }

  start(): void {
    if (this.#timer !== undefined) return
    this.#timer = this.#clock.setTimer(RETRY_MS, () => {
      this.#timer = undefined
      if (this.#attempt() === 'again') this.start()
    })
  }
}
