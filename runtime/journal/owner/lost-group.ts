import { MillraceError } from '../../../lib/errors.ts'
import { formatJobId } from '../../../lib/job.ts'
import { ALL_SETTLED, reportSettles } from './acknowledge.ts'
import { type Gather, refuseBarriers, refuseTaken, type RequestEntry, type Sent } from './gather.ts'
import type { JournalListener } from './listener.ts'
import { resolveLostJob, unknownOutcome } from './lost-job.ts'
import type { EndedRow } from '../store/expired.ts'
import type { Answer, OpenedJournal, Request } from '../protocol.ts'
import { mayBeRefused } from '../refusal.ts'

/** What was under way when the thread died: committed groups are acknowledged, the others sent again. */
export function resolveLost(
  lost: Sent[],
  { commits, name }: OpenedJournal,
  gather: Gather,
  listener: JournalListener,
): void {
  const open = lost.splice(lost.filter(({ group }) => group.number <= commits).length)
  gather.sendAgain(open)
  for (const sent of lost) {
    // Asked again, the journal says what has become of them.
    sent.taken.forEach((entry) => gather.addTaken(entry))
    reportSettles(sent, ALL_SETTLED, listener)
    resolveLostGroup(sent, name, gather.askFirst)
  }
  askMissed(lost, gather.askFirst, (ended) => listener.missed(ended))
}

/**
 * Answers callers while nobody can say whether their group was committed, which may be for as long as a disk fails. Returns
 * what goes on waiting: without their jobs, so that none is written after its answer. Deliveries are among it: another node
 * would run one that was committed here.
 */
export function disclaimGroup(sent: Sent, journal: string, error: unknown): Sent {
  for (const job of sent.jobs) {
    job.refused(unknownOutcome(formatJobId(journal, job.number), 'the disk of the journal fails', error))
  }
  const requests = sent.requests.filter((entry) => {
    if (!mayBeRefused(entry.request, 'some')) return true
    const isOurs = ONCE_MORE.includes(entry.request.type)
    entry.refused(isOurs ? error : unknownAnswer(entry.request, 'it was carried out, or nothing of it was', error))
    return false
  })
  return { ...sent, jobs: [], requests, barriers: refuseBarriers(sent.barriers, error) }
}

/** Answers for a group that was committed, but whose reply was lost with the journal's thread. */
function resolveLostGroup(sent: Sent, journal: string, ask: (request: Request) => Promise<Answer>): void {
  // Who asks is put in front of all that waits: so the last one asks first.
  for (const entry of sent.requests.toReversed()) resolveLostRequest(entry, ask)
  for (const job of sent.jobs.toReversed()) resolveLostJob(job, journal, ask)
  for (const barrier of sent.barriers) barrier.passed()
}

/**
 * What the journal has ended by itself in lost commits, which nobody was told. The row of a job says so until somebody has
 * it run again: so this is asked first of all.
 */
function askMissed(
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
