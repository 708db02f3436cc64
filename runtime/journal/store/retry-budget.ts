/** One claim in this many may be a retry while fresh work waits, unless the place says otherwise: 10 %. */
const DEFAULT_EVERY = 10

/**
 * How many claims of a place go to retries while fresh work waits for it. Without a bound what fails over and over takes the
 * place of what would succeed, and a dependency that was down for a while stays overloaded after it is back.
 */
export class RetryBudget {
  #every: readonly number[] = []
  /** Claims of fresh work since the last one of a retry, by place. */
  #fresh: number[] = []

  /** By place: one claim in how many. */
  route(every: readonly (number | undefined)[]): void {
    this.#every = every.map((each) => each ?? DEFAULT_EVERY)
  }

  /** Whether the next claim of the place may be a retry although fresh work waits. */
  allows(place: number): boolean {
    return (this.#fresh[place] ?? 0) >= (this.#every[place] ?? DEFAULT_EVERY) - 1
  }

  fresh(place: number): void {
    this.#fresh[place] = (this.#fresh[place] ?? 0) + 1
  }

  retried(place: number): void {
    this.#fresh[place] = 0
  }
}
