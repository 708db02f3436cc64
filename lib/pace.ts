/** Less than this and nothing is said. */
const LEAST_MS = 1_000
const LEAST_JOBS = 20

/** What is older than about this counts half. */
const HALF_MS = 10_000

/** How many jobs a place takes in a millisecond while others wait for it, lately. */
export class Pace {
  #jobs = 0
  #busyMs = 0

  /** So many were taken in so long, during which there were always more. A clock that was set or a full disk makes it no hour. */
  observe(jobs: number, busyMs: number): void {
    this.#jobs += jobs
    this.#busyMs += Math.min(Math.max(0, busyMs), HALF_MS)
    if (this.#busyMs < 2 * HALF_MS) return
    this.#jobs /= 2
    this.#busyMs /= 2
  }

  /** How long as many jobs take as wait now; `undefined` while too little was seen to tell. */
  msFor(jobs: number): number | undefined {
    if (this.#busyMs < LEAST_MS || this.#jobs < LEAST_JOBS) return undefined
    return (jobs * this.#busyMs) / this.#jobs
  }
}
