/** How many threads all tiers of a runtime may have together, and have. What a tier has at least is never refused. */
export class ThreadBudget {
  readonly most: number
  /** Of them: those that are kept for who stands in, and that nothing grows into. */
  readonly #kept: number
  #used = 0
  #standIns = 0

  constructor(most: number, kept = 0) {
    this.most = most
    this.#kept = kept
  }

  get free(): number {
    return Math.max(0, this.most - this.#used)
  }

  /** For what somebody has asked for, and was checked when he did. */
  claim(threads: number): void {
    this.#used += threads
  }

  /** For a tier that grows. */
  take(): 'taken' | 'none' {
    if (this.free <= Math.max(0, this.#kept - this.#standIns)) return 'none'
    this.#used++
    return 'taken'
  }

  takeStandIn(): 'taken' | 'none' {
    if (this.free === 0) return 'none'
    this.#used++
    this.#standIns++
    return 'taken'
  }

  giveBackStandIn(): void {
    this.#used--
    this.#standIns--
  }

  giveBack(threads: number): void {
    this.#used -= threads
  }
}
