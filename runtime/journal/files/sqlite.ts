import { createRequire } from 'node:module'
import type BetterSqlite3 from 'better-sqlite3'
import { MillraceError } from '../../../lib/errors.ts'

const require = createRequire(import.meta.url)

let loaded: typeof BetterSqlite3 | undefined

/**
 * Loads the one copy of SQLite that this process may use. Major 13 of the driver segfaults below Node-API 10, which
 * nothing can catch, so its version is read before it is loaded.
 */
function driver(): typeof BetterSqlite3 {
  if (loaded !== undefined) return loaded
  const { version } = require('better-sqlite3/package.json') as { version: string }
  if (Number.parseInt(version, 10) >= 13 && Number(process.versions['napi']) < 10) {
    throw new MillraceError(
      'MILLRACE_SQLITE_DRIVER',
      `better-sqlite3 ${version} crashes on Node ${process.versions.node}; got Node-API ${process.versions['napi']}, ` +
        'expected 10 or later (Node >= 22.14); install better-sqlite3@^12.11.1, or make the lockfile on this Node',
    )
  }
  loaded = require('better-sqlite3') as typeof BetterSqlite3
  return loaded
}

/**
 * The class to open a database with that `runtime.transaction` shall accept: two copies of SQLite lose rows. It is loaded when
 * it is used: every thread imports this package for its tasks, and few open a database.
 */
export const Database: typeof BetterSqlite3 = new Proxy(function () {} as unknown as typeof BetterSqlite3, {
  construct: (_, given, target) =>
    Reflect.construct(driver(), given, target === Database ? driver() : target) as BetterSqlite3.Database,
  apply: (_, __, given) => Reflect.construct(driver(), given) as BetterSqlite3.Database,
  get: (_, name) => Reflect.get(driver(), name) as unknown,
})

export type Database = BetterSqlite3.Database

/** Opens a database, with an error that says how to get the native part when it is missing. */
export function openDatabase(file: string, options: BetterSqlite3.Options = {}): Database {
  if (file !== file.trim())
    throw new Error(`${JSON.stringify(file)} would be opened without the white space at its end`)
  try {
    return new Database(file, options)
  } catch (error) {
    if (error instanceof Error && /bindings file|NODE_MODULE_VERSION|ERR_DLOPEN/.test(error.message)) {
      throw new MillraceError(
        'MILLRACE_SQLITE_DRIVER',
        `the native part of better-sqlite3 does not load on Node ${process.versions.node}; npm may have skipped its ` +
          'install script: put "allowScripts": { "better-sqlite3": true } into your package.json and run npm rebuild',
        { cause: error },
      )
    }
    throw error
  }
}

/** Below this a WAL that two connections write and checkpoint at once can be corrupted. */
const OLDEST_SQLITE = [3, 51, 3] as const

export function assertSqliteVersion(db: Database): void {
  const version = prepareValue<[], string>(db, 'SELECT sqlite_version()').get() as string
  const parts = version.split('.').map(Number)
  const differing = OLDEST_SQLITE.findIndex((part, index) => (parts[index] ?? 0) !== part)
  if (differing >= 0 && (parts[differing] ?? 0) < (OLDEST_SQLITE[differing] as number)) {
    throw new MillraceError(
      'MILLRACE_SQLITE_VERSION',
      `this SQLite can corrupt its log; got ${version}, expected ${OLDEST_SQLITE.join('.')} or later; ` +
        'update better-sqlite3',
    )
  }
}

/** A prepared statement, as much of it as the journal uses. */
export interface Prepared<Parameters extends unknown[], Row = never> {
  run(...parameters: Parameters): { readonly changes: number }
  get(...parameters: Parameters): Row | undefined
  all(...parameters: Parameters): Row[]
  /** Leave the loop before the next statement runs. */
  iterate(...parameters: Parameters): IterableIterator<Row>
}

/**
 * A statement of this text, prepared once for the life of its connection: preparing costs more than running most of
 * them, and on some Node versions the driver aborts the process when a statement is collected. So a text must not have
 * values in it, and there must be a bounded number of texts.
 */
export function prepare<Parameters extends unknown[], Row = never>(
  db: Database,
  sql: string,
): Prepared<Parameters, Row> {
  return kept(db, 'objects', sql, () => db.prepare(sql))
}

/** For rows that many are read of: tuples cost less than objects. */
export function prepareTuples<Parameters extends unknown[], Row extends readonly unknown[]>(
  db: Database,
  sql: string,
): Prepared<Parameters, Row> {
  return kept(db, 'tuples', sql, () => db.prepare(sql).raw())
}

/** For a statement of one column: its rows are that column's values. */
export function prepareValue<Parameters extends unknown[], Value>(
  db: Database,
  sql: string,
): Prepared<Parameters, Value> {
  return kept(db, 'values', sql, () => db.prepare(sql).pluck())
}

const statements = new WeakMap<Database, Map<string, unknown>>()

function kept<S>(db: Database, rows: 'objects' | 'tuples' | 'values', sql: string, make: () => unknown): S {
  const ofConnection = statements.get(db) ?? new Map<string, unknown>()
  statements.set(db, ofConnection)
  const key = `${rows} ${sql}`
  const statement = ofConnection.get(key) ?? make()
  ofConnection.set(key, statement)
  return statement as S
}
