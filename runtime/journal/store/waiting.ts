/**
 * How many jobs wait, by task and rank, kept in step with the rows by whoever writes them. It answers in a few integer
 * reads what every append asks: does anything in the journal sort before this job?
 */

export const RANKS = 10

const NONE: ReadonlySet<number> = new Set()

export class Waiting {
  /** By task index, `RANKS` counts each. */
  #byTask = new Int32Array(64 * RANKS)
  /** By place, `RANKS` counts each. */
  #byPlace = new Int32Array(0)
  #placeOf: readonly number[] = []
  #tasksOf: number[][] = []
  #limited: ReadonlySet<number> = NONE
  #total = 0
  #unlimited = 0

  /** Of all tasks that have a place; those of the others are parked. */
  get total(): number {
    return this.#total
  }

  /** Of those among them that have no limits: of the others somebody else knows which can be claimed. */
  get unlimited(): number {
    return this.#unlimited
  }

  route(places: number, placeOf: readonly number[], limited: ReadonlySet<number> = NONE): void {
    this.#placeOf = placeOf
    this.#limited = limited
    this.#byPlace = new Int32Array(places * RANKS)
    this.#tasksOf = Array.from({ length: places }, () => [])
    this.#total = 0
    this.#unlimited = 0
    placeOf.forEach((place, task) => {
      if (place < 0) return
      this.#total += this.ofTask(task)
      if (limited.has(task)) return
      this.#tasksOf[place]?.push(task)
      this.#unlimited += this.ofTask(task)
      for (let rank = 0; rank < RANKS; rank++) this.#bump(this.#byPlace, place, rank, this.count(task, rank))
    })
  }

  placeOf(task: number): number {
    return this.#placeOf[task] ?? -1
  }

  /** The tasks of a place that have no limits. */
  tasksOf(place: number): readonly number[] {
    return this.#tasksOf[place] ?? []
  }

  /** With limits or without. */
  allTasksOf(place: number): number[] {
    return this.#placeOf.flatMap((each, task) => (each === place ? task : []))
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
    this.#total += jobs
    if (this.#limited.size > 0 && this.#limited.has(task)) return
    this.#bump(this.#byPlace, place, rank, jobs)
    this.#unlimited += jobs
  }

  /** Whether a job without limits that waits for the place would run before a new one of this rank. */
  anyBefore(place: number, rank: number): boolean {
    const first = place * RANKS
    for (let each = 0; each <= rank; each++) if ((this.#byPlace[first + each] ?? 0) > 0) return true
    return false
  }

  /** How many jobs without limits would run before a new one of this rank. */
  before(place: number, rank: number): number {
    let jobs = 0
    for (let each = 0; each <= rank; each++) jobs += this.#byPlace[place * RANKS + each] ?? 0
    return jobs
  }

  /** The rank of what would run first of all that waits for the place; `undefined` if nothing does. */
  firstRank(place: number): number | undefined {
    const first = place * RANKS
    for (let rank = 0; rank < RANKS; rank++) if ((this.#byPlace[first + rank] ?? 0) > 0) return rank
    return undefined
  }

  clear(): void {
    this.#byTask.fill(0)
    this.#byPlace.fill(0)
    this.#total = 0
    this.#unlimited = 0
  }

  #bump(counts: Int32Array, row: number, rank: number, jobs: number): void {
    const at = row * RANKS + rank
    counts[at] = (counts[at] ?? 0) + jobs
  }
}
