/** A timer that is set. */
export interface Timer {
  /** Afterwards the callback is not called; no effect once it has been. */
  cancel(): void
  /** From now on the timer keeps no process or thread alive. */
  unref(): void
}

/** Time, passed in: nothing else under `lib/` and `runtime/` may read it or wait for it. */
export interface Clock {
  /** Epoch milliseconds. May jump either way when the machine's clock is set. */
  now(): number
  /** Milliseconds with fractions that only rise; of the same origin in every thread of the process, and in no other. */
  monotonicMs(): number
  /**
   * Calls back once, never earlier than `delayMs` by `monotonicMs`. Any length is possible; what is not above 0 means
   * the next turn of the loop's timers.
   */
  setTimer(delayMs: number, callback: () => void): Timer
  /** Calls back once, when `now` has reached `at` (epoch ms): within half a second of it also if the clock is set. */
  setAlarm(at: number, callback: () => void): Timer
  /** Calls back once the loop has looked at its sockets and messages. */
  setImmediate(callback: () => void): void
}

/** Resolves when the loop has turned. */
export function nextTurn(clock: Pick<Clock, 'setImmediate'>): Promise<void> {
  return new Promise((resolve) => clock.setImmediate(resolve))
}

/** Resolves when so much time has passed. */
export function pause(clock: Pick<Clock, 'setTimer'>, ms: number): Promise<void> {
  return new Promise((resolve) => clock.setTimer(ms, resolve))
}

/** The longest delay that `setTimeout` takes; it makes 1 ms of a longer one. */
const LONGEST_MS = 2 ** 31 - 1

class SystemTimer implements Timer {
  readonly #callback: () => void
  readonly #dueAt: number
  #timeout: NodeJS.Timeout
  #hold: 'process' | 'nothing' = 'process'

  constructor(delayMs: number, callback: () => void) {
    this.#callback = callback
    this.#dueAt = monotonicMs() + delayMs
    this.#timeout = this.#wait(delayMs)
  }

  cancel(): void {
    clearTimeout(this.#timeout)
  }

  unref(): void {
    this.#hold = 'nothing'
    this.#timeout.unref()
  }

  /** Rounded up: Node drops fractions. */
  #wait(leftMs: number): NodeJS.Timeout {
    return setTimeout(() => this.#fire(), Math.max(0, Math.min(Math.ceil(leftMs), LONGEST_MS)))
  }

  /** What is left: a delay longer than the longest, or the millisecond by which Node's timers may be early. */
  #fire(): void {
    const leftMs = this.#dueAt - monotonicMs()
    if (!(leftMs > 0)) return this.#callback()
    this.#timeout = this.#wait(leftMs)
    if (this.#hold === 'nothing') this.#timeout.unref()
  }
}

/** How often an alarm looks whether the clock was set. */
const LOOK_MS = 500

class SystemAlarm implements Timer {
  readonly #at: number
  readonly #callback: () => void
  #timer: Timer
  #hold: 'process' | 'nothing' = 'process'

  constructor(at: number, callback: () => void) {
    this.#at = at
    this.#callback = callback
    this.#timer = this.#wait()
  }

  cancel(): void {
    this.#timer.cancel()
  }

  unref(): void {
    this.#hold = 'nothing'
    this.#timer.unref()
  }

  #wait(): Timer {
    return new SystemTimer(Math.min(this.#at - Date.now(), LOOK_MS), () => {
      if (Date.now() >= this.#at) return this.#callback()
      this.#timer = this.#wait()
      if (this.#hold === 'nothing') this.#timer.unref()
    })
  }
}

/** Not `performance.now()`, whose origin differs from thread to thread. */
function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1e3 + nanoseconds / 1e6
}

/** The clock of the machine. Its timers keep the process alive unless `unref` says otherwise. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs,
  setTimer: (delayMs, callback) => new SystemTimer(delayMs, callback),
  setAlarm: (at, callback) => new SystemAlarm(at, callback),
  setImmediate: (callback) => {
    setImmediate(callback)
  },
}
