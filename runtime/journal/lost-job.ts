import { MillraceError } from '../../lib/errors.ts'
import type { NewJob } from './gather.ts'
import type { Answer, Request } from './protocol.ts'

/**
 * Answers for a job whose group was committed, but whose reply was lost with the journal's thread. The commit may have
 * gone through without it (a full disk, a key that another one has, as many that wait as may), so the journal is asked,
 * before anything of the group can have ended.
 */
export function resolveLostJob(job: NewJob, ask: (request: Request) => Promise<Answer>): void {
  const { number, task } = job
  const key = job.extra?.key
  ask({ type: 'lost-job', number, task, key }).then(
    (answer) => {
      const holder = answer.type === 'holder' ? answer.number : undefined
      if (holder !== undefined) job.accepted(holder, holder === number ? 'new' : 'duplicate')
      else if (key === undefined) job.refused(notWritten(number))
      else job.refused(unknown(number, 'no job has its key now'))
    },
    (cause: unknown) => job.refused(unknown(number, 'the journal was lost before it could be asked', cause)),
  )
}

function notWritten(number: number): MillraceError {
  return new MillraceError(
    'MILLRACE_JOURNAL_IO',
    `job ${number} was not written, and the thread that knew why has died; nothing of it is left; enqueue it again`,
    { details: { number } },
  )
}

function unknown(number: number, why: string, cause?: unknown): MillraceError {
  return new MillraceError(
    'MILLRACE_OUTCOME_UNKNOWN',
    `it is not known what became of the enqueue of job ${number}, since ${why}; enqueue it again, with the same key if it had one`,
    { cause, details: { number } },
  )
}
