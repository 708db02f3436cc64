import type { Routes } from '../protocol.ts'
import { type Database, type Prepared, prepare } from '../files/sqlite.ts'

interface EarlyEnd {
  readonly number: number
  readonly task: number
  readonly endedAt: number
}

/**
 * How long jobs are kept that the journal itself ends: as their task says, else as the journal does. What ends before it is
 * known what its task says gets its time once it is; where this life ends before that, it is kept as the journal says.
 */
export class KeepTimes {
  readonly #journalsMs: number
  readonly #amend: Prepared<[number, number, number]>
  /** `undefined` until the owner has told. */
  #byTask: Routes['keepEndedMs']
  #early: EarlyEnd[] = []

  constructor(db: Database, journalsMs: number) {
    this.#journalsMs = journalsMs
    this.#amend = prepare(db, 'UPDATE millrace_jobs SET keep_until = ? WHERE id = ? AND ended_at = ?')
  }

  /** Until when a job is kept that ends now. */
  until(number: number, task: number, endedAt: number): number {
    if (this.#byTask === undefined) this.#early.push({ number, task, endedAt })
    return endedAt + (this.#byTask?.[task] ?? this.#journalsMs)
  }

  /** By task index; routes of a stop say nothing of it. */
  route(keepEndedMs: Routes['keepEndedMs']): void {
    if (keepEndedMs === undefined) return
    this.#byTask = keepEndedMs
    const early = this.#early
    this.#early = []
    for (const { number, task, endedAt } of early) {
      const keepMs = keepEndedMs[task]
      if (keepMs !== undefined) this.#amend.run(endedAt + keepMs, number, endedAt)
    }
  }

  /** For undoing what a rolled back transaction was told, or has ended. */
  snapshot(): () => void {
    const [byTask, early] = [this.#byTask, this.#early]
    const { length } = early
    return () => {
      early.length = length
      this.#byTask = byTask
      this.#early = early
    }
  }
}
