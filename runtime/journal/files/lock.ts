import { hostname } from 'node:os'
import { MillraceError } from '../../../lib/errors.ts'
import { isBusy } from './faults.ts'
import { journalFiles } from './files.ts'
import { type Database, openDatabase, prepareValue } from './sqlite.ts'

export interface Holder {
  readonly pid: number
  readonly host: string
  readonly since: number
}

export function thisProcess(now: number): Holder {
  return { pid: process.pid, host: hostname(), since: now }
}

/**
 * Takes the journal for this process's life: an exclusive lock on a database of its own, since others may write to the
 * journal itself and any `close()` of a journal's file would drop a lock that is on it. Against what even this lock
 * cannot see (another copy of SQLite in this process) every commit checks the owner epoch as well.
 */
export function takeLock(file: string): Database {
  const lock = openDatabase(journalFiles(file).lock, { timeout: 0 })
  try {
    lock.exec('PRAGMA locking_mode = EXCLUSIVE')
    lock.exec('BEGIN EXCLUSIVE')
    return lock
  } catch (error) {
    lock.close()
    if (!isBusy(error)) throw error
    throw locked(file, error)
  }
}

function locked(file: string, cause: unknown): MillraceError {
  const holder = readHolder(file)
  const who =
    holder === undefined
      ? 'another process'
      : `process ${holder.pid} on ${holder.host}, since ${new Date(holder.since).toISOString()}`
  return new MillraceError(
    'MILLRACE_JOURNAL_LOCKED',
    `${file} has an owner; got ${who}, expected none; stop it, give this service a journal of its own, ` +
      'or publish into it with createPublisher',
    { cause, details: holder === undefined ? {} : { ...holder } },
  )
}

/** Who the journal says has opened it last; it may have ended since. */
export function readHolder(file: string): Holder | undefined {
  try {
    const db = openDatabase(file, { readonly: true, timeout: 100 })
    try {
      const text = prepareValue<[], string>(db, 'SELECT holder FROM millrace_meta').get()
      return text === undefined ? undefined : (JSON.parse(text) as Holder)
    } finally {
      db.close()
    }
  } catch {
    // Who it is only makes the message better: the lock alone decides.
    return undefined
  }
}
