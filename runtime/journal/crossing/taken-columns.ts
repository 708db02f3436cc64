import type { Writable } from '../../../lib/writable.ts'
import type { TakenColumns, TakenExtra, TakenJob } from './crossing.ts'

const FACTS = 6

export function takenColumnsOf(jobs: readonly TakenJob[]): TakenColumns {
  const facts = new Float64Array(jobs.length * FACTS)
  const replies = new Map<string, number>()
  let extras: (TakenExtra | null)[] | null = null
  jobs.forEach((job, at) => {
    const { number, task, claim, attempt, createdAt, reply } = job
    if (reply !== undefined && !replies.has(reply)) replies.set(reply, replies.size)
    const from = at * FACTS
    facts[from] = number
    facts[from + 1] = task
    facts[from + 2] = claim
    facts[from + 3] = attempt
    facts[from + 4] = createdAt
    facts[from + 5] = reply === undefined ? -1 : (replies.get(reply) as number)
    const extra = extraOf(job)
    if (extra === null) return
    extras ??= new Array<TakenExtra | null>(jobs.length).fill(null)
    extras[at] = extra
  })
  return {
    facts,
    ids: jobs.map(({ id }) => id),
    inputs: jobs.map(({ input }) => input),
    replies: [...replies.keys()],
    extras,
  }
}

export function takenJobsOf({ facts, ids, inputs, replies, extras }: TakenColumns): readonly TakenJob[] {
  const jobs = new Array<TakenJob>(ids.length)
  for (let at = 0; at < ids.length; at++) {
    const from = at * FACTS
    const job: Writable<TakenJob> = {
      number: facts[from] as number,
      task: facts[from + 1] as number,
      claim: facts[from + 2] as number,
      attempt: facts[from + 3] as number,
      createdAt: facts[from + 4] as number,
      id: ids[at] as string,
      input: inputs[at] as string,
    }
    const reply = replies[facts[from + 5] as number]
    if (reply !== undefined) job.reply = reply
    if (extras !== null) Object.assign(job, extras[at])
    jobs[at] = job
  }
  return jobs
}

/** `null` for a job of which there is no more to say: nearly all. */
function extraOf({ priority, overrides, expiresAt, part, suspect }: TakenJob): TakenExtra | null {
  const isPlain = priority === undefined && expiresAt === undefined && part === undefined && suspect === undefined
  if (isPlain && overrides === undefined) return null
  return {
    ...(priority !== undefined && { priority }),
    ...(overrides !== undefined && { overrides }),
    ...(expiresAt !== undefined && { expiresAt }),
    ...(part !== undefined && { part }),
    ...(suspect !== undefined && { suspect }),
  }
}
