import { closeSync, copyFileSync, existsSync, fsyncSync, openSync, readSync, rmSync } from 'node:fs'
import { MillraceError } from '../../../lib/errors.ts'
import { copyError, createNew, publish, refuseExisting } from './backup.ts'
import { fileError } from '../files/file-error.ts'
import { journalFiles } from '../files/files.ts'
import { type Mark, readMark, type TailLoss, tailLossIn } from '../files/mark.ts'
import { mendJournal } from './mend.ts'
import { ownNames } from './own-names.ts'
import { ownerOf, refuseMissing } from './read-only.ts'
import { type CopiedRows, copyTable } from './salvage-rows.ts'
import { JOURNAL_VERSION, SCHEMA } from '../schema/schema.ts'
import { type Database, openDatabase, prepareValue } from '../files/sqlite.ts'

export interface SalvagedTable extends CopiedRows {
  readonly name: string
  readonly of: 'millrace' | 'others'
}

export interface Salvaged {
  readonly tables: readonly SalvagedTable[]
  /** What could not be taken over as it was, and what was made up for it. */
  readonly notes: readonly string[]
  /** Commits of which the files have nothing, so that none of their rows is missed. */
  readonly lost: TailLoss | undefined
}

interface SchemaRow {
  readonly type: 'table' | 'index' | 'view' | 'trigger'
  readonly name: string
  readonly sql: string
}

/** What every SQLite file begins with, before a zero (https://sqlite.org/fileformat2.html). */
const HEAD = 'SQLite format 3'

/**
 * Reads what can be read of a damaged journal into a new one; tables of others are copied unchanged. It works on a copy
 * of the files, so that the damaged ones stay as they are, for a second attempt by other means.
 */
export function salvage(file: string, to: string): Salvaged {
  const part = `${to}.part`
  const copy = `${to}.damaged`
  refuseMissing(file)
  refuseOwned(file)
  refuseExisting(to)
  try {
    return withNew(part, () =>
      withNew(copy, () => {
        copyFiles(file, copy)
        const salvaged = fill(part, copy, readMark(file))
        sync(part)
        publish(part, to)
        return salvaged
      }),
    )
  } catch (error) {
    throw copyError(error, to) ?? orNotSqlite(fileError(error, file), file)
  }
}

/** Lets `run` use a database that is gone afterwards; refuses the name of a file that is there. */
function withNew<T>(path: string, run: () => T): T {
  createNew(path)
  try {
    return run()
  } finally {
    for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(`${path}${suffix}`, { force: true })
  }
}

function refuseOwned(file: string): void {
  const owner = ownerOf(file)
  if (owner === undefined) return
  throw new MillraceError(
    'MILLRACE_JOURNAL_LOCKED',
    `${file} has an owner; got process ${owner.pid} on ${owner.host}, expected none while it is salvaged; stop it first`,
  )
}

function copyFiles(file: string, copy: string): void {
  copyFileSync(file, copy)
  const { wal } = journalFiles(file)
  if (existsSync(wal)) copyFileSync(wal, `${copy}-wal`)
}

function fill(part: string, copy: string, mark: Mark | undefined): Salvaged {
  const { pragmas, schema } = readSchema(copy)
  const db = openLenient(part)
  try {
    for (const [name, value] of Object.entries(pragmas)) db.pragma(`${name} = ${value}`)
    for (const setting of ['journal_mode = MEMORY', 'synchronous = OFF', 'foreign_keys = OFF']) db.pragma(setting)
    db.prepare('ATTACH ? AS damaged').run(copy)
    const notes: string[] = []
    const tables = fillTables(db, schema, notes)
    addVirtualTables(db, schema)
    // Where the journal's name was lost it has another one now, and there is nothing to compare.
    return { tables, notes, lost: tailLossIn(db, mark) }
  } finally {
    db.close()
  }
}

/** So opened SQLite reads a file that is shorter than it says, and lets us make the tables that virtual ones consist of. */
function openLenient(path: string): Database {
  const db = openDatabase(path)
  db.unsafeMode(true)
  db.pragma('writable_schema = ON')
  return db
}

/** What the new file must begin with, and what is in the damaged one. */
function readSchema(copy: string): { pragmas: Record<string, string | number>; schema: readonly SchemaRow[] } {
  const db = openLenient(copy)
  try {
    const names = ['page_size', 'encoding', 'auto_vacuum', 'user_version', 'application_id']
    const read = (name: string): string | number => {
      const value = db.pragma(name, { simple: true }) as string | number
      return typeof value === 'string' ? `'${value}'` : value
    }
    const pragmas = Object.fromEntries(names.map((name) => [name, read(name)]))
    const got = attempt(() => prepareValue<[], number | null>(db, 'SELECT max(version) FROM millrace_meta').get() ?? 0)
    if (got !== undefined && got > JOURNAL_VERSION) throw later(got)
    const list = prepareList(db)
    const schema = attempt(() => list.all())
    if (schema?.some(({ name }) => name === 'millrace_jobs') !== true) throw nothingLeft()
    return { pragmas, schema }
  } finally {
    db.close()
  }
}

function prepareList(db: Database) {
  return db.prepare<[], SchemaRow>(
    "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
  )
}

function fillTables(db: Database, schema: readonly SchemaRow[], notes: string[]): SalvagedTable[] {
  const own = ownNames()
  const foreign = schema.filter(({ name }) => !own.has(name))
  db.exec(SCHEMA)
  const present = new Set(schema.map(({ name }) => name))
  const tables: SalvagedTable[] = []
  for (const name of own) {
    if (isTable(db, name) && present.has(name)) tables.push({ name, of: 'millrace', ...copyTable(db, name) })
  }
  for (const { name, sql } of foreign.filter(({ type, sql }) => type === 'table' && !isVirtual(sql))) {
    db.exec(sql)
    tables.push({ name, of: 'others', ...copyTable(db, name) })
  }
  copySequences(db, notes)
  notes.push(...mendJournal(db))
  // Last, so that no trigger fires and no index slows the copying down.
  for (const { type, name, sql } of foreign.filter((each) => each.type !== 'table')) {
    const failed = attempt(
      () => void db.exec(sql),
      (error) => error.message,
    )
    if (failed !== undefined) notes.push(`the ${type} ${name} could not be made: ${failed}`)
  }
  return tables
}

function isTable(db: Database, name: string): boolean {
  return db.prepare("SELECT 1 FROM main.sqlite_master WHERE type = 'table' AND name = ?").get(name) !== undefined
}

function isVirtual(sql: string): boolean {
  return /^\s*CREATE\s+VIRTUAL\b/i.test(sql)
}

/** Numbers that were given out must not be given out again. */
function copySequences(db: Database, notes: string[]): void {
  if (attempt(() => db.prepare('SELECT 1 FROM damaged.sqlite_sequence').get() ?? 'empty') === undefined) return
  const failed = attempt(
    () => {
      db.exec('DELETE FROM main.sqlite_sequence')
      db.exec('INSERT INTO main.sqlite_sequence SELECT * FROM damaged.sqlite_sequence')
    },
    (error) => error.message,
  )
  if (failed !== undefined) notes.push(`numbers of AUTOINCREMENT tables begin after their largest: ${failed}`)
}

/** Their content is in ordinary tables, which have been copied: only the definition is missing, and making it anew would clash. */
function addVirtualTables(db: Database, schema: readonly SchemaRow[]): void {
  const virtual = schema.filter(({ type, sql }) => type === 'table' && isVirtual(sql))
  if (virtual.length === 0) return
  const add = db.prepare(
    "INSERT INTO main.sqlite_master (type, name, tbl_name, rootpage, sql) VALUES ('table', ?, ?, 0, ?)",
  )
  for (const { name, sql } of virtual) add.run(name, name, sql)
}

/** Runs what damage may make fail; then it is `undefined`, or what `failed` makes of the error. */
function attempt<T, F = undefined>(run: () => T, failed?: (error: Error) => F): T | F {
  try {
    return run()
  } catch (error) {
    return failed?.(error as Error) as F
  }
}

function sync(path: string): void {
  const descriptor = openSync(path, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function nothingLeft(): MillraceError {
  return new MillraceError(
    'MILLRACE_JOURNAL_CORRUPT',
    'the list of its tables cannot be read, or it is no journal; nothing can be salvaged from it; go back to a backup',
  )
}

/** Where nothing can be read of a file that does not even begin as one, it is most likely another. */
function orNotSqlite(failure: unknown, file: string): unknown {
  if (!(failure instanceof MillraceError) || failure.code !== 'MILLRACE_JOURNAL_CORRUPT' || hasHead(file))
    return failure
  return new MillraceError(
    'MILLRACE_JOURNAL_CORRUPT',
    `${file} is no SQLite file, which begins with ${JSON.stringify(HEAD)}, or has lost its beginning; nothing can be ` +
      'salvaged from it; look at the path, or go back to a backup',
    { cause: failure },
  )
}

function hasHead(file: string): boolean {
  const head = Buffer.alloc(HEAD.length)
  const descriptor = openSync(file, 'r')
  try {
    readSync(descriptor, head)
  } finally {
    closeSync(descriptor)
  }
  return head.toString('latin1') === HEAD
}

function later(version: number): MillraceError {
  return new MillraceError(
    'MILLRACE_JOURNAL_VERSION',
    `the journal is from a later Millrace; got version ${version}, expected at most ${JOURNAL_VERSION}; use that one`,
  )
}
