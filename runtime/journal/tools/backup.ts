import { closeSync, existsSync, linkSync, openSync, rmSync } from 'node:fs'
import { MillraceError } from '../../../lib/errors.ts'
import { fileError } from '../files/file-error.ts'
import { openToRead, refuseForeign } from './read-only.ts'
import { openDatabase } from '../files/sqlite.ts'

export interface BackupProgress {
  readonly pages: number
  readonly total: number
}

const PAGES_AT_ONCE = 2_000

/**
 * Copies a journal, the tables of others included, as of one moment and while it is in use. The copy appears under its
 * name when it is whole, and never takes the place of another file.
 */
export async function backup(file: string, to: string, onProgress: (progress: BackupProgress) => void): Promise<void> {
  refuseExisting(to)
  const part = `${to}.part`
  const source = openToRead(file)
  try {
    // Somebody who has mistyped the path would trust in a copy of something else.
    refuseForeign(source, file)
    createNew(part)
    try {
      // With a transaction open all steps read the same moment; else each commit of the owner would start the copy anew.
      source.exec('BEGIN')
      source.prepare('SELECT count(*) FROM sqlite_master').get()
      await source.backup(part, {
        progress({ totalPages, remainingPages }) {
          onProgress({ pages: totalPages - remainingPages, total: totalPages })
          return PAGES_AT_ONCE
        },
      })
      assertWhole(part)
      publish(part, to)
    } finally {
      for (const path of [part, `${part}-wal`, `${part}-shm`]) rmSync(path, { force: true })
    }
  } catch (error) {
    throw copyError(error, to) ?? fileError(error, file)
  } finally {
    source.close()
  }
}

/** What is in the way of a new file; `undefined` for an error that is about something else. */
export function copyError(error: unknown, to: string): MillraceError | undefined {
  if (!(error instanceof Error) || error instanceof MillraceError) return undefined
  const code = String((error as { code?: unknown }).code)
  if (code === 'SQLITE_FULL' || code === 'ENOSPC' || code === 'EDQUOT') {
    return new MillraceError(
      'MILLRACE_DISK_FULL',
      `there is no room for ${to}; nothing of it was left behind; make room, or choose another disk`,
      { cause: error },
    )
  }
  if (!/^E[A-Z]+$/.test(code)) return undefined
  return new MillraceError(
    'MILLRACE_CLI',
    `${to} cannot be made; got ${error.message}, expected a new file in a directory that is there and may be written to; ` +
      'choose another one',
    { cause: error },
  )
}

/** Makes an empty file that only its owner can read; refuses one that is there. */
export function createNew(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw exists(path, error)
    throw error
  }
}

/** Gives a finished file its name, unless another has it. */
export function publish(part: string, to: string): void {
  try {
    linkSync(part, to)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw exists(to, error)
    throw error
  }
}

/** Before the work of making it; `publish` looks again. */
export function refuseExisting(to: string): void {
  if (existsSync(to)) throw exists(to)
}

function exists(path: string, cause?: unknown): MillraceError {
  return new MillraceError(
    'MILLRACE_CLI',
    `${path} is there already; expected the name of a new file, since nothing is ever overwritten; choose another one`,
    { cause },
  )
}

function assertWhole(path: string): void {
  const db = openDatabase(path, { readonly: true })
  try {
    const found = db.prepare<[], string>('PRAGMA quick_check(1)').pluck().get()
    if (found === 'ok') return
    throw new MillraceError(
      'MILLRACE_JOURNAL_CORRUPT',
      `the copy is damaged, and so is the journal: ${found}; run millrace doctor on it`,
    )
  } finally {
    db.close()
  }
}
