import type { Clock, Timer } from '../../../lib/clock.ts'
import { nextSize, type SizeLimits, sizeState, type SizeState } from '../../../lib/sizing.ts'
import { WaitGauge } from '../../../lib/wait-gauge.ts'
import type { Resizing } from '../../messages.ts'
import type { StandIn } from './stand-in.ts'
import type { ThreadBudget } from './thread-budget.ts'

const READ_MS = 250

export interface SizerOptions {
  readonly clock: Clock
  readonly budget: ThreadBudget
  readonly limits: SizeLimits
  readonly standIn: StandIn
  /** Jobs that wait for a thread. */
  waiting(): number
  /** Threads that are at work. */
  busy(): number
  /** Threads that are not ready yet. */
  starting(): number
  resized(resizing: Resizing): void
}

/** Measures how long the jobs of a place wait, and says how many threads it shall have. */
export class Sizer {
  readonly #options: SizerOptions
  readonly #gauge = new WaitGauge()
  #limits: SizeLimits
  #state: SizeState
  #busy = 0
  #timer: Timer | undefined

  constructor(options: SizerOptions) {
    this.#options = options
    this.#limits = options.limits
    this.#state = sizeState(options.limits.min, options.clock.monotonicMs())
    options.budget.claim(options.limits.min)
    this.#plan()
  }

  /** With the one that stands in. */
  get threads(): number {
    return this.#state.threads + this.#options.standIn.threads
  }

  get isElastic(): boolean {
    return this.#limits.min < this.#limits.max
  }

  /** So many jobs were taken, or with a negative number came back. */
  took(jobs: number): void {
    if (!this.isElastic) return
    this.#busy = Math.max(this.#busy, this.#options.busy())
    this.#gauge.took(jobs, this.#options.clock.monotonicMs())
  }

  /** Whether there are as many threads left in the budget. */
  affords({ min }: SizeLimits): boolean {
    return min - this.#state.threads <= this.#options.budget.free
  }

  /** New limits, and at once a size within them, which the budget has to afford. */
  setLimits(limits: SizeLimits): void {
    const { clock, budget } = this.#options
    const before = this.#state.threads
    const threads = Math.min(Math.max(before, limits.min), limits.max)
    budget.claim(threads - before)
    this.#limits = limits
    this.#state = sizeState(threads, clock.monotonicMs())
    this.#options.resized({ cause: 'asked', before, threads, waitMs: 0, busy: this.#busy })
    this.#plan()
  }

  stop(): void {
    this.#timer?.cancel()
    this.#options.standIn.stop()
    this.#options.budget.giveBack(this.#state.threads)
    this.#state = { ...this.#state, threads: 0 }
  }

  #plan(): void {
    this.#timer?.cancel()
    if (!this.isElastic) return
    this.#timer = this.#options.clock.setTimer(READ_MS, () => {
      this.#read()
      this.#plan()
    })
    this.#timer.unref()
  }

  #read(): void {
    const { clock, budget, waiting, starting, resized } = this.#options
    const at = clock.monotonicMs()
    const before = this.#state.threads
    const waitMs = this.#gauge.read(at, waiting())
    const busy = Math.max(this.#busy, this.#options.busy())
    this.#busy = 0
    const [change, state] = nextSize(this.#state, { at, waitMs, busy }, this.#limits)
    // It stays as it is, and asks again: while one starts that may be enough, or while others have all that there are.
    if (change === 'grow' && (starting() > 0 || budget.take() === 'none')) return
    if (change === 'shrink') budget.giveBack(1)
    this.#state = state
    if (change === 'stay') return
    resized({ cause: change === 'grow' ? 'waiting' : 'quiet', before, threads: state.threads, waitMs, busy })
  }
}
