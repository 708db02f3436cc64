import type { ErrorRecord } from '../../../lib/error-record.ts'
import type { AttemptRecord } from '../../../lib/job.ts'
import type { Ledger } from './ledger.ts'
import type { RowSettle } from '../protocol.ts'

/** A waiting job that has expired. */
export interface Expired {
  readonly number: number
  /** By its index. */
  readonly task: number
  /** Of its last attempt, if it had one and that has failed. */
  readonly error?: ErrorRecord
}

/** A job that the journal has ended by itself. */
export interface EndedRow extends Expired {
  readonly state: number
}

/** What the record of a job would say of its last attempt. */
export function lastError({ sql }: Ledger, number: number): { readonly error?: ErrorRecord } {
  const record = sql.lastAttempt.get(number)
  if (record === undefined) return {}
  try {
    const { error } = JSON.parse(record) as AttemptRecord
    return error === undefined ? {} : { error }
  } catch {
    // A damaged record must not keep a commit from being written.
    return {}
  }
}

/** The same of jobs that had been claimed before, and could not start again in time; nothing where there are none. */
export function lastErrorsOf(
  ledger: Ledger,
  settles: readonly RowSettle[],
): ReadonlyMap<number, ErrorRecord> | undefined {
  let errors: Map<number, ErrorRecord> | undefined
  for (const { transition, claim, number, taken } of settles) {
    if (transition !== 'expire' || claim === 1 || taken !== undefined) continue
    const { error } = lastError(ledger, number)
    if (error !== undefined) errors = (errors ?? new Map<number, ErrorRecord>()).set(number, error)
  }
  return errors
}
