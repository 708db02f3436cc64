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

/** What `result()` resolves to for a job that ended so; throws what it rejects with, in which the id is named. */
export function resultOf(end: End, idOf: () => string): unknown {
  if (end.state === 'succeeded' && end.output !== undefined) return decodePayload(end.output)
  throw withoutResult(end, idOf())
}

function withoutResult(end: End, id: string): Error {
  switch (end.state) {
    case 'succeeded':
      return notKept(id)
    case 'dead':
      return jobError(end.error, id)
    case 'cancelled':
      return new MillraceError('MILLRACE_JOB_CANCELLED', `${id} was cancelled; it has no result; ${RETRY}`)
    case 'discarded':
      return new MillraceError(
        'MILLRACE_JOB_DISCARDED',
        `${id} was discarded: ${end.reason}; it has no result; ${RETRY}`,
      )
    case 'expired':
      return expired(end.error, id)
  }
}

const RETRY = 'retry() it if it is to run after all'

/** Its attempts before may have failed, each in time. */
function expired(last: ErrorRecord | undefined, id: string): MillraceError {
  const why = last === undefined ? '' : `, and its last attempt had failed: ${last.message}`
  return new MillraceError(
    'MILLRACE_JOB_EXPIRED',
    `${id} did not come to start before its expiresAt or within the useByMs of its task${why}; it has no result; ` +
      'retry() it, which runs it without a bound, or give it more time',
    last === undefined ? {} : { cause: fromErrorRecord(last) },
  )
}

export function notKept(id: string): MillraceError {
  return new MillraceError(
    'MILLRACE_RESULT_NOT_KEPT',
    `${id} has ended and its result is not kept; ask while it runs, or set keepResultMs on the task`,
  )
}

/** A job's last error: Millrace's own as it is, a handler's as the cause of `MILLRACE_JOB_FAILED`. */
function jobError(record: ErrorRecord | undefined, id: string): Error {
  if (record === undefined) {
    return new MillraceError(
      'MILLRACE_JOB_FAILED',
      `${id} is dead, and its error was not kept; look at the logs of its handler, then retry() it`,
    )
  }
  const error = fromErrorRecord(record)
  if (error instanceof MillraceError) return error
  return new MillraceError(
    'MILLRACE_JOB_FAILED',
    `${id} is dead after its last attempt: ${record.message}; see the cause, mend it, then retry() the job`,
    { cause: error },
  )
}
