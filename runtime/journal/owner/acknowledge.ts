import { overridesWithId } from '../../../lib/envelope.ts'
import { fromErrorRecord } from '../../../lib/error-record.ts'
import type { JobExtra } from '../../../lib/job.ts'
import type { ClaimedJob } from '../../messages.ts'
import type { NewJob, Sent, SettleEntry } from './gather.ts'
import { CLAIMED, WAITS } from '../crossing/crossing.ts'
import type { JournalListener } from './listener.ts'
import { type Answer, appended, type ClaimColumns, type Reply, type TakenAnswers, type TakenJob } from '../protocol.ts'
import { overloaded } from '../refusal.ts'
import { OUTBOUND_RANK, rankOf } from '../schema/schema.ts'

/** Answers every caller of a group whose new jobs were written, each by its own outcome. */
export function acknowledge(sent: Sent, reply: Reply, holdBack: (job: NewJob) => void): void {
  const duplicateOf = pairs(reply.duplicates)
  const failed = new Map(reply.failures.map(({ index, error }) => [index, error]))
  for (let at = 0; at < sent.jobs.length; at++) {
    const job = sent.jobs[at] as NewJob
    const error = failed.size === 0 ? undefined : failed.get(at)
    const first = duplicateOf?.get(at)
    const as = reply.appended[at]
    if (as === appended.overloaded) job.refused(overloaded())
    else if (as === appended['held-back']) holdBack(job)
    else if (error !== undefined) job.refused(fromErrorRecord(error))
    else if (first === undefined) job.accepted(job.number, 'new')
    else job.accepted(first, 'duplicate')
  }
}

/** Everybody else who waits for the commit of the group. */
export function answerOthers({ barriers, requests }: Sent, { answers }: Reply): void {
  for (const barrier of barriers) barrier.passed()
  requests.forEach((entry, at) => entry.answered(answers[at] as Answer))
}

type Unsettled = Pick<Reply, 'stale' | 'failedSettles' | 'lastErrors'>

export const ALL_SETTLED: Unsettled = { stale: [], failedSettles: [] }

const NONE: ReadonlySet<number> = new Set()

/** Tells which outcomes of a group are written, and which cannot be. */
export function reportSettles({ finished, settles }: Sent, reply: Unsettled, listener: JournalListener): void {
  if (finished.length === 0 && settles.length === 0) return
  const { stale, failedSettles, lastErrors } = reply
  const none = stale.length === 0 && failedSettles.length === 0
  const unsettled = none ? NONE : new Set([...stale, ...failedSettles.map(({ number }) => number)])
  listener.settled(finished, lastErrors === undefined ? settles : withLastErrors(settles, lastErrors), unsettled)
  if (failedSettles.length > 0) reportUnwritten(settles, failedSettles, listener)
}

/** Those that have expired bring along what the journal knows of the attempt before. */
function withLastErrors(
  settles: readonly SettleEntry[],
  errors: NonNullable<Reply['lastErrors']>,
): readonly SettleEntry[] {
  return settles.map((entry) => {
    const error = errors.get(entry.settle.number)
    if (error === undefined || entry.ended.outcome.type !== 'expired') return entry
    return { ...entry, ended: { ...entry.ended, outcome: { type: 'expired', error } } }
  })
}

function reportUnwritten(
  settles: readonly SettleEntry[],
  failedSettles: Reply['failedSettles'],
  listener: JournalListener,
): void {
  const failed = new Map(failedSettles.map(({ number, error }) => [number, fromErrorRecord(error)]))
  for (const { ended } of settles) {
    const error = failed.get(ended.job.number)
    if (error !== undefined) listener.unsettled(ended.job, error)
  }
}

/** The jobs that a commit wrote as claimed, as the hand takes them. */
export function shortCutsOf(sent: Sent, reply: Reply): ClaimedJob[] {
  const claimed: ClaimedJob[] = []
  for (let at = 0; at < sent.jobs.length; at++) {
    const as = reply.appended[at]
    if (as !== appended.claimed && as !== appended['claimed-out']) continue
    const { number, task, input, extra } = sent.jobs[at] as NewJob
    const goesOut = as === appended['claimed-out']
    // One literal, with its keys in the order of all other claims: a second shape made each job a fifth dearer.
    claimed.push({
      number,
      task,
      input,
      claim: 1,
      attempt: 0,
      rank: rankOf(extra?.priority) + (goesOut ? OUTBOUND_RANK : 0),
      ord: reply.firstOrd + at,
      extra: goesOut ? outboundExtra(extra, sent.group.now) : claimExtra(extra),
    })
  }
  return claimed
}

const NOTHING_TAKEN: TakenAnswers = { claimed: new Uint8Array(0), others: new Map() }

/** The same of deliveries, each of which is answered. */
export function acknowledgeTaken({ taken }: Sent, reply: Reply): ClaimedJob[] {
  const { claimed, others } = reply.taken ?? NOTHING_TAKEN
  const jobs: ClaimedJob[] = []
  taken.forEach((entry, at) => {
    const answer = others.get(at) ?? (claimed[at] === 1 ? CLAIMED : WAITS)
    // What is here under the very number was written by a commit whose reply was lost.
    const isOurs = answer.type === 'here' && answer.number === entry.job.number
    entry.answered(isOurs ? WAITS : answer)
    const isClaimed = answer.type === 'taken' && answer.claimed === 'yes'
    if (isClaimed) jobs.push(claimedFrom(entry.job, (reply.takenOrd as number) + at))
  })
  return jobs
}

function claimedFrom(job: TakenJob, ord: number): ClaimedJob {
  const { number, task, input, attempt, priority } = job
  return { number, task, input, claim: 1, attempt, rank: rankOf(priority), ord, extra: takenExtra(job) }
}

export function claimedJobs(claim: ClaimColumns): ClaimedJob[] {
  return claim.numbers.map((number, at) => ({
    number,
    task: claim.tasks[at] as number,
    input: claim.inputs[at] as string,
    claim: claim.claims[at] as number,
    attempt: claim.attempts[at] as number,
    rank: claim.ranks[at] as number,
    ord: claim.ords[at] as number,
    extra: claim.extras[at] ?? null,
  }))
}

function claimExtra(extra: JobExtra | null): ClaimedJob['extra'] {
  if (extra === null) return null
  const { overrides, key, expiresAt } = extra
  if (overrides === undefined && key === undefined && expiresAt === undefined) return null
  return {
    ...(overrides !== undefined && { overrides }),
    ...(key !== undefined && { key }),
    ...(expiresAt !== undefined && { expiresAt }),
  }
}

function outboundExtra(extra: JobExtra | null, now: number): ClaimedJob['extra'] {
  const { dueAt, part } = extra ?? {}
  const isDelayed = dueAt !== undefined && dueAt > now
  if (!isDelayed && part === undefined) return claimExtra(extra)
  return { ...claimExtra(extra), ...(isDelayed && { dueAt }), ...(part !== undefined && { part }) }
}

function takenExtra(job: TakenJob): ClaimedJob['extra'] {
  const overrides = overridesWithId(job)
  return job.expiresAt === undefined ? { overrides } : { overrides, expiresAt: job.expiresAt }
}

function pairs(flat: readonly number[]): Map<number, number> | undefined {
  if (flat.length === 0) return undefined
  const map = new Map<number, number>()
  for (let at = 0; at < flat.length; at += 2) map.set(flat[at] as number, flat[at + 1] as number)
  return map
}
