/**
 * Watches how long a timer of 1 ms was kept from firing. Not `monitorEventLoopDelay`, which reports 0 when the loop never
 * turns: here the gap that is still open at the end counts as well.
 */
export class TimerGap {
  #longest = 0
  #last = performance.now()
  readonly #timer: NodeJS.Timeout

  constructor() {
    this.#timer = setInterval(() => this.#look(), 1)
  }

  /** Ends the watch; the longest gap in ms. */
  stop(): number {
    this.#look()
    clearInterval(this.#timer)
    return this.#longest
  }

  #look(): void {
    const now = performance.now()
    this.#longest = Math.max(this.#longest, now - this.#last)
    this.#last = now
  }
}
