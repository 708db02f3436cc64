import { MillraceError } from '../../../lib/errors.ts'

/** Who owns a journal names it by another option than who reads it or publishes into it. */
type JournalOption = 'journal' | 'journal.file'

/** What an error of SQLite or of the file system says about a file as a journal; other errors stay as they are. */
export function fileError(error: unknown, file: string, path: JournalOption = 'journal'): unknown {
  if (!(error instanceof Error) || error instanceof MillraceError) return error
  const code = String((error as { code?: unknown }).code)
  if (code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB') {
    return new MillraceError(
      'MILLRACE_JOURNAL_CORRUPT',
      `${file} is damaged or no SQLite database; nothing was changed; keep it with its -wal, and run millrace doctor`,
      { cause: error, path },
    )
  }
  if (/no such table: millrace_/.test(error.message))
    return noJournal(file, 'a database without our tables', path, error)
  if (code === 'SQLITE_FULL' || code === 'ENOSPC' || code === 'EDQUOT') {
    return new MillraceError(
      'MILLRACE_DISK_FULL',
      `${file} cannot grow; nothing acknowledged is lost; make room on its disk, then start again`,
      { cause: error, path },
    )
  }
  return /^(?:SQLITE_|E[A-Z]+$)/.test(code) ? unusable(error, code, file, path) : error
}

/** Of a file that nothing is wrong with but that it is something else. */
export function noJournal(file: string, got: string, path: JournalOption, cause?: Error): MillraceError {
  return new MillraceError(
    'MILLRACE_JOURNAL_VERSION',
    `${file} is no journal of Millrace; got ${got}, expected one that a runtime has opened; look at the path`,
    { ...(cause !== undefined && { cause }), path },
  )
}

function unusable(error: Error, code: string, file: string, path: JournalOption): MillraceError {
  const got = error.message.includes(code) ? error.message : `${code}: ${error.message}`
  return new MillraceError(
    'MILLRACE_JOURNAL_IO',
    `${file} cannot be used as a journal; got ${got}, expected a file in a directory in which this process may read, ` +
      'write and make files; look at the path and the rights on it',
    { cause: error, path },
  )
}
