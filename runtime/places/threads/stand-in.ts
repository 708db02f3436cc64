import type { Clock, Timer } from '../../../lib/clock.ts'
import { QUIET_FOR_MS } from '../../../lib/sizing.ts'
import type { Resizing } from '../../messages.ts'
import type { Incarnation } from './incarnation.ts'
import type { ThreadBudget } from './thread-budget.ts'

/** A run that takes so many times the budget of its tier holds its thread. */
const HOLDS = 2

export interface StandInOptions {
  readonly clock: Clock
  readonly budget: ThreadBudget
  /** What a run may take in this tier, in ms; where there is no budget nobody stands in. */
  readonly budgetMs: number | undefined
  /** Threads that get work, those that start included. */
  threads(): number
  /** Those of them that serve. */
  serving(): readonly Incarnation[]
  resized(resizing: Resizing): void
}

/**
 * One thread more, for as long as runs far beyond the budget hold all others: what is quick must not wait for what should
 * not be here. It comes at once, if the runtime may have one more, and goes when nothing has held a thread for a while.
 */
export class StandIn {
  readonly #options: StandInOptions
  #threads: 0 | 1 = 0
  #heldAt = 0
  #timer: Timer | undefined

  constructor(options: StandInOptions) {
    this.#options = options
  }

  get threads(): 0 | 1 {
    return this.#threads
  }

  /** To be called now and then while jobs run. */
  look(now: number): void {
    const { budget, budgetMs, threads, serving } = this.#options
    if (budgetMs === undefined) return
    const held = serving().filter((thread) => isHeld(thread, now - HOLDS * budgetMs)).length
    if (held === 0) return
    this.#heldAt = now
    if (this.#threads === 1 || held < threads() || budget.takeStandIn() === 'none') return
    this.#become(1, 'held', held)
    this.#leaveAfter(QUIET_FOR_MS)
  }

  stop(): void {
    this.#timer?.cancel()
    if (this.#threads === 1) this.#options.budget.giveBackStandIn()
    this.#threads = 0
  }

  #leaveAfter(ms: number): void {
    const { clock } = this.#options
    this.#timer = clock.setTimer(ms, () => {
      const leftMs = this.#heldAt + QUIET_FOR_MS - clock.monotonicMs()
      if (leftMs > 0) this.#leaveAfter(leftMs)
      else this.#leave()
    })
    this.#timer.unref()
  }

  #leave(): void {
    this.#options.budget.giveBackStandIn()
    this.#become(0, 'quiet', 0)
  }

  #become(threads: 0 | 1, cause: Resizing['cause'], busy: number): void {
    const before = this.#options.threads()
    const change = threads - this.#threads
    this.#threads = threads
    this.#options.resized({ cause, before, threads: before + change, waitMs: 0, busy })
  }
}

function isHeld(thread: Incarnation, since: number): boolean {
  for (const { startedAt } of thread.begun()) if (startedAt < since) return true
  return false
}
