import { type ErrorRecord, toErrorRecord } from '../../lib/error-record.ts'
import type { AttemptRecord } from '../../lib/job.ts'
import type { Outcome } from '../../lib/outcome.ts'
import { type CustomBackoffs, retryDelayMs, type RetryPolicy } from '../../lib/retry.ts'
import type { TaskManifest } from '../../lib/task.ts'
import type { JobColumns, Settle } from '../journal/protocol.ts'
import { type ClaimedJob, type Ended, overridesOf } from '../messages.ts'

export const DEFAULT_AWAY_MS = 7 * 24 * 3_600_000

/** What decisions may depend on besides the outcome itself; the same for all that have ended together. */
export interface Circumstances {
  readonly now: number
  readonly keepEndedMs: number
  /** How long a job may be away. Default: 7 days. */
  readonly awayMs?: number
  readonly customs: CustomBackoffs
  random(): number
  /** Nothing for a task that nobody here handles: its jobs have only been sent, or have not started. */
  manifestOf(job: ClaimedJob): TaskManifest
  /** Whether somebody asked for the job's end while it ran. */
  wishOf(job: ClaimedJob): 'cancel' | undefined
  children(outcome: Extract<Outcome, { type: 'succeeded' }>): JobColumns | undefined
}

/**
 * Turns what a claim came to into what is written. 'finish' is the plain success of a job that has left nothing
 * anywhere: its row vanishes, and no statement is spent on anything else.
 */
export function decide(ended: Ended, circumstances: Circumstances): Settle | 'finish' {
  const decision = decided(ended, circumstances)
  const { startedAt, endedAt = circumstances.now } = ended
  if (decision === 'finish' || startedAt === undefined) return decision
  if (circumstances.manifestOf(ended.job).limits === undefined) return decision
  return { ...decision, startedAt, ranMs: Math.max(0, endedAt - startedAt) }
}

function decided(ended: Ended, circumstances: Circumstances): Settle | 'finish' {
  const { outcome, job } = ended
  // Whatever somebody wants of it now: it is on its way.
  if (outcome.type === 'held') return handedOver(ended, circumstances)
  if (outcome.type === 'succeeded') return success(ended, outcome, circumstances)
  if (circumstances.wishOf(job) === 'cancel')
    return end(ended, 'cancel-running', circumstances, { attempt: job.attempt })
  switch (outcome.type) {
    case 'failed':
      return failure(ended, outcome, circumstances)
    case 'snoozed':
      return {
        ...base(ended, 'snooze', job.attempt),
        dueAt: circumstances.now + outcome.delayMs,
        ...recorded(ended, circumstances.now, 'snoozed', {}),
      }
    case 'discarded':
      return end(ended, 'discard', circumstances, { attempt: job.attempt + 1, reason: outcome.reason })
    case 'cancelled':
      return end(ended, 'cancel-running', circumstances, { attempt: job.attempt })
    case 'expired':
      return end(ended, 'expire', circumstances, { attempt: job.attempt })
    case 'interrupted':
      return released(ended)
    case 'put-off':
      // Its own delay stays: what is tried again sooner would run sooner.
      return {
        ...base(ended, 'snooze', job.attempt),
        dueAt: Math.max(circumstances.now + outcome.delayMs, job.extra?.dueAt ?? 0),
      }
  }
}

function handedOver(ended: Ended, { now, awayMs = DEFAULT_AWAY_MS }: Circumstances): Settle {
  return { ...base(ended, 'hand-over', ended.job.attempt), keepUntil: now + awayMs }
}

/** For a claim that is given back unused. */
export function released(ended: Ended): Settle {
  return base(ended, 'release', ended.job.attempt)
}

/** For a claim of which nothing can be decided, whatever it came to: its row or its circumstances are damaged. */
export function undecidable(
  { job, startedAt, endedAt }: Ended,
  thrown: unknown,
  circumstances: Pick<Circumstances, 'now' | 'keepEndedMs'>,
): { readonly ended: Ended; readonly settle: Settle } {
  const error = toErrorRecord(thrown)
  const ended: Ended = { job, outcome: { type: 'failed', error, retry: 'never' }, startedAt, endedAt }
  return { ended, settle: end(ended, 'die', circumstances, { attempt: job.attempt + 1, error }) }
}

function success(
  ended: Ended,
  outcome: Extract<Outcome, { type: 'succeeded' }>,
  { manifestOf, now, children }: Circumstances,
): Settle | 'finish' {
  const { job } = ended
  const manifest = manifestOf(job)
  const keepResultMs = overridesOf(job).keepResultMs ?? manifest.keepResultMs
  const keepMs = Math.max(keepResultMs ?? 0, manifest.keepHistory?.forMs ?? 0)
  const columns = outcome.children === undefined ? undefined : children(outcome)
  const traceless = job.claim === 1 && job.extra?.key === undefined && manifest.limits?.fair === undefined
  if (keepMs === 0 && traceless && columns === undefined) return 'finish'
  const settle = { ...base(ended, 'succeed', job.attempt + 1), ...(columns !== undefined && { children: columns }) }
  if (keepMs === 0) return { ...settle, row: 'drop' }
  return {
    ...settle,
    endedAt: now,
    keepUntil: now + keepMs,
    ...(keepResultMs !== undefined && { output: outcome.output }),
    ...(manifest.keepHistory !== undefined && recorded(ended, now, 'succeeded', {})),
  }
}

function failure(ended: Ended, outcome: Extract<Outcome, { type: 'failed' }>, circumstances: Circumstances): Settle {
  const { manifestOf, random, customs, now } = circumstances
  const attempt = ended.job.attempt + 1
  const policy = (): RetryPolicy => overridesOf(ended.job).retry ?? manifestOf(ended.job).retry
  const delayMs =
    outcome.retry === 'never' ? undefined : retryDelayMs(policy(), attempt, random, customs, outcome.error)
  if (delayMs === undefined) return end(ended, 'die', circumstances, { attempt, error: outcome.error })
  return {
    ...base(ended, 'retry', attempt),
    dueAt: now + delayMs,
    ...recorded(ended, now, 'failed', { error: outcome.error }),
  }
}

function end(
  ended: Ended,
  transition: 'die' | 'discard' | 'cancel-running' | 'expire',
  { now, keepEndedMs, manifestOf }: Pick<Circumstances, 'now' | 'keepEndedMs'> & Partial<Circumstances>,
  facts: { readonly attempt: number; readonly error?: ErrorRecord; readonly reason?: string },
): Settle {
  const types = { die: 'failed', discard: 'discarded', 'cancel-running': 'cancelled', expire: undefined } as const
  const type = facts.error?.code === 'MILLRACE_POISON' ? 'crashed' : types[transition]
  return {
    ...base(ended, transition, facts.attempt),
    endedAt: now,
    keepUntil: now + (manifestOf?.(ended.job)?.keepEndedMs ?? keepEndedMs),
    ...(type !== undefined && recorded(ended, now, type, facts)),
  }
}

function base(ended: Ended, transition: Settle['transition'], attempt: number): Settle {
  return { number: ended.job.number, claim: ended.job.claim, transition, row: 'keep', attempt }
}

function recorded(
  ended: Ended,
  now: number,
  type: AttemptRecord['type'],
  facts: { readonly error?: ErrorRecord; readonly reason?: string },
): { readonly record: string } {
  const { job, outcome, startedAt, endedAt } = ended
  const record: AttemptRecord = {
    claim: job.claim,
    attempt: job.attempt + 1,
    ...(startedAt !== undefined && { startedAt: Math.round(startedAt) }),
    endedAt: Math.round(endedAt ?? now),
    type,
    ...(facts.error !== undefined && { error: facts.error }),
    ...(facts.reason !== undefined && { reason: facts.reason }),
    ...('log' in outcome && outcome.log !== undefined && { log: outcome.log }),
  }
  return { record: JSON.stringify(record) }
}
