import { PUBLICATIONS } from '../../../lib/envelope.ts'
import { type ErrorRecord, fromErrorRecord, toErrorRecord } from '../../../lib/error-record.ts'
import { isEnded, transitions } from '../../../lib/job-state.ts'
import { addAliases } from './aliases.ts'
import { appendJobs } from './append.ts'
import { each } from './each.ts'
import type { Ledger } from './ledger.ts'
import type { JobColumns, RowSettle, Settle } from '../protocol.ts'
import { isTakenNumber } from '../schema/schema.ts'
import { endTaken } from '../crossing/taken.ts'

const ATTEMPTS_KEPT = 20

/**
 * Plain successes, as pairs of number and claim: the rows vanish. Returns the numbers whose claim was no longer theirs:
 * the first committed outcome wins.
 */
export function finishJobs(ledger: Ledger, done: Float64Array): number[] {
  const stale: number[] = []
  const { holds } = ledger.regulator
  for (let at = 0; at < done.length; at += 2) {
    const number = done[at] as number
    if (ledger.sql.finish.run(number, done[at + 1] as number).changes === 0) stale.push(number)
    else if (holds) ledger.regulator.finished(number)
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
export function settleJobs(
  ledger: Ledger,
  settles: readonly RowSettle[],
  now: number,
  failed: FailedSettle[],
): number[] {
  const results = each(
    ledger,
    settles,
    (settle): Settled => {
      const settled = settleOne(ledger, settle, now)
      if (settled === 'settled' && settle.children !== undefined) appendChildren(ledger, settle.children, now)
      return settled
    },
    ({ number }, error): Settled => {
      failed.push({ number, error: toErrorRecord(error) })
      return 'settled'
    },
  )
  return settles.filter((_, at) => results[at] === 'stale').map(({ number }) => number)
}

type Settled = 'settled' | 'stale'

/** Without its children. */
export function settleOne(ledger: Ledger, settle: RowSettle, now: number): Settled {
  if (settle.taken !== undefined) return endTaken(ledger, settle, settle.taken, now)
  ledger.writeLate(settle.number)
  return settle.row === 'drop' ? drop(ledger, settle) : keep(ledger, settle)
}

/** All of them or none: a success that lost one of its children would lose it for ever. */
function appendChildren(ledger: Ledger, children: JobColumns, now: number): void {
  const { duplicates, failures } = appendJobs(ledger, children, now, 'wait')
  const [failure] = failures
  if (failure !== undefined) throw fromErrorRecord(failure.error)
  // Their attempt was given an id of each, and may have told it.
  addAliases(ledger, children.numbers, duplicates, now)
}

function drop(ledger: Ledger, settle: Settle): Settled {
  const { number, claim } = settle
  const row = ledger.sql.drop.get(number, claim)
  if (row === undefined) return 'stale'
  if (ledger.regulator.holds) ledger.regulator.ended(settle)
  if (row.key !== null) ledger.sql.giveUpKey.run(row.task, row.key, number)
  ledger.sql.forgetAttempts.run(number)
  return 'settled'
}

function keep(ledger: Ledger, settle: RowSettle): Settled {
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
  if (settle.record !== undefined) recordAttempt(ledger, number, attemptKey(number, claim), settle.record)
  const to = transitions[transition].to
  if (ledger.regulator.holds) ledger.regulator.ended(settle)
  if (to === 'available') ledger.beginsToWait({ ...row, task: ledger.tasks.indexOfId(row.task) })
  if (isEnded(to)) ledger.sql.freeKey.run(number)
  else ledger.timesChanged = 'yes'
  return 'settled'
}

/** The claim as other nodes see it, so that attempts here and there stand in one order; that of a taken job is so already. */
function attemptKey(number: number, claim: number): number {
  return isTakenNumber(number) ? claim : claim * PUBLICATIONS
}

/** Of many attempts the last ones are kept. `key` orders them. */
export function recordAttempt(ledger: Ledger, number: number, key: number, record: string): void {
  ledger.sql.recordAttempt.run(number, key, record)
  // A few claims are a few attempts, but for those that others have made within one.
  if (key > ATTEMPTS_KEPT * PUBLICATIONS || key % PUBLICATIONS > 0)
    ledger.sql.trimAttempts.run(number, number, ATTEMPTS_KEPT)
}
