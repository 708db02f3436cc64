import { PUBLICATIONS } from '../../../lib/envelope.ts'
import { toErrorRecord } from '../../../lib/error-record.ts'
import type { AttemptRecord } from '../../../lib/job.ts'
import { each } from '../store/each.ts'
import type { Ledger } from '../store/ledger.ts'
import { noOutcome } from './no-outcome.ts'
import type { Answer, OutcomeAtHome, RowSettle } from '../protocol.ts'
import { recordAttempt, settleOne } from '../store/settle.ts'

type Came = 'came' | 'stale' | 'failed'

/** A broker holds these; returns the numbers of those whose claim was no longer theirs. */
export function handOver({ sql }: Ledger, handedOver: Float64Array): number[] {
  const stale: number[] = []
  for (let at = 0; at < handedOver.length; at += 3) {
    const number = handedOver[at] as number
    const { changes } = sql.handOver.run(handedOver[at + 2] as number, number, handedOver[at + 1] as number)
    if (changes === 0) stale.push(number)
  }
  return stale
}

/** Applies outcomes to their jobs that are away. */
export function comeHome(ledger: Ledger, outcomes: readonly OutcomeAtHome[], now: number): Answer {
  const came = each(
    ledger,
    outcomes,
    (outcome) => arrive(ledger, outcome, now),
    (): Came => 'failed',
  )
  return { type: 'home', came }
}

/** An outcome takes the job from away to running, and from there to its end as any other. */
function arrive(ledger: Ledger, { number, claim, settle, note }: OutcomeAtHome, now: number): Came {
  const { record, ...end } = settle
  if (note === 'attempt') {
    if (ledger.sql.noteAttempt.run(settle.attempt, number, claim).changes === 0) return 'stale'
    if (record !== undefined) recordAttempt(ledger, number, attemptKey(claim, settle, 'note'), record)
    return 'came'
  }
  if (ledger.sql.comeHome.run(number, claim).changes === 0) return 'stale'
  const whole: RowSettle = { ...end, number, claim }
  if (settleOne(ledger, whole, now) === 'stale') throw new Error(`job ${number} has come home and is not running`)
  const isKept = record !== undefined && settle.row === 'keep'
  if (isKept) recordAttempt(ledger, number, attemptKey(claim, settle, 'end'), record)
  return 'came'
}

/** All attempts of a job that is away are of one claim here: each has a key of its own, and they sort as they were. */
function attemptKey(claim: number, { attempt }: OutcomeAtHome['settle'], of: 'note' | 'end'): number {
  return claim * PUBLICATIONS + attempt * 2 + (of === 'end' ? 1 : 0)
}

/** Ends jobs whose outcome has not come home in their time. */
export function giveUpAway(ledger: Ledger, now: number, limit: number): Answer {
  const overdue = ledger.sql.overdueAway.all(now, limit)
  const error = toErrorRecord(noOutcome())
  const jobs = overdue.map(({ id, task, claim, attempt: ended }) => {
    const attempt = ended + 1
    const index = ledger.tasks.indexOfId(task)
    ledger.sql.freeKey.run(id)
    ledger.sql.giveUp.run(now, ledger.keepTimes.until(id, index, now), id)
    const record: AttemptRecord = { claim, attempt, endedAt: now, type: 'failed', error }
    recordAttempt(ledger, id, (claim + 1) * PUBLICATIONS - 1, JSON.stringify(record))
    return { number: id, task: index, attempt }
  })
  return { type: 'given-up', jobs }
}
