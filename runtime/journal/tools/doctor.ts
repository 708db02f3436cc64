import { statSync } from 'node:fs'
import { MillraceError } from '../../../lib/errors.ts'
import { stateOf } from '../store/record.ts'
import { fileError } from '../files/file-error.ts'
import { journalFiles } from '../files/files.ts'
import type { Holder } from '../files/lock.ts'
import { readMark, type TailLoss, tailLoss } from '../files/mark.ts'
import { openToRead, ownerOf, refuseForeign, type StateCount } from './read-only.ts'
import { ownNames } from './own-names.ts'
import type { Database } from '../files/sqlite.ts'

export interface Examination {
  readonly file: string
  readonly bytes: number
  /** Bytes of the write-ahead log. */
  readonly logBytes: number
  readonly owner: Holder | undefined
  /** Nothing where even the head of the journal cannot be read. */
  readonly journal: Head | undefined
  readonly lost: TailLoss | undefined
  /** What SQLite says against the file; empty for a whole one. */
  readonly damage: readonly string[]
  readonly counts: readonly StateCount[]
  readonly inboxRows: number
  /** Tables of others in the same file. */
  readonly foreign: readonly string[]
}

interface Head {
  readonly name: string
  readonly version: number
  readonly epoch: number
  readonly commits: number
}

/** 'full' also compares every index with its table. */
export type Depth = 'quick' | 'full'

const MOST_FINDINGS = 20

/** Looks a journal over and changes nothing; its owner may run. Throws only where there is no journal to look at. */
export function examine(file: string, depth: Depth): Examination {
  // Before the journal: its owner may commit in between, and is then ahead of the mark, which says nothing.
  const mark = readMark(file)
  const damage: string[] = []
  const attempt = <T>(look: () => T, otherwise: T): T => {
    try {
      return look()
    } catch (error) {
      damage.push((error as Error).message)
      return otherwise
    }
  }
  const db = attemptToOpen(file)
  if (db instanceof Error) return { ...unreadable(file), damage: [db.message] }
  try {
    refuseWholeForeign(db, file)
    const journal = attempt(() => headOf(db, file), undefined)
    for (const finding of attempt(() => findings(db, depth), [])) damage.push(finding)
    return {
      file,
      bytes: fileBytes(file),
      logBytes: fileBytes(journalFiles(file).wal),
      owner: ownerOf(file),
      journal,
      lost: journal === undefined ? undefined : tailLoss(mark, journal),
      counts: attempt(() => countsOf(db), []),
      inboxRows: attempt(() => db.prepare<[], number>('SELECT count(*) FROM millrace_inbox').pluck().get() ?? 0, 0),
      foreign: attempt(() => foreignTables(db), []),
      damage: [...new Set(damage)],
    }
  } finally {
    db.close()
  }
}

/** A damaged file is what the doctor is for; anything else that is in the way is thrown. */
function attemptToOpen(file: string): Database | Error {
  try {
    return openToRead(file)
  } catch (error) {
    if (error instanceof MillraceError && error.code === 'MILLRACE_JOURNAL_CORRUPT') return error.cause as Error
    throw error
  }
}

/** Damage is looked for in a journal; where the list of tables is damaged, it is taken for one. */
function refuseWholeForeign(db: Database, file: string): void {
  try {
    refuseForeign(db, file)
  } catch (error) {
    if (error instanceof MillraceError) throw error
  }
}

/** Of a file whose first page cannot be read, or that is shorter than it says. */
function unreadable(file: string): Omit<Examination, 'damage'> {
  return {
    file,
    bytes: fileBytes(file),
    logBytes: fileBytes(journalFiles(file).wal),
    owner: ownerOf(file),
    journal: undefined,
    lost: undefined,
    counts: [],
    inboxRows: 0,
    foreign: [],
  }
}

function headOf(db: Database, file: string): Head {
  try {
    const head = db
      .prepare<[], Head>('SELECT journal AS name, version, epoch, commits FROM millrace_meta WHERE one = 1')
      .get()
    if (head === undefined) throw new Error('millrace_meta has no row')
    return head
  } catch (error) {
    throw fileError(error, file)
  }
}

function findings(db: Database, depth: Depth): string[] {
  const check = depth === 'full' ? 'integrity_check' : 'quick_check'
  const found = db.prepare<[], string>(`PRAGMA ${check}(${MOST_FINDINGS})`).pluck().all()
  return found.length === 1 && found[0] === 'ok' ? [] : found
}

function countsOf(db: Database): StateCount[] {
  return db
    .prepare<[], { task: string | null; state: number; jobs: number }>(`
      SELECT t.name AS task, j.state AS state, count(*) AS jobs
      FROM millrace_jobs j LEFT JOIN millrace_tasks t ON t.id = j.task GROUP BY t.name, j.state`)
    .all()
    .map(({ task, state, jobs }) => ({ task: task ?? '(lost)', state: stateOf(state), jobs }))
}

function foreignTables(db: Database): string[] {
  const own = ownNames()
  return db
    .prepare<[], string>(
      "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )
    .pluck()
    .all()
    .filter((name) => !own.has(name))
}

function fileBytes(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}
