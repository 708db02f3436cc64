const MOST_JOBS = 10_000
const MOST_BYTES = 8 * 1024 * 1024

/** The last value that each job has told, encoded; of too many jobs, or of too much, those that told nothing for longest go. */
export class LatestProgress {
  readonly #values = new Map<number, string>()
  #bytes = 0

  told(number: number, value: string): void {
    this.#forget(number)
    this.#values.set(number, value)
    this.#bytes += value.length
    for (const oldest of this.#values.keys()) {
      if (this.#values.size <= MOST_JOBS && this.#bytes <= MOST_BYTES) return
      this.#forget(oldest)
    }
  }

  of(number: number): string | undefined {
    return this.#values.get(number)
  }

  #forget(number: number): void {
    this.#bytes -= this.#values.get(number)?.length ?? 0
    this.#values.delete(number)
  }
}
