import type { RescheduleOptions } from '../../lib/enqueue.ts'
import type { JobRecord } from '../../lib/job.ts'
import { formatJobId } from '../../lib/job.ts'

export interface ResultOptions {
  /** Rejects with `MILLRACE_RESULT_TIMEOUT` after this long; without it the promise waits as long as the job does. */
  readonly timeoutMs?: number
}

export interface CancelOptions {
  /** 'abort' (default) asks a running attempt to end; 'terminate' ends its thread at once. */
  readonly mode?: 'abort' | 'terminate'
}

/** How a handle came about: from an enqueue, which wrote the job or found an earlier one, or from an id. */
export type JobOrigin = 'new' | 'duplicate' | 'by-id'

/** What a handle asks of its runtime. */
export interface JobDesk {
  readonly journalName: string
  record(number: number): Promise<JobRecord>
  /** 'by-id': it need not be there, and need never come. */
  result(number: number, options: ResultOptions | undefined, origin: JobOrigin): Promise<unknown>
  cancel(number: number, options: CancelOptions | undefined): Promise<'cancelled' | 'requested' | 'ended'>
  retry(number: number): Promise<void>
  reschedule(number: number, options: RescheduleOptions): Promise<void>
  remove(number: number): Promise<void>
}

/** One job, by its id. It holds nothing but that: making one costs no I/O, and every call asks anew. */
export class Job<Output = unknown> {
  readonly #desk: JobDesk
  readonly #number: number
  readonly #origin: JobOrigin

  /** @internal */
  constructor(desk: JobDesk, number: number, origin: JobOrigin) {
    this.#desk = desk
    this.#number = number
    this.#origin = origin
  }

  /** Unique for ever once the job is written; tells the journal and the job in it. */
  get id(): string {
    return formatJobId(this.#desk.journalName, this.#number)
  }

  /** Whether `enqueue` wrote nothing, since this earlier job has the key; never known in a transaction. */
  get duplicate(): boolean {
    return this.#origin === 'duplicate'
  }

  /** Everything the journal knows of the job; rejects with `MILLRACE_JOB_NOT_FOUND` when it has no row. */
  record(): Promise<JobRecord> {
    return this.#desk.record(this.#number)
  }

  /** The handler's result; rejects with the job's last error, or with why there will be no result. */
  result(options?: ResultOptions): Promise<Output> {
    return this.#desk.result(this.#number, options, this.#origin) as Promise<Output>
  }

  /** 'cancelled': it will not run. 'requested': it runs and was asked to end. 'ended': it was over already. */
  cancel(options?: CancelOptions): Promise<'cancelled' | 'requested' | 'ended'> {
    return this.#desk.cancel(this.#number, options)
  }

  /** Makes a job that ended without success available again, with all its attempts. */
  retry(): Promise<void> {
    return this.#desk.retry(this.#number)
  }

  /** Changes when and with what a waiting job runs. */
  reschedule(options: RescheduleOptions): Promise<void> {
    return this.#desk.reschedule(this.#number, options)
  }

  /** Deletes all that the journal keeps of the job; rejects with `MILLRACE_WRONG_STATE` while it runs. */
  remove(): Promise<void> {
    return this.#desk.remove(this.#number)
  }
}
