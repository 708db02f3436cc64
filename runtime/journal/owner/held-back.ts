import { Ring } from '../../../lib/ring.ts'
import type { NewJob } from './gather.ts'
import { overloaded } from '../refusal.ts'

/** More callers than this do not wait for a task to have room: they are told so. */
const MOST = 10_000

/** New jobs of tasks that have as many waiting as they may have, in the order in which they came. */
export class HeldBack {
  readonly #byTask = new Map<number, Ring<NewJob>>()

  /** Takes a job that may not go before others of its task. */
  takes(job: NewJob): boolean {
    if (this.#byTask.size === 0 || !this.#byTask.has(job.task)) return false
    this.add(job)
    return true
  }

  /** A job that the journal has turned away for now. */
  add(job: NewJob): void {
    const jobs = this.#byTask.get(job.task) ?? new Ring<NewJob>()
    if (jobs.length >= MOST) return job.refused(overloaded())
    this.#byTask.set(job.task, jobs)
    const last = jobs.last()
    jobs.push(job)
    // It was on its way, or let in for nothing, while younger ones came.
    if (last !== undefined && last.number > job.number) sort(jobs)
  }

  /** Those that there is room for now, as pairs of task and number; says of which tasks others still wait. */
  *release(room: readonly number[], others: (task: number) => void): Generator<NewJob> {
    for (let at = 0; at < room.length; at += 2) {
      const task = room[at] as number
      const jobs = this.#byTask.get(task)
      for (let left = room[at + 1] as number; left > 0 && jobs !== undefined && jobs.length > 0; left--) {
        yield jobs.shift() as NewJob
      }
      if (jobs?.length === 0) this.#byTask.delete(task)
      else if (jobs !== undefined) others(task)
    }
  }

  /** All of them: the journal does not know any more whom it has turned away. */
  clear(): NewJob[] {
    const all = [...this.#byTask.values()].flatMap((jobs) => [...jobs])
    this.#byTask.clear()
    return all
  }
}

function sort(ring: Ring<NewJob>): void {
  const jobs = [...ring].sort((a, b) => a.number - b.number)
  ring.clear()
  for (const job of jobs) ring.push(job)
}
