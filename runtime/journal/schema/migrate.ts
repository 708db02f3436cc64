import { randomInt } from 'node:crypto'
import { MillraceError } from '../../../lib/errors.ts'
import { thisProcess } from '../files/lock.ts'
import { MIGRATIONS } from './migrations.ts'
import { JOURNAL_VERSION, SCHEMA } from './schema.ts'
import { type Database, prepare, prepareValue } from '../files/sqlite.ts'

export interface MetaRow {
  readonly version: number
  readonly journal: string
  readonly epoch: number
  readonly commits: number
  readonly next_ord: number
  readonly next_number: number
}

/** Creates the tables or brings them forward; never back: a journal of a later version is refused untouched. */
export function migrate(db: Database, now: number): MetaRow {
  const tables = prepareValue<[string], number>(db, "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?")
  if (tables.get('millrace_meta') === undefined) create(db, now)
  const meta = readMeta(db)
  if (meta === undefined || !isVersion(meta.version)) throw noVersion(meta?.version)
  if (meta.version > JOURNAL_VERSION) {
    throw new MillraceError(
      'MILLRACE_JOURNAL_VERSION',
      `the journal is from a later Millrace; got version ${meta.version}, expected at most ${JOURNAL_VERSION}; ` +
        'update Millrace in this service',
    )
  }
  if (meta.version === JOURNAL_VERSION) return meta
  bringForward(db, meta.version)
  return { ...meta, version: JOURNAL_VERSION }
}

export function readMeta(db: Database): MetaRow | undefined {
  return prepare<[], MetaRow>(db, 'SELECT * FROM millrace_meta WHERE one = 1').get()
}

function create(db: Database, now: number): void {
  db.transaction(() => {
    db.exec(SCHEMA)
    prepare<[number, string, string]>(db, 'INSERT INTO millrace_meta VALUES (1, ?, ?, 0, 0, 1, 1, ?)').run(
      JOURNAL_VERSION,
      journalName(),
      JSON.stringify(thisProcess(now)),
    )
  }).immediate()
}

/** The column of a journal takes any integer, and that of a table of another's by this name anything. */
function isVersion(version: unknown): boolean {
  return Number.isInteger(version) && (version as number) >= 1
}

function noVersion(version: unknown): MillraceError {
  return new MillraceError(
    'MILLRACE_JOURNAL_VERSION',
    `the journal is of no version that there is; got ${JSON.stringify(version)}, expected 1 to ${JOURNAL_VERSION}; look at ` +
      'the path and at who else writes to the file, or go back to a backup',
  )
}

/** All steps in one transaction: a journal is of one version or the other, whenever the process dies. */
function bringForward(db: Database, from: number): void {
  // Otherwise the text of a table cannot be changed.
  db.unsafeMode(true)
  try {
    db.transaction(() => {
      for (let version = from; version < JOURNAL_VERSION; version++) db.exec(MIGRATIONS.get(version) as string)
      prepare<[number]>(db, 'UPDATE millrace_meta SET version = ?').run(JOURNAL_VERSION)
    }).immediate()
  } finally {
    // A step that failed has left it on.
    db.exec('PRAGMA writable_schema = RESET')
    db.unsafeMode(false)
  }
}

/** Six letters and digits that tell this journal's job ids from another's. */
function journalName(): string {
  return randomInt(36 ** 5, 36 ** 6).toString(36)
}
