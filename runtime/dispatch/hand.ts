import { SUSPECT_RANK } from '../journal/schema/schema.ts'
import type { ClaimedJob } from '../messages.ts'
import { Line } from './line.ts'

const RANKS = 10
/** One job in this many is the oldest whatever its priority, so that none starves. */
const OLDEST_EVERY = 8

/** Claimed jobs of one place that no slot was offered yet, in the order in which they shall run. */
export class Hand {
  readonly #byRank: Line[] = Array.from({ length: RANKS }, () => new Line())
  #size = 0
  #taken = 0

  get size(): number {
    return this.#size
  }

  /** Adds a new claim. */
  add(job: ClaimedJob): void {
    this.#lineOf(job).push(job)
    this.#size++
  }

  /** Takes back a job that was offered and not started: it runs before all that came after it. */
  putBack(job: ClaimedJob): void {
    this.#lineOf(job).pushFront(job)
    this.#size++
  }

  take(): ClaimedJob | undefined {
    if (this.#size === 0) return undefined
    this.#size--
    const oldest = ++this.#taken % OLDEST_EVERY === 0
    return (oldest ? this.#oldest() : this.#foremost())?.shift()
  }

  /** The rank of the job that is next, if none starves; 9 is the lowest. */
  firstRank(): number | undefined {
    const rank = this.#byRank.findIndex((line) => line.length > 0)
    return rank < 0 ? undefined : rank
  }

  removeAll(which: (job: ClaimedJob) => boolean): ClaimedJob[] {
    const found = this.#byRank.flatMap((line) => line.removeAll(which))
    this.#size -= found.length
    return found
  }

  clear(): ClaimedJob[] {
    const jobs = this.#byRank.flatMap((line) => [...line])
    for (const line of this.#byRank) line.clear()
    this.#size = 0
    return jobs
  }

  *[Symbol.iterator](): Generator<ClaimedJob> {
    for (const line of this.#byRank) yield* line
  }

  /** What goes to the outbox has its rank in a band of its own. */
  #lineOf(job: ClaimedJob): Line {
    return this.#byRank[job.rank % SUSPECT_RANK] as Line
  }

  #foremost(): Line | undefined {
    for (const line of this.#byRank) if (line.length > 0) return line
    return undefined
  }

  #oldest(): Line | undefined {
    let best: Line | undefined
    for (const line of this.#byRank) {
      const first = line.peek()
      if (first !== undefined && first.ord < (best?.peek()?.ord ?? Number.POSITIVE_INFINITY)) best = line
    }
    return best
  }
}
