import { Ring } from '../../lib/ring.ts'
import type { ClaimedJob } from '../messages.ts'

/**
 * Claimed jobs of one rank, by their order numbers. They usually come in order. Where they do not, as behind one that is tried
 * again and stands last, they are sorted when somebody looks: once a claim, and not once a job of it.
 */
export class Line implements Iterable<ClaimedJob> {
  readonly #ring = new Ring<ClaimedJob>()
  #order: 'kept' | 'lost' = 'kept'

  get length(): number {
    return this.#ring.length
  }

  push(job: ClaimedJob): void {
    const last = this.#ring.last()
    if (last !== undefined && last.ord > job.ord) this.#order = 'lost'
    this.#ring.push(job)
  }

  pushFront(job: ClaimedJob): void {
    const first = this.#ring.peek()
    if (first !== undefined && first.ord < job.ord) this.#order = 'lost'
    this.#ring.pushFront(job)
  }

  shift(): ClaimedJob | undefined {
    return this.#sorted().shift()
  }

  peek(): ClaimedJob | undefined {
    return this.#sorted().peek()
  }

  removeAll(which: (job: ClaimedJob) => boolean): ClaimedJob[] {
    const jobs = [...this]
    const found = jobs.filter(which)
    if (found.length > 0) this.#fill(jobs.filter((job) => !which(job)))
    return found
  }

  clear(): void {
    this.#fill([])
  }

  [Symbol.iterator](): Iterator<ClaimedJob> {
    return this.#sorted()[Symbol.iterator]()
  }

  #sorted(): Ring<ClaimedJob> {
    if (this.#order === 'lost') this.#fill([...this.#ring].sort((one, other) => one.ord - other.ord))
    return this.#ring
  }

  #fill(jobs: readonly ClaimedJob[]): void {
    this.#ring.clear()
    for (const job of jobs) this.#ring.push(job)
    this.#order = 'kept'
  }
}
