import { MillraceError } from '../../lib/errors.ts'
import { formatJobId } from '../../lib/job.ts'
import { refuseTaken, type RequestEntry, type Sent } from './gather.ts'
import { resolveLostJob, unknownOutcome } from './lost-job.ts'
import type { EndedRow } from './expired.ts'
import type { Answer, Request } from './protocol.ts'

/** Answers for a group that was committed, but whose reply was lost with the journal's thread. */
export function resolveLostGroup(sent: Sent, journal: string, ask: (request: Request) => Promise<Answer>): void {
  // Who asks is put in front of all that waits: so the last one asks first.
  for (const entry of sent.requests.toReversed()) resolveLostRequest(entry, ask)
  for (const job of sent.jobs.toReversed()) resolveLostJob(job, journal, ask)
  for (const barrier of sent.barriers) barrier.passed()
}

/**
 * What the journal has ended by itself in lost commits, which nobody was told. The row of a job says so until somebody has
 * it run again: so this is asked first of all.
 */
export function askMissed(
  lost: readonly Sent[],
  ask: (request: Request) => Promise<Answer>,
  tell: (ended: readonly EndedRow[]) => void,
): void {
  if (lost.length === 0) return
  ask({ type: 'ended-at', instants: lost.map(({ group }) => group.now) }).then(
    (answer) => answer.type === 'ended-at' && tell(answer.jobs),
    () => 'the journal is closed, and nothing is told any more',
  )
}

const ONCE_MORE: readonly Request['type'][] = [
  ...(['reconcile', 'interrupted', 'sweep', 'trial', 'probe', 'lost-job', 'ended-at'] as const),
  ...(['unsent', 'sent-home', 'unwant', 'give-up-away'] as const),
]

/** What the owner asks of itself may be done twice. Who else asks again would hear what the first time has left. */
function resolveLostRequest({ request, answered, refused }: RequestEntry, ask: (request: Request) => Promise<Answer>) {
  if (ONCE_MORE.includes(request.type)) return void ask(request).then(answered, refused)
  refused(unknownAnswer(request, 'it was carried out as far as it could be'))
}

/** Answers for a group of which nobody can be asked any more whether it was committed. */
export function abandonGroup({ jobs, taken, requests, barriers }: Sent, journal: string, error: unknown): void {
  // Whoever has the journal now has refused it: nothing of the group was written.
  const isRefused = error instanceof MillraceError && error.code === 'MILLRACE_JOURNAL_LOST'
  for (const job of jobs) {
    const id = formatJobId(journal, job.number)
    job.refused(isRefused ? error : unknownOutcome(id, 'the journal was given up before it answered', error))
  }
  refuseTaken(taken, error)
  for (const { request, refused } of requests) {
    refused(isRefused ? error : unknownAnswer(request, 'it was carried out, or nothing of it was', error))
  }
  for (const barrier of barriers) barrier.passed()
}

function unknownAnswer({ type }: Request, extent: string, cause?: unknown): MillraceError {
  return new MillraceError(
    'MILLRACE_OUTCOME_UNKNOWN',
    `the thread of the journal ended before it said what came of this ${type}; ${extent}; look at the record`,
    { cause },
  )
}
