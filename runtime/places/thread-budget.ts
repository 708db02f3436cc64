/** How many threads all tiers of a runtime may have together, and have. What a tier has at least is never refused. */
export class ThreadBudget {
  readonly most: number
  #used = 0

  constructor(most: number) {
    this.most = most
  }

  get free(): number {
    return Math.max(0, this.most - this.#used)
  }

  /** For what somebody has asked for, and was checked when he did. */
  claim(threads: number): void {
    this.#used += threads
  }

  take(): 'taken' | 'none' {
    if (this.free === 0) return 'none'
    this.#used++
    return 'taken'
  }

  giveBack(threads: number): void {
    this.#used -= threads
  }
}
