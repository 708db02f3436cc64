import { fromErrorRecord } from '../../lib/error-record.ts'
import { MillraceError } from '../../lib/errors.ts'
import type { JournalFault } from './protocol.ts'

/** What callers are told whose write the journal has refused. */
export function refusalOf(fault: JournalFault | undefined): MillraceError {
  const cause = fault === undefined ? undefined : fromErrorRecord(fault.error)
  if (fault?.kind === 'disk-full') {
    return new MillraceError(
      'MILLRACE_DISK_FULL',
      'the journal cannot grow; nothing of this was written, running jobs go on and nothing acknowledged is lost; ' +
        'make room on its disk, it is tried again each second',
      { cause },
    )
  }
  return new MillraceError(
    'MILLRACE_JOURNAL_IO',
    'the journal refused a commit; nothing of it was written; see the cause',
    { cause },
  )
}
