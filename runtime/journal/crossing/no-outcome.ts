import { MillraceError } from '../../../lib/errors.ts'

export function noOutcome(): MillraceError {
  return new MillraceError(
    'MILLRACE_NO_OUTCOME',
    'the job went to a broker and no outcome has come home in its time; whether it ran is not known; look at the broker ' +
      'and at who takes from it, then retry() it',
  )
}
