import type { ClaimedJob, Ended, JobSource } from '../../messages.ts'
import type { Incarnation } from './incarnation.ts'

/** Jobs in one message to a thread that runs one at a time. */
const BATCH = 64

/** What is behind a job that runs for longer than this is taken back, since another thread may be free. */
const STUCK_MS = 4

/** Nothing is batched behind a job of a task that usually takes longer than this. */
const SLOW_MS = 2

/**
 * How many jobs to offer to a thread, and when to take them back. Small jobs go in large batches; a job that is known to
 * be slow goes alone; one that turns out to be slow loses what was offered behind it.
 */
export class BatchPolicy {
  /** Slots of a thread: two batches, so that one is under way while the other runs. */
  readonly slots: number
  readonly #concurrency: number
  readonly #batch: number
  /** Usual run time by task, in ms: a decaying mean. */
  readonly #usual: number[] = []

  constructor(concurrency: number, batch = BATCH) {
    this.#concurrency = concurrency
    this.#batch = batch
    const ahead = batch === 1 ? 0 : batch
    this.slots = concurrency === 1 ? batch + ahead : concurrency + batch
  }

  observe(ended: readonly Ended[]): void {
    for (const { job, startedAt, endedAt } of ended) {
      if (startedAt === undefined || endedAt === undefined) continue
      const before = this.#usual[job.task]
      const ran = endedAt - startedAt
      this.#usual[job.task] = before === undefined ? ran : before + (ran - before) / 8
    }
  }

  spaceOn(thread: Incarnation, now: number): number {
    if (this.#concurrency > 1) return thread.free
    if (thread.size > this.slots - this.#batch) return 0
    if (thread.entries.some((entry) => this.#isSlow(entry.job))) return 0
    return this.#runsFor(thread, now) > STUCK_MS ? 0 : this.#batch
  }

  take(source: JobSource, most: number): ClaimedJob[] {
    const jobs: ClaimedJob[] = []
    while (jobs.length < most) {
      const job = source.take()
      if (job === undefined) break
      jobs.push(job)
      if (this.#concurrency === 1 && this.#isSlow(job)) break
    }
    return jobs
  }

  /** Whether something waits behind a job that has run for too long. */
  isStuck(thread: Incarnation, now: number): boolean {
    if (this.#concurrency > 1 || thread.size < 2) return false
    return this.#runsFor(thread, now) > STUCK_MS
  }

  /** A job that was there when the process died runs with nothing behind it as well. */
  #isSlow(job: ClaimedJob): boolean {
    return (this.#usual[job.task] ?? 0) > SLOW_MS || job.extra?.crashes !== undefined
  }

  #runsFor(thread: Incarnation, now: number): number {
    const running = thread.entries.find((entry) => thread.state(entry) === 'taken')
    return running === undefined ? 0 : now - thread.startedAt(running)
  }
}
