import { existsSync, statSync } from 'node:fs'
import { MillraceError } from '../../../lib/errors.ts'
import { type JobState, stateCodes } from '../../../lib/job-state.ts'
import { formatJobId, type JobPage, type JobRecord, parseJobId } from '../../../lib/job.ts'
import { isBusy } from '../files/faults.ts'
import { fileError, noJournal } from '../files/file-error.ts'
import { journalFiles, refuseLinks } from '../files/files.ts'
import { type Holder, readHolder } from '../files/lock.ts'
import { pageOf } from '../queries/page.ts'
import { recordOf, stateOf, toJobRecord } from '../store/record.ts'
import { INBOX_NUMBERS_FROM, JOURNAL_VERSION } from '../schema/schema.ts'
import { assertSqliteVersion, type Database, openDatabase } from '../files/sqlite.ts'
import { IS_WISH } from '../inbox/wish.ts'

export interface ReadFilter {
  readonly states: readonly JobState[]
  /** `undefined` for all tasks. */
  readonly tasks: readonly string[] | undefined
}

/** A job as far as its key, for who looks through all jobs of a task. */
export interface KeyedJob {
  readonly id: string
  readonly state: JobState
  readonly key: string | null
  /** What it says itself of how long its result is kept. */
  readonly keepResultMs: number | null
}

export interface StateCount {
  readonly task: string
  readonly state: JobState
  readonly jobs: number
}

/** Reads a journal whether or not somebody owns it, and changes nothing in it. */
export class JournalReader {
  readonly file: string
  /** The name in this journal's job ids. */
  readonly name: string
  readonly #db: Database

  constructor(file: string) {
    this.file = file
    this.#db = openToRead(file)
    try {
      const meta = this.#db.prepare<[], { journal: string; version: number }>('SELECT * FROM millrace_meta').get()
      if (meta?.version !== JOURNAL_VERSION) throw otherVersion(file, meta?.version)
      this.name = meta.journal
    } catch (error) {
      this.#db.close()
      throw fileError(error, file)
    }
  }

  /** The job, or nothing where the journal has no row of it. An id of another journal is refused. */
  record(id: string): JobRecord | undefined {
    const row = recordOf(this.#db, this.numberOf(id))
    return row === undefined ? undefined : toJobRecord(this.name, row)
  }

  numberOf(id: string): number {
    const parsed = parseJobId(id)
    if (parsed?.journal === this.name) return parsed.number
    throw new MillraceError(
      'MILLRACE_JOB_NOT_FOUND',
      `${JSON.stringify(id)} is no job of ${this.file}; expected an id like ${formatJobId(this.name, 1)}; ` +
        'look with millrace jobs',
      { path: 'id' },
    )
  }

  page({ states, tasks }: ReadFilter, limit: number, after: string | undefined): JobPage {
    const page = pageOf(this.#db, { states: states.map((state) => stateCodes[state]), tasks, limit, after })
    return { jobs: page.jobs.map((row) => toJobRecord(this.name, row)), next: page.next }
  }

  counts(): StateCount[] {
    return this.#db
      .prepare<[], { task: string; state: number; jobs: number }>(`
        SELECT t.name AS task, j.state AS state, count(*) AS jobs
        FROM millrace_jobs j JOIN millrace_tasks t ON t.id = j.task GROUP BY t.name, j.state`)
      .all()
      .map((count) => ({ ...count, state: stateOf(count.state) }))
  }

  /** Every job of a task as of one moment; memory stays flat. */
  *jobsOf(task: string): Generator<KeyedJob> {
    const rows = this.#db
      .prepare<[string], { id: number; state: number; key: string | null; keepResultMs: number | null }>(`
        SELECT j.id, j.state, j.key,
          CASE WHEN json_valid(j.overrides) THEN json_extract(j.overrides, '$.keepResultMs') END AS keepResultMs
        FROM millrace_jobs j JOIN millrace_tasks t ON t.id = j.task WHERE t.name = ?`)
      .iterate(task)
    for (const { id, state, ...rest } of rows) yield { id: formatJobId(this.name, id), state: stateOf(state), ...rest }
  }

  /** How many jobs of these tasks others have put in that no owner has taken yet: they have no row and no state. */
  inboxJobs(tasks: readonly string[] | undefined): number {
    const ofTasks = tasks === undefined ? '' : 'AND task IN (SELECT value FROM json_each(?))'
    return (
      this.#db
        .prepare<string[], number>(`SELECT count(*) FROM millrace_inbox WHERE NOT ${IS_WISH} ${ofTasks}`)
        .pluck()
        .get(...(tasks === undefined ? [] : [JSON.stringify(tasks)])) ?? 0
    )
  }

  isInInbox(id: string): boolean {
    const row = this.numberOf(id) - INBOX_NUMBERS_FROM
    return this.#db.prepare(`SELECT 1 FROM millrace_inbox WHERE id = ? AND NOT ${IS_WISH}`).get(row) !== undefined
  }

  close(): void {
    this.#db.close()
  }
}

/**
 * Who owns the journal now; nothing when nobody does. It looks at the lock with a shared one of its own for as long as
 * one read takes, and so gets in nobody's way.
 */
export function ownerOf(file: string): Holder | undefined {
  const { lock } = journalFiles(file)
  if (!existsSync(lock)) return undefined
  const db = openDatabase(lock, { readonly: true, timeout: 0 })
  try {
    db.prepare('SELECT count(*) FROM sqlite_master').get()
    return undefined
  } catch (error) {
    if (!isBusy(error)) throw error
    return readHolder(file) ?? { pid: 0, host: 'unknown', since: 0 }
  } finally {
    db.close()
  }
}

/** For a journal that must be there, under the name that its owner may have it by. */
export function refuseMissing(file: string): void {
  try {
    refuseLinks(file)
    if (statSync(file, { throwIfNoEntry: false })?.isFile() === true) return
  } catch (error) {
    // As below a directory that may not be searched.
    throw fileError(error, file)
  }
  throw new MillraceError(
    'MILLRACE_JOURNAL_IO',
    `there is no journal ${file}; expected the file that a runtime has as its journal.file; look at the path`,
    { path: 'journal' },
  )
}

/** Opens a file that must be there, and never writes to it. */
export function openToRead(file: string): Database {
  refuseMissing(file)
  // Not even opened: of an empty file SQLite deletes the log, which may be all that is left of a journal.
  if (statSync(file).size === 0) throw noJournal(file, 'an empty file', 'journal')
  try {
    const db = openDatabase(file, { readonly: true, fileMustExist: true, timeout: 5_000 })
    assertSqliteVersion(db)
    return db
  } catch (error) {
    throw fileError(error, file)
  }
}

/** Refuses a database whose list of tables is whole and has none of ours; throws SQLite's error where it is not. */
export function refuseForeign(db: Database, file: string): void {
  const ours = "SELECT 1 FROM sqlite_master WHERE name IN ('millrace_meta', 'millrace_jobs')"
  if (db.prepare(ours).get() === undefined) throw noJournal(file, 'a database without our tables', 'journal')
}

function otherVersion(file: string, version: number | undefined): MillraceError {
  return new MillraceError(
    'MILLRACE_JOURNAL_VERSION',
    `${file} is of another version; got ${version}, expected ${JOURNAL_VERSION}; use the Millrace of its owner here`,
  )
}
