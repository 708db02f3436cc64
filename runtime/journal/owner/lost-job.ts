import { MillraceError } from '../../../lib/errors.ts'
import { formatJobId } from '../../../lib/job.ts'
import type { NewJob } from './gather.ts'
import type { Answer, Request } from '../protocol.ts'

/**
 * Answers for a job whose group was committed, but whose reply was lost with the journal's thread. The commit may have
 * gone through without it (a full disk, a key that another one has, as many that wait as may), so the journal is asked,
 * before anything of the group can have ended.
 */
export function resolveLostJob(job: NewJob, journal: string, ask: (request: Request) => Promise<Answer>): void {
  const { number, task } = job
  const key = job.extra?.key
  const id = formatJobId(journal, number)
  ask({ type: 'lost-job', number, task, key }).then(
    (answer) => {
      const holder = answer.type === 'holder' ? answer.number : undefined
      if (holder !== undefined) job.accepted(holder, holder === number ? 'new' : 'duplicate')
      else if (key === undefined) job.refused(notWritten(id))
      else job.refused(unknownOutcome(id, 'no job has its key now'))
    },
    (cause: unknown) => job.refused(unknownOutcome(id, 'the journal was lost before it could be asked', cause)),
  )
}

function notWritten(id: string): MillraceError {
  return new MillraceError(
    'MILLRACE_JOURNAL_IO',
    `${id} was not written, and the thread that knew why has died; nothing of it is left; enqueue it again`,
    { details: { id } },
  )
}

export function unknownOutcome(id: string, why: string, cause?: unknown): MillraceError {
  return new MillraceError(
    'MILLRACE_OUTCOME_UNKNOWN',
    `it is not known what became of the enqueue of ${id}, since ${why}; ask runtime.job(id).record(), or enqueue it again, with the same key if ` +
      'it had one',
    { cause, details: { id } },
  )
}
