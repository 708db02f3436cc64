import { Ring } from '../../lib/ring.ts'
import { SUSPECT_RANK } from '../journal/schema.ts'
import type { ClaimedJob } from '../messages.ts'

const RANKS = 10
/** One job in this many is the oldest whatever its priority, so that none starves. */
const OLDEST_EVERY = 8

/** Claimed jobs of one place that no slot was offered yet, in the order in which they shall run. */
export class Hand {
  readonly #byRank: Ring<ClaimedJob>[] = Array.from({ length: RANKS }, () => new Ring<ClaimedJob>())
  #size = 0
  #taken = 0

  get size(): number {
    return this.#size
  }

  /** Adds a new claim; those of a rank usually come in their order. */
  add(job: ClaimedJob): void {
    const ring = this.#ring(job)
    const last = ring.last()
    ring.push(job)
    this.#size++
    if (last !== undefined && last.ord > job.ord) sort(ring)
  }

  /** Takes back a job that was offered and not started: it runs before all that came after it. */
  putBack(job: ClaimedJob): void {
    const ring = this.#ring(job)
    const first = ring.peek()
    ring.pushFront(job)
    this.#size++
    if (first !== undefined && first.ord < job.ord) sort(ring)
  }

  take(): ClaimedJob | undefined {
    if (this.#size === 0) return undefined
    this.#size--
    const oldest = ++this.#taken % OLDEST_EVERY === 0
    return (oldest ? this.#oldest() : this.#foremost())?.shift()
  }

  /** The rank of the job that is next, if none starves; 9 is the lowest. */
  firstRank(): number | undefined {
    const rank = this.#byRank.findIndex((ring) => ring.length > 0)
    return rank < 0 ? undefined : rank
  }

  removeAll(which: (job: ClaimedJob) => boolean): ClaimedJob[] {
    return this.#byRank.flatMap((ring) => this.#removeFrom(ring, which))
  }

  clear(): ClaimedJob[] {
    const jobs = this.#byRank.flatMap((ring) => [...ring])
    for (const ring of this.#byRank) ring.clear()
    this.#size = 0
    return jobs
  }

  *[Symbol.iterator](): Generator<ClaimedJob> {
    for (const ring of this.#byRank) yield* ring
  }

  #removeFrom(ring: Ring<ClaimedJob>, which: (job: ClaimedJob) => boolean): ClaimedJob[] {
    const jobs = [...ring]
    const found = jobs.filter(which)
    if (found.length === 0) return found
    ring.clear()
    for (const job of jobs) if (!which(job)) ring.push(job)
    this.#size -= found.length
    return found
  }

  /** What goes to the outbox has its rank in a band of its own. */
  #ring(job: ClaimedJob): Ring<ClaimedJob> {
    return this.#byRank[job.rank % SUSPECT_RANK] as Ring<ClaimedJob>
  }

  #foremost(): Ring<ClaimedJob> | undefined {
    for (const ring of this.#byRank) if (ring.length > 0) return ring
    return undefined
  }

  #oldest(): Ring<ClaimedJob> | undefined {
    let best: Ring<ClaimedJob> | undefined
    for (const ring of this.#byRank) {
      const first = ring.peek()
      if (first !== undefined && first.ord < (best?.peek()?.ord ?? Number.POSITIVE_INFINITY)) best = ring
    }
    return best
  }
}

function sort(ring: Ring<ClaimedJob>): void {
  const jobs = [...ring].sort((a, b) => a.ord - b.ord)
  ring.clear()
  for (const job of jobs) ring.push(job)
}
