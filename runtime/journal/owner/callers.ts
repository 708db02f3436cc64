import { existsSync, statSync } from 'node:fs'
import { MillraceError } from '../../../lib/errors.ts'
import { invalidOption } from '../../../lib/options.ts'
import { journalFiles } from '../files/files.ts'
import { InboxWriter } from '../inbox/inbox-writer.ts'
import type { JournalOptions } from '../open.ts'
import { closeUnmoved, hasRemovedLog, OwnLog, removedLog, stayOpen } from '../files/own-log.ts'
import { Database as SqliteDatabase, type Database, prepareValue } from '../files/sqlite.ts'

/**
 * The connections that callers bring along for `runtime.transaction`. Each must come from the SQLite that this process has
 * loaded already, since a second copy would drop the first one's locks, be open on the journal's file, and write to the log
 * that is beside it.
 */
export class Callers {
  readonly #file: string
  readonly #durability: JournalOptions['durability']
  readonly #inboxes = new WeakMap<Database, InboxWriter>()
  #log: OwnLog | undefined
  #guard: { close(): void } | undefined

  constructor({ file, durability }: Pick<JournalOptions, 'file' | 'durability'>) {
    this.#file = file
    this.#durability = durability
  }

  /** The journal's inbox over a caller's connection; to be asked before each transaction. */
  inboxOf(db: Database): InboxWriter {
    const known = this.#inboxes.get(db)
    if (known === undefined || !db.open) refuseOther(db, this.#file)
    const log = this.#logFor(db)
    if (known === undefined) log.join(db)
    log.check(() => this.#unwritten())
    writeAsOwner(db, this.#durability)
    const inbox = known ?? new InboxWriter(db)
    this.#inboxes.set(db, inbox)
    return inbox
  }

  /** After a commit and before its answer. */
  checkCommitted(): void {
    this.#log?.check(() => this.#outcomeUnknown())
  }

  /** Before the owner opens its journal again: it cannot while a connection has the log open that was removed. */
  leaveRemoved(): void {
    this.#guard?.close()
    this.#guard = undefined
    if (this.#log?.isRemoved === true) {
      this.#log.leave()
      this.close()
    }
    // One that was never brought along is its caller's to close, and is not the last one then.
    if (hasRemovedLog(this.#file)) this.#guard = stayOpen(this.#file)
  }

  /** Closes no connection. */
  close(): void {
    this.#log?.close()
    this.#log = undefined
    this.#guard?.close()
    this.#guard = undefined
  }

  #logFor(db: Database): OwnLog {
    if (this.#log !== undefined) return this.#log
    const log = openLog(this.#file)
    // Looked for once the log is open: where none was removed it is the one that the owner writes to.
    if (log !== undefined && !hasRemovedLog(this.#file)) return (this.#log = log)
    log?.close()
    closeUnmoved(this.#file, [db])
    throw this.#unwritten()
  }

  #unwritten(): MillraceError {
    return removedLog(this.#file, `nothing was written; ${OPEN_ANOTHER}`)
  }

  #outcomeUnknown(): MillraceError {
    return new MillraceError(
      'MILLRACE_OUTCOME_UNKNOWN',
      `the log of ${this.#file} was removed during a transaction; whether it was written is not known: look before you ` +
        `repeat it; ${OPEN_ANOTHER}`,
    )
  }
}

const OPEN_ANOTHER = 'your connection was closed, since it would write over the journal: open another one'

function openLog(file: string): OwnLog | undefined {
  return existsSync(journalFiles(file).wal) ? new OwnLog(file) : undefined
}

function refuseOther(db: Database, journalFile: string): void {
  if (typeof db !== 'object' || db === null) throw invalidOption('db', db, 'a connection to the journal')
  if (!(db instanceof SqliteDatabase)) {
    throw new MillraceError(
      'MILLRACE_FOREIGN_SQLITE',
      'the database was opened by another SQLite than the journal; two copies in one process lose committed rows; ' +
        "open it with the class that millrace exports: import { Database } from 'millrace'",
    )
  }
  if (!isSameFile(db.name, journalFile)) {
    throw new MillraceError(
      'MILLRACE_INVALID_OPTION',
      `the database is not the journal; got ${db.name}, expected ${journalFile}, since one commit needs one file; open that one`,
      { path: 'db' },
    )
  }
  if (!db.open || db.readonly) {
    throw invalidOption('db', db.open ? 'a read-only one' : 'a closed one', 'a connection that can write')
  }
}

const NORMAL = 1
const FULL = 2

/** Before each transaction, since the connection is its caller's, who may have changed it. */
function writeAsOwner(db: Database, durability: JournalOptions['durability']): void {
  const least = durability === 'full' ? FULL : NORMAL
  const synchronous = prepareValue<[], number>(db, 'PRAGMA synchronous').get() ?? 0
  if (synchronous < least) db.exec(`PRAGMA synchronous = ${least}`)
  // It commits on its caller's loop, which shall not wait until the log has been moved: that is for the owner's thread.
  const checkpoint = prepareValue<[], number>(db, 'PRAGMA wal_autocheckpoint').get()
  if (Number(checkpoint) !== 0) db.exec('PRAGMA wal_autocheckpoint = 0')
}

function isSameFile(a: string, b: string): boolean {
  const one = statSync(a, { throwIfNoEntry: false })
  const other = statSync(b, { throwIfNoEntry: false })
  return one !== undefined && other !== undefined && one.ino === other.ino && one.dev === other.dev
}
