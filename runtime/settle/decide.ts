import type { ErrorRecord } from '../../lib/error-record.ts'
import type { AttemptRecord } from '../../lib/job.ts'
import type { Outcome } from '../../lib/outcome.ts'
import { retryDelayMs, type RetryPolicy } from '../../lib/retry.ts'
import type { TaskManifest } from '../../lib/task.ts'
import type { JobColumns, Settle } from '../journal/protocol.ts'
import { type Ended, overridesOf } from '../messages.ts'

export type CustomBackoffs = ReadonlyMap<string, (attempt: number, error: ErrorRecord) => number>

/** What a decision may depend on besides the outcome itself. */
export interface Circumstances {
  readonly now: number
  readonly manifest: TaskManifest
  /** Somebody asked for the job's end while it ran. */
  readonly wish: 'cancel' | undefined
  readonly keepEndedMs: number
  readonly customs: CustomBackoffs
  random(): number
  children(outcome: Extract<Outcome, { type: 'succeeded' }>): JobColumns | undefined
}

/**
 * Turns what a claim came to into what is written. 'finish' is the plain success of a job that has left nothing
 * anywhere: its row vanishes, and no statement is spent on anything else.
 */
export function decide(ended: Ended, circumstances: Circumstances): Settle | 'finish' {
  const { outcome, job } = ended
  if (outcome.type === 'succeeded') return success(ended, outcome, circumstances)
  if (circumstances.wish === 'cancel') return end(ended, 'cancel-running', circumstances, { attempt: job.attempt })
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
      return base(ended, 'release', job.attempt)
  }
}

function success(
  ended: Ended,
  outcome: Extract<Outcome, { type: 'succeeded' }>,
  { manifest, now, children }: Circumstances,
): Settle | 'finish' {
  const { job } = ended
  const keepResultMs = overridesOf(job).keepResultMs ?? manifest.keepResultMs
  const keepMs = Math.max(keepResultMs ?? 0, manifest.keepHistory?.forMs ?? 0)
  const columns = outcome.children === undefined ? undefined : children(outcome)
  const traceless = job.claim === 1 && job.extra?.key === undefined
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
  const { manifest, random, customs, now } = circumstances
  const attempt = ended.job.attempt + 1
  const policy: RetryPolicy = overridesOf(ended.job).retry ?? manifest.retry
  const delayMs = outcome.retry === 'never' ? undefined : retryDelayMs(policy, attempt, random, customs, outcome.error)
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
  { now, keepEndedMs, manifest }: Circumstances,
  facts: { readonly attempt: number; readonly error?: ErrorRecord; readonly reason?: string },
): Settle {
  const types = { die: 'failed', discard: 'discarded', 'cancel-running': 'cancelled', expire: undefined } as const
  const type = types[transition]
  return {
    ...base(ended, transition, facts.attempt),
    endedAt: now,
    keepUntil: now + (manifest.keepEndedMs ?? keepEndedMs),
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
