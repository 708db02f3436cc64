import { closeSync, existsSync, fstatSync, openSync, readdirSync, readlinkSync, realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { MillraceError } from '../../../lib/errors.ts'
import { journalFiles } from './files.ts'
import { type Database, openDatabase, prepareValue } from './sqlite.ts'

/**
 * Whether the log that commits go to is still the one beside the journal. Any `close()` of a journal's files in this process, as
 * by `fs.readFile` or `fs.cp`, drops the locks that SQLite has on them (fcntl(2)); another process that closes the journal then
 * takes itself for the last one, moves the log into the file and removes it, and what is committed from then on goes nowhere.
 */
export class OwnLog {
  readonly #file: string
  /** No lock is on the log itself: to close this one drops none. */
  readonly #descriptor: number
  readonly #isRemoved: () => boolean
  /** Weakly: a caller may leave its own to the collector. */
  #connections: readonly WeakRef<Database>[] = []

  constructor(file: string) {
    this.#file = file
    this.#descriptor = openSync(journalFiles(file).wal, 'r')
    this.#isRemoved = lookAt(this.#descriptor)
  }

  get isRemoved(): boolean {
    return this.#isRemoved()
  }

  /** A connection whose commits go to this log. */
  join(db: Database): void {
    this.#connections = [...this.#connections.filter((each) => each.deref()?.open === true), new WeakRef(db)]
  }

  /** After a commit and before its answer: closes the connections and throws, by default `MILLRACE_JOURNAL_IO`, if it is in no file. */
  check(failure = () => removedLog(this.#file, 'nothing acknowledged was in it')): void {
    if (!this.isRemoved) return
    this.leave()
    throw failure()
  }

  /** Closes the connections to a log that was removed. */
  leave(): void {
    const open = this.#connections.map((each) => each.deref()).filter((db) => db !== undefined)
    closeUnmoved(this.#file, open)
  }

  close(): void {
    closeSync(this.#descriptor)
  }
}

/** Before a connection is opened: throws `MILLRACE_JOURNAL_IO` while another one of this process is left on a removed log. */
export function refuseRemovedLog(file: string): void {
  if (hasRemovedLog(file)) throw removedLog(file, 'a connection of this process is still on it: close that one')
}

export function removedLog(file: string, outcome: string): MillraceError {
  return new MillraceError(
    'MILLRACE_JOURNAL_IO',
    `the log of ${file} was removed while it was open; expected that this process leaves the journal's files alone, ` +
      `since reading or copying them drops the locks on them; ${outcome}; use millrace backup for a copy`,
  )
}

/** Closes connections without what SQLite does for the last one: it moves its log into the file, over what others have written. */
export function closeUnmoved(file: string, connections: readonly Database[]): void {
  const guard = stayOpen(file)
  for (const db of connections) {
    try {
      db.close()
    } catch {
      // It is in the midst of a statement of its caller's, and stays among those that have the log open.
    }
  }
  guard.close()
}

/** Another connection to the journal: while it is open no other one of this process takes itself for the last. */
export function stayOpen(file: string): { close(): void } {
  let db: Database | undefined
  try {
    db = openDatabase(file, { readonly: true })
    prepareValue<[], number>(db, 'SELECT version FROM millrace_meta').get()
  } catch {
    // What it reads does not matter; and where no journal is any more, none can be written over.
  }
  return { close: () => db?.close() }
}

/**
 * Whether a connection of this process still has a log open that was removed. A new one to the same journal would share its
 * index of that log, and read in the new log what stood in the old one. Where the journal itself was removed too, as between
 * two tests, the log is that of another file.
 */
export function hasRemovedLog(file: string): boolean {
  const removed = new Set(openFiles().filter((name) => name.endsWith(REMOVED)))
  if (removed.size === 0 || !existsSync(dirname(file))) return false
  const { main, wal, shm } = journalFiles(join(realpathSync(dirname(file)), basename(file)))
  return !removed.has(main + REMOVED) && (removed.has(wal + REMOVED) || removed.has(shm + REMOVED))
}

/** How Linux ends the name of an open file that has none any more. */
const REMOVED = ' (deleted)'
const DESCRIPTORS = '/proc/self/fd'

function openFiles(): string[] {
  if (!existsSync(DESCRIPTORS)) return []
  return readdirSync(DESCRIPTORS).map((descriptor) => {
    try {
      return readlinkSync(`${DESCRIPTORS}/${descriptor}`)
    } catch {
      // Closed since, as the one that has listed them.
      return ''
    }
  })
}

/**
 * Whether the file of a descriptor has no name any more. Linux says so in the name itself. To ask for the file's times, as `stat`
 * does, would have the next write change them, and the next fsync write them (multigrain timestamps, Linux 6.13): with that a
 * commit of one job took 40 µs longer.
 */
function lookAt(descriptor: number): () => boolean {
  const link = `${DESCRIPTORS}/${descriptor}`
  if (existsSync(link)) return () => readlinkSync(link).endsWith(REMOVED)
  return () => fstatSync(descriptor).nlink === 0
}
