import { MillraceError } from '../../lib/errors.ts'
import type { NewJob } from './gather.ts'
import type { Answer, Request } from './protocol.ts'

/**
 * Answers for a job whose group was committed, but whose reply was lost with the journal's thread. Only with a key is
 * there more than one answer: then whoever has the key tells which.
 */
export function resolveLostJob(job: NewJob, ask: (request: Request) => Promise<Answer>): void {
  const key = job.extra?.key
  if (key === undefined) return job.accepted(job.number, 'new')
  ask({ type: 'key-holder', task: job.task, key }).then(
    (answer) => {
      const holder = answer.type === 'holder' ? answer.number : undefined
      if (holder === undefined || holder === job.number) job.accepted(job.number, 'new')
      else job.accepted(holder, 'duplicate')
    },
    (cause: unknown) =>
      job.refused(
        new MillraceError(
          'MILLRACE_OUTCOME_UNKNOWN',
          `it is not known whether job ${job.number} was enqueued, since the journal was lost before it could be asked; ` +
            'enqueue it again with the same key',
          { cause, details: { number: job.number } },
        ),
      ),
  )
}
