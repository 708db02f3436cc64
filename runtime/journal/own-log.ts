import { closeSync, existsSync, fstatSync, openSync, readlinkSync } from 'node:fs'
import { MillraceError } from '../../lib/errors.ts'
import { journalFiles } from './files.ts'
import { type Database, openDatabase, prepareValue } from './sqlite.ts'

/**
 * Whether the log that commits go to is still the one beside the journal. Any `close()` of a journal's files in this process, as
 * by `fs.readFile` or `fs.cp`, drops the locks that SQLite has on them (fcntl(2)); another process that closes the journal then
 * takes itself for the last one, moves the log into the file and removes it, and what is committed from then on goes nowhere.
 */
export class OwnLog {
  readonly #file: string
  readonly #db: Database
  /** No lock is on the log itself: to close this one drops none. */
  readonly #descriptor: number
  readonly #isRemoved: () => boolean

  constructor(file: string, db: Database) {
    this.#file = file
    this.#db = db
    this.#descriptor = openSync(journalFiles(file).wal, 'r')
    this.#isRemoved = lookAt(this.#descriptor)
  }

  /** After a commit and before its answer: throws `MILLRACE_JOURNAL_IO`, and the connection is closed, if it is in no file. */
  check(): void {
    if (!this.#isRemoved()) return
    this.#closeConnection()
    throw new MillraceError(
      'MILLRACE_JOURNAL_IO',
      `the log of ${this.#file} was removed while it was open; expected that this process leaves the journal's files alone, ` +
        'since reading or copying them drops the locks on them; nothing acknowledged was in it; ' +
        'use millrace backup for a copy',
    )
  }

  close(): void {
    closeSync(this.#descriptor)
  }

  /** As the last one it would move its log into the file, over what others have written there since. */
  #closeConnection(): void {
    let other: Database | undefined
    try {
      other = openDatabase(this.#file, { readonly: true })
      prepareValue<[], number>(other, 'SELECT version FROM millrace_meta').get()
    } catch {
      // No journal is there any more that could be written over.
    }
    this.#db.close()
    other?.close()
  }
}

/**
 * Whether the file of a descriptor has no name any more. Linux says so in the name itself. To ask for the file's times, as `stat`
 * does, would have the next write change them, and the next fsync write them (multigrain timestamps, Linux 6.13): with that a
 * commit of one job took 40 µs longer.
 */
function lookAt(descriptor: number): () => boolean {
  const link = `/proc/self/fd/${descriptor}`
  if (existsSync(link)) return () => readlinkSync(link).endsWith(' (deleted)')
  return () => fstatSync(descriptor).nlink === 0
}
