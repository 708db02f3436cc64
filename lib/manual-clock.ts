import { systemClock, type Clock, type Timer } from './clock.ts'
import { MillraceError } from './errors.ts'

interface PlannedTimer extends Timer {
  readonly dueAt: number
  readonly callback: () => void
}

/**
 * A clock that stands still until it is advanced, for tests: a day passes in the time its timers need.
 *
 * `setImmediate` is the real one, because it waits for the loop and not for time. What a timer's callback begins and
 * does not finish at once has not happened when `advance` returns: give the loop a turn, or go from `nextTimerAt` to
 * `nextTimerAt`.
 */
export class ManualClock implements Clock {
  readonly #epochOffset: number
  /** By due time; those of one instant in the order in which they were set. */
  readonly #timers: PlannedTimer[] = []
  #at = 0

  /** Starts at `startAt`, in epoch ms. Default: 0. */
  constructor(startAt = 0) {
    this.#epochOffset = startAt
  }

  /** Epoch ms at which the next timer is due; undefined if none is set. */
  get nextTimerAt(): number | undefined {
    const next = this.#timers[0]
    return next === undefined ? undefined : this.#epochOffset + next.dueAt
  }

  now(): number {
    return this.#epochOffset + this.#at
  }

  /** Milliseconds since the clock was made. */
  monotonicMs(): number {
    return this.#at
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const dueAt = this.#at + (delayMs > 0 ? delayMs : 0)
    const timer: PlannedTimer = { dueAt, callback, cancel: () => this.#remove(timer), unref: () => {} }
    const later = this.#timers.findIndex((each) => each.dueAt > dueAt)
    this.#timers.splice(later < 0 ? this.#timers.length : later, 0, timer)
    return timer
  }

  setAlarm(at: number, callback: () => void): Timer {
    return this.setTimer(at - this.now(), callback)
  }

  setImmediate(callback: () => void): void {
    systemClock.setImmediate(callback)
  }

  /**
   * Lets so many milliseconds pass and fires what falls due meanwhile, in order and each at its own instant, timers that
   * are set while it fires included. What a callback throws comes out here; time then stands at that timer, and the
   * next call goes on. 0 fires only what is due already; less is refused with `MILLRACE_INVALID_OPTION`.
   */
  advance(ms: number): void {
    if (!(ms >= 0)) {
      const what = 'a manual clock was not advanced'
      throw new MillraceError(
        'MILLRACE_INVALID_OPTION',
        `${what}; got ${ms}, expected ms from 0 up, since time only moves on; pass how long it is to go on`,
      )
    }
    const until = this.#at + ms
    for (;;) {
      const next = this.#timers[0]
      if (next === undefined || next.dueAt > until) break
      this.#timers.shift()
      // Only ever forwards: a callback may have advanced the clock itself.
      this.#at = Math.max(this.#at, next.dueAt)
      next.callback()
    }
    this.#at = Math.max(this.#at, until)
  }

  #remove(timer: PlannedTimer): void {
    const at = this.#timers.indexOf(timer)
    if (at >= 0) this.#timers.splice(at, 1)
  }
}
