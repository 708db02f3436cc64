/** How many numbers the owner gets ahead, so that giving one out needs no commit. */
export const NUMBERS_AHEAD = 2 ** 20

/**
 * The owner's numbers for new jobs, each given out once in the journal's life: from what the journal has reserved, so
 * that nobody waits for it, and a crash repeats none.
 */
export class Numbers {
  readonly #runLow: () => void
  #next = 0
  #until = 0
  #lowAt = 0
  #waiting: { readonly count: number; readonly give: (first: number) => void }[] = []

  /** `runLow` is called when half of the reserve is used: the journal has to hear of it. */
  constructor(runLow: () => void) {
    this.#runLow = runLow
  }

  /** The lowest that was not given out. */
  get next(): number {
    return this.#next
  }

  begin(first: number): void {
    this.#next = first
  }

  /** `undefined` when the reserve is used up. */
  take(): number | undefined {
    if (this.#next >= this.#lowAt) this.#isLow()
    return this.#next < this.#until ? this.#next++ : undefined
  }

  /** Gives a range, for somebody who numbers jobs apart: at once, or when there is one. */
  takeRange(count: number, give: (first: number) => void): void {
    this.#waiting.push({ count, give })
    this.#giveRanges()
  }

  /** The journal has reserved all numbers below this one. */
  reserved(until: number): void {
    if (until <= this.#until) return
    this.#until = until
    this.#lowAt = until - NUMBERS_AHEAD / 2
    this.#giveRanges()
  }

  #giveRanges(): void {
    for (let range = this.#waiting[0]; range !== undefined; range = this.#waiting[0]) {
      if (this.#next + range.count > this.#lowAt) this.#isLow()
      if (this.#next + range.count > this.#until) return
      this.#waiting.shift()
      const first = this.#next
      this.#next += range.count
      range.give(first)
    }
  }

  /** Once for each reserve. */
  #isLow(): void {
    this.#lowAt = Number.POSITIVE_INFINITY
    this.#runLow()
  }
}
