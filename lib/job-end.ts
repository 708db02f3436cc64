import { type ErrorRecord, fromErrorRecord } from './error-record.ts'
import { MillraceError } from './errors.ts'
import type { EndedState } from './job-state.ts'
import type { JobRecord } from './job.ts'
import { decodePayload } from './payload.ts'

/** How a job ended, as far as `result()` needs it. */
export interface End {
  readonly state: EndedState
  /** Encoded result of a success; absent where it is not kept. */
  readonly output?: string
  readonly error?: ErrorRecord
  readonly reason?: string
}

/** The end that the journal has of a job; `undefined` of one that has not ended. */
export function endOf(record: JobRecord, output: string | null): End | undefined {
  if (record.endedAt === undefined) return undefined
  const last = record.history.at(-1)
  return {
    state: record.state as EndedState,
    ...(output !== null && { output }),
    ...(last?.error !== undefined && { error: last.error }),
    ...(last?.reason !== undefined && { reason: last.reason }),
  }
}

/** What `result()` resolves to for a job that ended so; throws what it rejects with. */
export function resultOf(end: End): unknown {
  switch (end.state) {
    case 'succeeded':
      if (end.output === undefined) throw notKept('the job')
      return decodePayload(end.output)
    case 'dead':
      throw jobError(end.error)
    case 'cancelled':
      throw new MillraceError('MILLRACE_JOB_CANCELLED', 'the job was cancelled; it has no result')
    case 'discarded':
      throw new MillraceError('MILLRACE_JOB_DISCARDED', `the job was discarded: ${end.reason}; it has no result`)
    case 'expired':
      throw new MillraceError('MILLRACE_JOB_EXPIRED', 'the job could not start before its expiresAt; it has no result')
  }
}

export function notKept(job: string): MillraceError {
  return new MillraceError(
    'MILLRACE_RESULT_NOT_KEPT',
    `${job} has ended and its result is not kept; ask while it runs, or set keepResultMs on the task`,
  )
}

/** A job's last error: Millrace's own as it is, a handler's as the cause of `MILLRACE_JOB_FAILED`. */
function jobError(record: ErrorRecord | undefined): Error {
  if (record === undefined) return new MillraceError('MILLRACE_JOB_FAILED', 'the job is dead; its error was not kept')
  const error = fromErrorRecord(record)
  if (error instanceof MillraceError) return error
  return new MillraceError(
    'MILLRACE_JOB_FAILED',
    `the job is dead after its last attempt: ${record.message}; see the cause`,
    { cause: error },
  )
}
