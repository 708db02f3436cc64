import type { Clock, Timer } from '../../lib/clock.ts'
import type { ManualClock } from '../../lib/manual-clock.ts'

/** The test's clock as one life of the process sees it: with that life its timers end too. */
export class LifeClock implements Clock {
  readonly #clock: ManualClock
  readonly #timers = new Set<Timer>()
  #status: 'alive' | 'dead' = 'alive'
  #immediates = 0

  constructor(clock: ManualClock) {
    this.#clock = clock
  }

  /** Whether something will happen without any time passing. */
  get isBusy(): boolean {
    return this.#immediates > 0
  }

  /** Whole, as that of a machine: the journal keeps no fractions. */
  now(): number {
    return Math.floor(this.#clock.now())
  }

  monotonicMs(): number {
    return this.#clock.monotonicMs()
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const timer = this.#clock.setTimer(delayMs, () => {
      this.#timers.delete(timer)
      callback()
    })
    this.#timers.add(timer)
    return {
      cancel: () => {
        this.#timers.delete(timer)
        timer.cancel()
      },
      unref: () => timer.unref(),
    }
  }

  setAlarm(at: number, callback: () => void): Timer {
    return this.setTimer(at - this.#clock.now(), callback)
  }

  setImmediate(callback: () => void): void {
    this.#immediates++
    this.#clock.setImmediate(() => {
      this.#immediates--
      if (this.#status === 'alive') callback()
    })
  }

  end(): void {
    this.#status = 'dead'
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
  }
}
