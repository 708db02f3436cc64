import { type ErrorRecord, fromErrorRecord, toErrorRecord } from '../../lib/error-record.ts'
import { isEnded, transitions } from '../../lib/job-state.ts'
import { appendJobs } from './append.ts'
import { faultOf } from './faults.ts'
import type { Ledger } from './ledger.ts'
import type { JobColumns, Settle } from './protocol.ts'

const ATTEMPTS_KEPT = 20

/**
 * Plain successes, as pairs of number and claim: the rows vanish. Returns the numbers whose claim was no longer theirs:
 * the first committed outcome wins.
 */
export function finishJobs(ledger: Ledger, done: Float64Array): number[] {
  const stale: number[] = []
  for (let at = 0; at < done.length; at += 2) {
    const number = done[at] as number
    if (ledger.sql.finish.run(number, done[at + 1] as number).changes === 0) stale.push(number)
  }
  return stale
}

export interface FailedSettle {
  readonly number: number
  readonly error: ErrorRecord
}

/**
 * Every other end of a claim; a success brings its children along. One that cannot be written is undone alone and
 * reported: its job stays running, and is recovered at the next start.
 */
export function settleJobs(ledger: Ledger, settles: readonly Settle[], now: number, failed: FailedSettle[]): number[] {
  const stale: number[] = []
  const each = ledger.db.transaction((settle: Settle) => {
    const settled = settle.row === 'drop' ? drop(ledger, settle) : keep(ledger, settle)
    if (settled === 'stale') stale.push(settle.number)
    else if (settle.children !== undefined) appendChildren(ledger, settle.children, now)
  })
  for (const settle of settles) {
    try {
      each(settle)
    } catch (error) {
      if (!ledger.db.inTransaction || faultOf(error) !== undefined) throw error
      ledger.recount()
      failed.push({ number: settle.number, error: toErrorRecord(error) })
    }
  }
  return stale
}

/** All of them or none: a success that lost one of its children would lose it for ever. */
function appendChildren(ledger: Ledger, children: JobColumns, now: number): void {
  const [failure] = appendJobs(ledger, children, now, 'wait').failures
  if (failure !== undefined) throw fromErrorRecord(failure.error)
}

function drop(ledger: Ledger, { number, claim }: Settle): 'settled' | 'stale' {
  const row = ledger.sql.drop.get(number, claim)
  if (row === undefined) return 'stale'
  if (row.key !== null) ledger.sql.giveUpKey.run(row.task, row.key, number)
  ledger.sql.forgetAttempts.run(number)
  return 'settled'
}

function keep(ledger: Ledger, settle: Settle): 'settled' | 'stale' {
  const { number, claim, transition } = settle
  const row = ledger.sql.settle[transition].get(
    settle.attempt,
    settle.dueAt ?? null,
    settle.endedAt ?? null,
    settle.keepUntil ?? null,
    settle.output ?? null,
    number,
    claim,
  )
  if (row === undefined) return 'stale'
  if (settle.record !== undefined) {
    ledger.sql.recordAttempt.run(number, claim, settle.record)
    if (claim > ATTEMPTS_KEPT) ledger.sql.trimAttempts.run(number, number, ATTEMPTS_KEPT)
  }
  const to = transitions[transition].to
  if (to === 'available') ledger.addWaiting(ledger.tasks.indexOfId(row.task), row.rank, 1)
  if (isEnded(to)) ledger.sql.freeKey.run(number)
  else ledger.timesChanged = 'yes'
  return 'settled'
}
