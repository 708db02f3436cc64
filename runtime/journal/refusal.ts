import { fromErrorRecord } from '../../lib/error-record.ts'
import { MillraceError } from '../../lib/errors.ts'
import type { JournalFault, Request } from './protocol.ts'

/** Whether who waits for the journal waits for its disk as well. 'none': the runtime stops. */
export type Patience = 'some' | 'none'

/** The owner's own requests are delayed, as outcomes are: nobody is there to ask again. A stop asks for one of them. */
export function mayBeRefused({ type }: Request, patience: Patience): boolean {
  if (type === 'interrupted') return patience === 'none'
  return type !== 'reconcile' && type !== 'ended-at'
}

/** For a job that its task has no room for. */
export function overloaded(): MillraceError {
  return new MillraceError(
    'MILLRACE_OVERLOADED',
    'the task or its place has as many jobs waiting as maxWaiting allows; nothing was written; come back later, let less wait ' +
      'for it, or raise maxWaiting',
  )
}

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
  if (fault?.kind === 'corrupt') {
    return new MillraceError(
      'MILLRACE_JOURNAL_CORRUPT',
      'the journal is damaged; nothing of this was written; keep it with its -wal, and run millrace doctor',
      { cause },
    )
  }
  return new MillraceError(
    'MILLRACE_JOURNAL_IO',
    `the journal refused a commit; got ${cause === undefined ? 'no reason' : cause.message}, expected it to write; ` +
      'nothing of it was written; look at the file and its disk, then ask again',
    { cause },
  )
}
