import type { Clock } from '../../lib/clock.ts'

/**
 * How long it is looked out for. To be woken takes a thread 20 to 60 µs across two processors of a virtual machine, beside a
 * commit of 100 to 300; a caller who enqueues one job after another is back sooner than that.
 */
const LINGER_MS = 0.1
/** What came this soon after the answer before would have been seen coming: it has woken the thread, which takes time too. */
const SOON_MS = 2 * LINGER_MS
/** Everything else that the thread has to do waits for so long. */
const TURN_MS = 5

/**
 * Looks out for the next message for a moment, where the last one came soon: then the thread need not be woken for it, which is
 * the larger part of what a small commit costs besides the disk. Where messages come seldom it sleeps at once.
 */
export class Lookout<Message> {
  readonly #receive: () => Message | undefined
  readonly #clock: Clock
  #answeredAt = Number.NEGATIVE_INFINITY
  #wokenAt = Number.NEGATIVE_INFINITY

  constructor(receive: () => Message | undefined, clock: Clock) {
    this.#receive = receive
    this.#clock = clock
  }

  /** A message has come that nobody looked out for. */
  woken(): void {
    this.#wokenAt = this.#clock.monotonicMs()
  }

  /** All that came has been answered; the next message, if it comes soon. */
  next(): Message | undefined {
    const comesSoon = this.#wokenAt - this.#answeredAt <= SOON_MS
    const now = this.#clock.monotonicMs()
    this.#answeredAt = now
    const until = comesSoon ? Math.min(now + LINGER_MS, this.#wokenAt + TURN_MS) : now
    while (this.#clock.monotonicMs() < until) {
      const message = this.#receive()
      if (message !== undefined) return message
    }
    return undefined
  }
}
