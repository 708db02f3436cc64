import type { Settle } from '../../runtime/journal/protocol.ts'
import type { ClaimedJob } from '../../runtime/messages.ts'
import { KEEP_MS } from './journal-openers.ts'

/** A settle of the given kind with what its row must have. */
export function settleOf(job: ClaimedJob, transition: Settle['transition'], now: number): Settle {
  const charged = transition === 'retry' || transition === 'die' || transition === 'succeed' || transition === 'discard'
  const base: Settle = {
    number: job.number,
    claim: job.claim,
    transition,
    row: 'keep',
    attempt: job.attempt + (charged ? 1 : 0),
  }
  if (transition === 'release') return base
  if (transition === 'retry' || transition === 'snooze') return { ...base, dueAt: now + 1_000 }
  if (transition === 'hand-over') return { ...base, keepUntil: now + KEEP_MS }
  return { ...base, endedAt: now, keepUntil: now + KEEP_MS }
}
