import { PUBLICATIONS } from '../../lib/envelope.ts'
import type { HomewardOutcome } from '../../lib/homeward.ts'
import { isEnd } from '../../lib/homeward.ts'
import { type AttemptRecord, parseJobId } from '../../lib/job.ts'
import type { Outcome } from '../../lib/outcome.ts'
import type { SettleEntry } from '../journal/owner/gather.ts'
import type { OutcomeAtHome } from '../journal/protocol.ts'
import type { Ended } from '../messages.ts'

/** An outcome as this node's journal takes it; `undefined` for a job of another one. */
export function outcomeAtHome(outcome: HomewardOutcome, journal: string, now: number): OutcomeAtHome | undefined {
  const job = parseJobId(outcome.id)
  if (job === undefined || job.journal !== journal) return undefined
  const { transition, attempt, keepMs, keeps, nextInMs, record, output } = outcome
  const claim = Math.floor(outcome.claim / PUBLICATIONS)
  const ends = isEnd(outcome)
  return {
    number: job.number,
    claim,
    settle: {
      transition,
      row: keepMs === undefined && transition === 'succeed' ? 'drop' : 'keep',
      attempt,
      ...(ends && { endedAt: now, keepUntil: now + (keepMs ?? 0) }),
      ...(nextInMs !== undefined && { dueAt: now + nextInMs }),
      ...(keeps === 'output' && { output }),
      ...(record !== undefined && { record: JSON.stringify({ ...record, claim } satisfies AttemptRecord) }),
    },
    ...(!ends && { note: 'attempt' }),
  }
}

/** The same as what a place here would have told: who waits and who listens is told in one way. */
export function entryOf(
  outcome: HomewardOutcome,
  { number, claim, settle }: OutcomeAtHome,
  task: number,
  now: number,
): SettleEntry {
  const { attempt, input } = { attempt: Math.max(0, settle.attempt - 1), input: '' }
  const ended: Ended = {
    job: { number, task, input, claim, attempt, rank: 0, ord: 0, extra: null },
    outcome: outcomeOf(outcome),
    startedAt: outcome.ranMs === undefined ? undefined : now - outcome.ranMs,
    endedAt: outcome.ranMs === undefined ? undefined : now,
  }
  return { ended, settle: { number, claim, ...settle } }
}

function outcomeOf({ transition, output, record, nextInMs = 0 }: HomewardOutcome): Outcome {
  switch (transition) {
    case 'succeed':
      return { type: 'succeeded', output }
    case 'retry':
    case 'die':
      return { type: 'failed', error: record?.error ?? { name: 'Error', message: '' }, retry: 'by-policy' }
    case 'snooze':
      return { type: 'snoozed', delayMs: nextInMs }
    case 'discard':
      return { type: 'discarded', reason: record?.reason ?? '' }
    case 'cancel-running':
      return { type: 'cancelled' }
    case 'expire':
      return { type: 'expired' }
  }
}
