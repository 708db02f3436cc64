import { MillraceError } from '../../../lib/errors.ts'

const errors = new WeakSet<MillraceError>()

/** For a query whose thread has ended. */
export function unanswered(): MillraceError {
  const error = new MillraceError(
    'MILLRACE_JOURNAL_IO',
    'the journal thread ended before it answered a query; nothing was changed by it; ask again',
  )
  errors.add(error)
  return error
}

/** Whether nothing is known of what was asked: the next thread may be. */
export function isUnanswered(error: unknown): boolean {
  return error instanceof MillraceError && errors.has(error)
}
