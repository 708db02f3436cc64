import { statSync } from 'node:fs'
import { MillraceError } from '../../lib/errors.ts'
import type { JobExtra } from '../../lib/job.ts'
import { invalidOption } from '../../lib/options.ts'
import type { JournalOptions } from './open.ts'
import { INBOX_NUMBERS_FROM, JOURNAL_VERSION } from './schema.ts'
import { Database as SqliteDatabase, type Database, type Prepared, prepare, prepareValue } from './sqlite.ts'

/** A job as somebody who does not own the journal writes it. */
export interface InboxJob {
  readonly task: string
  readonly input: string
  readonly extra: JobExtra | null
  readonly createdAt: number
}

/**
 * Appends to the inbox over a connection that is not the owner's: it writes there and nowhere else, and reads nothing but
 * the version, in the same transaction. Order, keys and limits are applied when the owner moves the rows.
 */
export class InboxWriter {
  readonly #version: Prepared<[], number>
  readonly #insert: Prepared<[string, string, number, string | null]>
  readonly #lastId: Prepared<[], number>

  constructor(db: Database) {
    this.#version = prepareValue<[], number>(db, 'SELECT version FROM millrace_meta WHERE one = 1')
    this.#insert = prepare(db, 'INSERT INTO millrace_inbox (task, input, created_at, options) VALUES (?, ?, ?, ?)')
    this.#lastId = prepareValue<[], number>(db, 'SELECT last_insert_rowid()')
  }

  /** To be called first in every transaction: the owner may have been updated since the last one. */
  checkVersion(): void {
    // A caller's connection may give big integers.
    const version = Number(this.#version.get())
    if (version === JOURNAL_VERSION) return
    throw new MillraceError(
      'MILLRACE_JOURNAL_VERSION',
      `the journal speaks another version; got ${version}, expected ${JOURNAL_VERSION}; use the Millrace of its owner here`,
    )
  }

  /** Returns the number that the job has from now on. */
  put({ task, input, extra, createdAt }: InboxJob): number {
    return this.putEncoded(task, input, createdAt, extra === null ? null : JSON.stringify(extra))
  }

  putEncoded(task: string, input: string, createdAt: number, options: string | null): number {
    this.#insert.run(task, input, createdAt, options)
    return InboxWriter.numberOf(Number(this.#lastId.get()))
  }

  /** The number that follows from a row's id. */
  static numberOf(id: number): number {
    return INBOX_NUMBERS_FROM + id
  }
}

const prepared = new WeakMap<Database, { readonly file: string; readonly writer: InboxWriter }>()

/**
 * The inbox of a journal for a caller's own connection. The connection must come from the SQLite that this process has
 * loaded already, since a second copy would drop the first one's locks, and it must be open on the journal's file.
 */
export function inboxOf(
  db: Database,
  journalFile: string,
  durability: JournalOptions['durability'] = 'full',
): InboxWriter {
  const known = prepared.get(db)
  if (known?.file === journalFile && db.open) {
    writeAsOwner(db, durability)
    return known.writer
  }
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
  writeAsOwner(db, durability)
  const writer = new InboxWriter(db)
  prepared.set(db, { file: journalFile, writer })
  return writer
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
