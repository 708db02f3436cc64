/**
 * How long jobs wait in a line, without looking at any of them: who is last in line at a reading has waited when as many
 * have been taken as stand before it. Costs an addition for each lot that is taken.
 */
export class WaitGauge {
  #taken = 0
  /** Who was last in line at a reading and is not taken yet, the first of them first. */
  readonly #marks: { readonly at: number; readonly until: number }[] = []
  #waitMs = 0

  /** So many were taken; a negative number came back. */
  took(jobs: number, now: number): void {
    this.#taken += jobs
    for (let [mark] = this.#marks; mark !== undefined && mark.until <= this.#taken; [mark] = this.#marks) {
      this.#waitMs = Math.max(this.#waitMs, now - mark.at)
      this.#marks.shift()
    }
  }

  /** The longest wait that was seen since the last reading, or is going on; `waiting` is how many stand in line. */
  read(now: number, waiting: number): number {
    const waitMs = Math.max(this.#waitMs, now - (this.#marks[0]?.at ?? now))
    this.#waitMs = 0
    const until = this.#taken + waiting
    if (waiting === 0) this.#marks.length = 0
    else if (until > (this.#marks.at(-1)?.until ?? Number.NEGATIVE_INFINITY)) this.#marks.push({ at: now, until })
    return waitMs
  }
}
