import { SPIKE } from '../../lib/ladder.ts'
import type { ClaimedJob, Ended } from '../messages.ts'
import { RunTimes, type RunTimesOfTask } from './run-times.ts'

export interface RunWatchOptions {
  /** The budget of a task's tier, by the task's index; `undefined` for a task that is never moved. */
  budgetOf(task: number): number | undefined
  /** It is time to look at the task: it has run for some time again, or for far too long. */
  look(task: number): void
}

/** A task is looked at after so many runs, since a p95 does not change with each. */
const LOOK_EVERY = 25

interface Watched {
  times: RunTimes
  budgetMs: number
  sinceLook: number
}

const NOTHING: RunTimesOfTask = { runs: 0, p95Ms: undefined, longestMs: 0 }

/** Measures how long the jobs of tasks run that may be moved; the jobs of all others cost it one look into an array. */
export class RunWatch {
  readonly #options: RunWatchOptions
  /** By the task's index; `null` for one that is never moved. */
  readonly #tasks: (Watched | null | undefined)[] = []

  constructor(options: RunWatchOptions) {
    this.#options = options
  }

  observe(ended: readonly Ended[]): void {
    for (const { job, startedAt, endedAt, outcome } of ended) {
      const watched = this.#watched(job.task)
      if (watched === null || startedAt === undefined || endedAt === undefined || outcome.type === 'interrupted')
        continue
      const ranMs = endedAt - startedAt
      watched.times.add(ranMs)
      if (++watched.sinceLook >= LOOK_EVERY || ranMs > watched.budgetMs * SPIKE) this.#look(job.task, watched)
    }
  }

  /** A job that has not ended has run for so long. */
  runs({ task }: ClaimedJob, ms: number): void {
    const watched = this.#watched(task)
    if (watched === null || ms <= watched.budgetMs * SPIKE) return
    watched.times.runsFor(ms)
    this.#look(task, watched)
  }

  of(task: number): RunTimesOfTask {
    return this.#tasks[task]?.times.summary ?? NOTHING
  }

  /** The task has moved, or others decide where it runs: what was measured before says nothing about what comes. */
  forget(task: number): void {
    this.#tasks[task] = undefined
  }

  #look(task: number, watched: Watched): void {
    watched.sinceLook = 0
    this.#options.look(task)
  }

  #watched(task: number): Watched | null {
    const known = this.#tasks[task]
    if (known !== undefined) return known
    const budgetMs = this.#options.budgetOf(task)
    const watched = budgetMs === undefined ? null : { times: new RunTimes(), budgetMs, sinceLook: 0 }
    this.#tasks[task] = watched
    return watched
  }
}
