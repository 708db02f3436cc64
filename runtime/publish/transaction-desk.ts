import type { RescheduleOptions } from '../../lib/enqueue.ts'
import { MillraceError } from '../../lib/errors.ts'
import { formatJobId, type JobRecord } from '../../lib/job.ts'
import type { CancelOptions, JobDesk, JobOrigin, ResultOptions } from './job-handle.ts'

/**
 * The desk of handles that a transaction gives out. SQLite takes back the ids of one that is undone and gives them to
 * the next jobs, which are somebody else's: so all its handles refuse then. Asked while it is open they wait for its end,
 * which comes in the same turn of the loop.
 */
export class TransactionDesk implements JobDesk {
  readonly #desk: JobDesk
  #status: 'open' | 'committed' = 'open'

  constructor(desk: JobDesk) {
    this.#desk = desk
  }

  get journalName(): string {
    return this.#desk.journalName
  }

  committed(): void {
    this.#status = 'committed'
  }

  async record(number: number): Promise<JobRecord> {
    return (await this.#of(number)).record(number)
  }

  async result(number: number, options: ResultOptions | undefined, origin: JobOrigin): Promise<unknown> {
    return (await this.#of(number)).result(number, options, origin)
  }

  async cancel(number: number, options: CancelOptions | undefined): Promise<'cancelled' | 'requested' | 'ended'> {
    return (await this.#of(number)).cancel(number, options)
  }

  async retry(number: number): Promise<void> {
    return (await this.#of(number)).retry(number)
  }

  async reschedule(number: number, options: RescheduleOptions): Promise<void> {
    return (await this.#of(number)).reschedule(number, options)
  }

  async remove(number: number): Promise<void> {
    return (await this.#of(number)).remove(number)
  }

  async #of(number: number): Promise<JobDesk> {
    // A transaction is synchronous: behind an await it is over.
    await Promise.resolve()
    if (this.#status === 'committed') return this.#desk
    throw new MillraceError(
      'MILLRACE_JOB_NOT_FOUND',
      `${formatJobId(this.journalName, number)} was enqueued in a transaction that was undone, and never written; another ` +
        'job may have its id by now; enqueue it again',
    )
  }
}
