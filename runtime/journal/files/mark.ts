import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { MillraceError } from '../../../lib/errors.ts'
import { createBeside, journalFiles } from './files.ts'
import { type Database, prepare } from './sqlite.ts'

/**
 * The number of the last commit, kept outside of the log. SQLite takes a damaged frame for the end of its log: everything
 * behind it is gone, and every check says that all is well. One pwrite a commit into the page cache, never synced: it may
 * be behind the journal, which says nothing, and never ahead of it unless something was lost.
 */

const MAGIC = 'MRMARK01'
const NAME_AT = 8
const COMMITS_AT = 16
const BYTES = 24

export interface Mark {
  /** The name in the journal's job ids. */
  readonly journal: string
  readonly commits: number
}

/** A journal that ends before its mark. */
export interface TailLoss {
  readonly expected: number
  readonly got: number
}

export function readMark(file: string): Mark | undefined {
  let content: Buffer
  try {
    content = readFileSync(journalFiles(file).mark)
  } catch {
    // A journal without a mark is a new one, or came from elsewhere: there is nothing to compare.
    return undefined
  }
  if (content.length < BYTES || content.toString('latin1', 0, NAME_AT) !== MAGIC) return undefined
  return {
    journal: content.toString('latin1', NAME_AT, COMMITS_AT).trimEnd(),
    commits: content.readDoubleLE(COMMITS_AT),
  }
}

/** What a journal has lost, by the mark of its last owner. */
export function tailLoss(
  mark: Mark | undefined,
  { name, commits }: { readonly name: string; readonly commits: number },
): TailLoss | undefined {
  if (mark?.journal !== name || mark.commits <= commits) return undefined
  return { expected: mark.commits, got: commits }
}

/** The same of an open journal. */
export function tailLossIn(db: Database, mark: Mark | undefined): TailLoss | undefined {
  const sql = 'SELECT journal AS name, commits FROM main.millrace_meta'
  const journal = prepare<[], { name: string; commits: number }>(db, sql).get()
  return journal === undefined ? undefined : tailLoss(mark, journal)
}

export function tailLostError(file: string, { expected, got }: TailLoss): MillraceError {
  return new MillraceError(
    'MILLRACE_JOURNAL_TAIL_LOST',
    `${file} has lost its latest commits; got commit ${got}, expected ${expected}; its log was damaged or removed, or an ` +
      'older copy was put in its place; jobs of that time are missing or run again: compare with what you know of them',
    { details: { expected, got } },
  )
}

export class MarkWriter {
  readonly #descriptor: number
  readonly #buffer = Buffer.alloc(BYTES)
  #last = -1

  constructor(file: string, journal: string) {
    const { mark } = journalFiles(file)
    createBeside(file, mark)
    this.#descriptor = openSync(mark, 'r+')
    this.#buffer.write(MAGIC, 0, 'latin1')
    this.#buffer.write(journal.padEnd(COMMITS_AT - NAME_AT), NAME_AT, 'latin1')
  }

  /** After the commit of that number. */
  write(commits: number): void {
    if (commits === this.#last) return
    this.#last = commits
    this.#buffer.writeDoubleLE(commits, COMMITS_AT)
    try {
      writeSync(this.#descriptor, this.#buffer, 0, BYTES, 0)
    } catch {
      // On a full disk the file may not have its first block. What is committed stays so: the mark only falls behind.
      this.#last = -1
    }
  }

  close(): void {
    closeSync(this.#descriptor)
  }
}
