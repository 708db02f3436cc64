import { toErrorRecord } from '../../../lib/error-record.ts'
import { type ErrorCode, MillraceError } from '../../../lib/errors.ts'
import type { JournalFault } from '../protocol.ts'

const OWN_KINDS: Readonly<Partial<Record<ErrorCode, JournalFault['kind']>>> = {
  MILLRACE_JOURNAL_IO: 'io',
  MILLRACE_JOURNAL_LOST: 'lost',
  MILLRACE_JOURNAL_CORRUPT: 'corrupt',
  MILLRACE_DISK_FULL: 'disk-full',
}

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : ''
}

/** Whether somebody else has what was to be locked. */
export function isBusy(error: unknown): boolean {
  return codeOf(error).startsWith('SQLITE_BUSY')
}

/** What an error says about the journal as a whole; `undefined` for one that only a single statement is to blame for. */
export function faultOf(error: unknown): JournalFault | undefined {
  const kind = kindOf(error)
  return kind === undefined ? undefined : { kind, error: toErrorRecord(error) }
}

function kindOf(error: unknown): JournalFault['kind'] | undefined {
  if (error instanceof MillraceError) {
    // Of an opening: what SQLite has said is told as a file that cannot be used, whatever it was.
    const isOfSqlite = error.code === 'MILLRACE_JOURNAL_IO' && codeOf(error.cause).startsWith('SQLITE_')
    return isOfSqlite && !isBusy(error.cause) ? kindOf(error.cause) : OWN_KINDS[error.code]
  }
  const code = codeOf(error)
  if (code === 'SQLITE_FULL') return 'disk-full'
  // A file size limit (`ulimit -f`, a quota) shows as a failed write, not as a full disk.
  if (code === 'SQLITE_IOERR_WRITE' || code === 'SQLITE_IOERR_SHMSIZE') return 'disk-full'
  if (code.startsWith('SQLITE_IOERR')) return 'io'
  if (code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB') return 'corrupt'
  if (code.startsWith('SQLITE_READONLY') || code.startsWith('SQLITE_CANTOPEN')) return 'io'
  return undefined
}
