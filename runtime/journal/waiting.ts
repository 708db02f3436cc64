/**
 * How many jobs wait, by task and rank, kept in step with the rows by whoever writes them. It answers in a few integer
 * reads what every append asks: does anything in the journal sort before this job?
 */

export const RANKS = 10

export class Waiting {
  /** By task index, `RANKS` counts each. */
  #byTask = new Int32Array(64 * RANKS)
  /** By place, `RANKS` counts each. */
  #byPlace = new Int32Array(0)
  #placeOf: readonly number[] = []
  #tasksOf: number[][] = []
  #total = 0

  /** Of all tasks that have a place; those of the others are parked. */
  get total(): number {
    return this.#total
  }

  route(places: number, placeOf: readonly number[]): void {
    this.#placeOf = placeOf
    this.#byPlace = new Int32Array(places * RANKS)
    this.#tasksOf = Array.from({ length: places }, () => [])
    this.#total = 0
    placeOf.forEach((place, task) => {
      if (place < 0) return
      this.#tasksOf[place]?.push(task)
      this.#total += this.ofTask(task)
      for (let rank = 0; rank < RANKS; rank++) this.#bump(this.#byPlace, place, rank, this.count(task, rank))
    })
  }

  placeOf(task: number): number {
    return this.#placeOf[task] ?? -1
  }

  tasksOf(place: number): readonly number[] {
    return this.#tasksOf[place] ?? []
  }

  count(task: number, rank: number): number {
    return this.#byTask[task * RANKS + rank] ?? 0
  }

  /** Of all ranks. */
  ofTask(task: number): number {
    let jobs = 0
    for (let rank = 0; rank < RANKS; rank++) jobs += this.count(task, rank)
    return jobs
  }

  add(task: number, rank: number, jobs: number): void {
    if (rank >= RANKS) return
    while ((task + 1) * RANKS > this.#byTask.length) {
      const grown = new Int32Array(this.#byTask.length * 2)
      grown.set(this.#byTask)
      this.#byTask = grown
    }
    this.#bump(this.#byTask, task, rank, jobs)
    const place = this.placeOf(task)
    if (place < 0) return
    this.#bump(this.#byPlace, place, rank, jobs)
    this.#total += jobs
  }

  /** Whether a job that waits for the place would run before a new one of this rank. */
  anyBefore(place: number, rank: number): boolean {
    const first = place * RANKS
    for (let each = 0; each <= rank; each++) if ((this.#byPlace[first + each] ?? 0) > 0) return true
    return false
  }

  any(place: number): boolean {
    return this.anyBefore(place, RANKS - 1)
  }

  clear(): void {
    this.#byTask.fill(0)
    this.#byPlace.fill(0)
    this.#total = 0
  }

  #bump(counts: Int32Array, row: number, rank: number, jobs: number): void {
    const at = row * RANKS + rank
    counts[at] = (counts[at] ?? 0) + jobs
  }
}
