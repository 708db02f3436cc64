/** How often jobs may start: at most `limit + burst` in any `perMs`, and `limit` of them in the long run. */
export interface RateLimit {
  readonly limit: number
  readonly perMs: number
  readonly burst: number
}

/**
 * How long a claim usually is on its way to its start and back: so many tokens are given out ahead that this does not
 * slow a rate down that the place could keep.
 */
const AHEAD_MS = 25

/** Clocks tell whole milliseconds: what has started may have done so this much later than it is told. */
const CLOCK_MS = 1

/** Keeps the rounding of a long sum of intervals on the safe side, and more than that of a comparison. */
const SLACK = 1 + 1e-6
const ROUNDING = 1e-7

/**
 * A rate limit that holds for starts, although it is claims that are admitted: the generic cell rate algorithm (ITU-T
 * I.371), with reservations.
 *
 * GCRA remembers one instant, until which everything that has started is paid for; each start adds `intervalMs` to it.
 * A claim only reserves an interval. It is admitted if, were all that is reserved to start now, the instant would be
 * at most `tokens` intervals ahead. A start turns its reservation into paid time, so the sum of both never grows by it:
 * every start finds the instant at most `tokens - 1` intervals ahead, however long it took from claim to start and in
 * whatever order starts come. Of such starts a window holds at most `ceil(perMs / intervalMs) + tokens - 1`, so
 * `intervalMs = perMs / (limit + burst + 1 - tokens)` keeps the promise strictly. Tokens beyond the burst cost a little
 * of the long-run rate, and make it one that can be reached: `ahead` weighs the two.
 */
export class RateMeter {
  readonly tokens: number
  readonly intervalMs: number
  /** Instants are kept from here, where doubles have digits to spare. */
  readonly #originAt: number
  #paidUntil: number
  #reserved = 0

  /** `paidUntil` is what a meter before this one has come to, in epoch ms. */
  constructor({ limit, perMs, burst }: RateLimit, now: number, paidUntil = now) {
    const ahead = Math.min(limit, 1 + Math.round((limit * AHEAD_MS) / (perMs + AHEAD_MS)))
    this.tokens = Math.max(burst + 1, ahead)
    this.intervalMs = (perMs / (limit + burst + 1 - this.tokens)) * SLACK
    this.#originAt = now
    this.#paidUntil = Math.max(0, paidUntil - now)
  }

  /** Until when all starts are paid for, in epoch ms: what a meter after this one has to know. */
  get paidUntil(): number {
    return this.#paidUntil + this.#originAt
  }

  get reserved(): number {
    return this.#reserved
  }

  /** Whether one more may be claimed. */
  isOpen(now: number): boolean {
    return this.#paidAt(now) + this.#reserved + 1 <= this.tokens + ROUNDING
  }

  /** Whether it is as if there had never been a start. */
  isFull(now: number): boolean {
    return this.#reserved === 0 && this.fullAt <= now
  }

  /**
   * From this whole millisecond on it is full, if nothing is claimed until then. Not `paidUntil`, which has lost its last digits
   * and may be there before.
   */
  get fullAt(): number {
    return this.#originAt + Math.ceil(this.#paidUntil)
  }

  /** The earliest whole millisecond at which so many could be claimed at once, if nothing is given back before. */
  opensAt(now: number, jobs: number): number {
    const wanted = Math.min(jobs, this.tokens - this.#reserved)
    if (wanted <= 0) return Number.POSITIVE_INFINITY
    const intervals = this.#paidAt(now) - (this.tokens - this.#reserved - wanted)
    return now + Math.ceil(intervals * this.intervalMs)
  }

  /** A claim. */
  reserve(): void {
    this.#reserved++
  }

  /** A claim has come to nothing: it never started. */
  giveBack(): void {
    this.#reserved--
  }

  /** What was claimed has started. One that is told late counts from when it was, which it was reserved for till now. */
  started(at: number, now: number): void {
    this.#reserved--
    this.charge(at, now)
  }

  /** A start that nothing was reserved for: one of an owner that is gone. */
  charge(at: number, now: number): void {
    const latest = now - this.#originAt
    const paidUntil = Math.min(this.#paidUntil, latest + this.tokens * this.intervalMs + CLOCK_MS)
    this.#paidUntil = Math.max(paidUntil, Math.min(at - this.#originAt, latest) + CLOCK_MS) + this.intervalMs
  }

  /** How many intervals ahead of now all that has started is paid for. A clock that was set back closes nothing for long. */
  #paidAt(now: number): number {
    const paid = (this.#paidUntil - (now - this.#originAt)) / this.intervalMs
    return Math.min(Math.max(paid, 0), this.tokens + CLOCK_MS / this.intervalMs)
  }
}
