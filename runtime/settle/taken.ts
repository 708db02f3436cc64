import { encodeOutcome, encodeSuccess, type HomewardOutcome, type HomewardTransition } from '../../lib/homeward.ts'
import type { AttemptRecord } from '../../lib/job.ts'
import { outputOf } from '../../lib/outcome.ts'
import type { Writable } from '../../lib/writable.ts'
import type { Settle, TakenEnd, TakenVerdict } from '../journal/protocol.ts'
import type { Ended, TakenClaim } from '../messages.ts'

const DONE: TakenVerdict = { type: 'done' }

export interface TakenCircumstances {
  readonly now: number
  /** A delay of at least so much is the broker's to keep; `undefined`: none is. */
  readonly stepMs: number | undefined
}

/**
 * What is written of a delivery: with its end the row goes, what the broker is told is remembered, and what goes home
 * stands in the journal until it was sent. One that goes on here keeps its row, and its delivery stays unsettled.
 */
export function settleTaken(
  settle: Settle | 'finish',
  ended: Ended,
  { envelope }: TakenClaim,
  { now, stepMs }: TakenCircumstances,
): Settle {
  if (settle === 'finish') return plainSuccess(ended, envelope)
  const { id, reply } = envelope
  const end = (verdict: TakenVerdict): TakenEnd => ({
    id,
    verdict,
    remember: 'yes',
    ...(reply !== undefined && { home: homewardOf(settle, ended, envelope, now) }),
  })
  switch (settle.transition) {
    case 'release':
      // Nothing has been answered, so there is nothing to remember: it may come again.
      return isLost(ended) ? { ...settle, taken: { id, verdict: DONE, remember: 'no' } } : settle
    case 'retry':
    case 'snooze': {
      const dueAt = settle.dueAt as number
      const goes = stepMs !== undefined && dueAt - now >= stepMs
      return goes ? { ...settle, taken: end({ type: 'again', attempt: settle.attempt, dueAt }) } : settle
    }
    case 'die':
      return { ...settle, taken: end(isPoison(ended) ? { type: 'dead', reason: 'MILLRACE_POISON' } : DONE) }
    default:
      return { ...settle, taken: end(DONE) }
  }
}

function homewardOf(settle: Settle, ended: Ended, envelope: TakenClaim['envelope'], now: number): string {
  const { id, task, claim } = envelope
  const { keepUntil, dueAt, record } = settle
  const ranMs = ranMsOf(ended)
  const home: HomewardOutcome = {
    id,
    task,
    claim,
    transition: settle.transition as HomewardTransition,
    attempt: settle.attempt,
    ...(settle.row === 'keep' && keepUntil !== undefined && { keepMs: Math.max(0, Math.round(keepUntil - now)) }),
    ...(settle.output !== undefined && { keeps: 'output' }),
    ...(dueAt !== undefined && { nextInMs: Math.max(0, Math.round(dueAt - now)) }),
    ...(ranMs !== undefined && { ranMs }),
    ...(record !== undefined && { record: JSON.parse(record) as AttemptRecord }),
    output: outputOf(ended.outcome),
  }
  return encodeOutcome(home)
}

/** Nearly every delivery's: a few objects less for each of them. */
function plainSuccess(ended: Ended, { id, task, claim, reply }: TakenClaim['envelope']): Settle {
  const { job } = ended
  const attempt = job.attempt + 1
  const taken: Writable<TakenEnd> = { id, verdict: DONE, remember: 'yes' }
  if (reply !== undefined) {
    taken.home = encodeSuccess({ id, task, claim, attempt, ranMs: ranMsOf(ended), output: outputOf(ended.outcome) })
  }
  return { number: job.number, claim: job.claim, transition: 'succeed', row: 'drop', attempt, taken }
}

function ranMsOf({ startedAt, endedAt = 0 }: Ended): number | undefined {
  // To the microsecond: it is text that is written, sent and read.
  return startedAt === undefined ? undefined : Math.max(0, Math.round((endedAt - startedAt) * 1_000) / 1_000)
}

function isLost({ outcome }: Ended): boolean {
  return outcome.type === 'interrupted' && outcome.cause === 'lost'
}

/** Only what takes nodes down is kept among the dead letters: the node that has the job has everything else. */
function isPoison({ outcome }: Ended): boolean {
  return outcome.type === 'failed' && outcome.error.code === 'MILLRACE_POISON'
}
