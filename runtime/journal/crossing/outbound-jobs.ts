import type { Outbound, Routes } from '../protocol.ts'
import { isOutboundRank, isSuspectRank, OUTBOUND_RANK, SUSPECT_RANK } from '../schema/schema.ts'
import { Waiting } from '../store/waiting.ts'

/** Which jobs go to a broker instead of their place, and how many of them wait for that. */
export class OutboundJobs {
  readonly waiting = new Waiting()
  #outbound: Outbound | undefined
  #places = 0
  /** Tasks whose way `waiting` knows. */
  #tasks = 0

  /** Routes without places are those of a stop, which changes no job's way. */
  route({ outbound, places }: Routes): void {
    if (places.length > 0) this.#outbound = outbound
    this.#places = places.length
    this.#tell(Math.max(this.#tasks, outbound?.tasks.length ?? 0))
  }

  /** Index of the place that takes what goes out; -1 without a broker. */
  get place(): number {
    return this.#outbound?.place ?? -1
  }

  goesOut(task: number): boolean {
    return this.#outbound !== undefined && (this.#outbound.tasks[task] ?? 'out') === 'out'
  }

  /** The rank of a job of this journal that begins to wait: a suspect stays one, since it is tried here. */
  rankOf(task: number, rank: number): number {
    if (isSuspectRank(rank)) return rank
    if (this.goesOut(task)) return (rank % SUSPECT_RANK) + OUTBOUND_RANK
    return isOutboundRank(rank) ? rank % SUSPECT_RANK : rank
  }

  /** Whether a broker holds a job back for so long, so that it need not wait here. */
  holdsBack(task: number, delayMs: number): boolean {
    return this.goesOut(task) && delayMs >= (this.#outbound?.stepMs ?? Number.POSITIVE_INFINITY)
  }

  add(task: number, rank: number, jobs: number): void {
    if (task >= this.#tasks) this.#tell(task + 1)
    this.waiting.add(task, rank - OUTBOUND_RANK, jobs)
  }

  /** A task that is not known here has its jobs done elsewhere. */
  #tell(tasks: number): void {
    const placeOf = Array.from({ length: tasks }, (_, task) =>
      this.#places > 0 && this.goesOut(task) ? this.place : -1,
    )
    this.#tasks = tasks
    this.waiting.route(this.#places, placeOf)
  }
}
