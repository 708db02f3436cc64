import { fromErrorRecord } from '../../lib/error-record.ts'
import { DEFAULT_PRIORITY, type JobExtra } from '../../lib/job.ts'
import type { ClaimedJob } from '../messages.ts'
import type { NewJob, Sent } from './gather.ts'
import { appended, type ClaimColumns, type Reply } from './protocol.ts'

const DEFAULT_RANK = 9 - DEFAULT_PRIORITY

/** Answers every caller of a group whose new jobs were written, each by its own outcome. */
export function acknowledge(sent: Sent, reply: Reply): void {
  const duplicateOf = pairs(reply.duplicates)
  const failed = new Map(reply.failures.map(({ index, error }) => [index, error]))
  for (let at = 0; at < sent.jobs.length; at++) {
    const job = sent.jobs[at] as NewJob
    const error = failed.size === 0 ? undefined : failed.get(at)
    const first = duplicateOf?.get(at)
    if (error !== undefined) job.refused(fromErrorRecord(error))
    else if (first === undefined) job.accepted(job.number, 'new')
    else job.accepted(first, 'duplicate')
  }
}

/** The jobs that a commit wrote as claimed, as the hand takes them. */
export function shortCutsOf(sent: Sent, reply: Reply): ClaimedJob[] {
  const claimed: ClaimedJob[] = []
  for (let at = 0; at < sent.jobs.length; at++) {
    if (reply.appended[at] !== appended.claimed) continue
    const { number, task, input, extra } = sent.jobs[at] as NewJob
    const rank = extra?.priority === undefined ? DEFAULT_RANK : 9 - extra.priority
    claimed.push({
      number,
      task,
      input,
      claim: 1,
      attempt: 0,
      rank,
      ord: reply.firstOrd + at,
      extra: claimExtra(extra),
    })
  }
  return claimed
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

function pairs(flat: readonly number[]): Map<number, number> | undefined {
  if (flat.length === 0) return undefined
  const map = new Map<number, number>()
  for (let at = 0; at < flat.length; at += 2) map.set(flat[at] as number, flat[at + 1] as number)
  return map
}
