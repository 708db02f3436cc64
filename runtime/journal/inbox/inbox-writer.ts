import { MillraceError } from '../../../lib/errors.ts'
import type { JobExtra } from '../../../lib/job.ts'
import { INBOX_NUMBERS_FROM, JOURNAL_VERSION } from '../schema/schema.ts'
import { type Database, type Prepared, prepare, prepareValue } from '../files/sqlite.ts'

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
