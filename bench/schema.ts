/**
 * The measurements behind docs/decisions/002-one-table.md: what a job costs in each of the schemas that were weighed, and
 * what a CHECK with a list costs. Run it by hand: `node dist/bench/schema.js`. Nothing of it is a target.
 */
import type { Database } from '../runtime/journal/files/sqlite.ts'
import { openRaw } from './ceiling.ts'
import { median, rangeOf } from './figures.ts'
import { PAYLOAD } from './payload.ts'
import { Scratch } from './scratch.ts'

const JOBS = Number(process.argv[2] ?? 100_000)
const RUNS = Number(process.argv[3] ?? 7)
const TRANSACTION = 500
const CREATED_AT = 1_700_000_000_000

const COLUMNS = `id INTEGER PRIMARY KEY, task INTEGER NOT NULL, state INTEGER NOT NULL, rank INTEGER NOT NULL,
  ord INTEGER NOT NULL, claim INTEGER NOT NULL, attempt INTEGER NOT NULL, created_at INTEGER NOT NULL,
  input TEXT NOT NULL, overrides TEXT, key TEXT, due_at INTEGER, expires_at INTEGER, ended_at INTEGER, output TEXT`
const WAITING = 'CREATE INDEX waiting ON jobs (task, rank, ord) WHERE state = 1'
const RARE = `CREATE INDEX scheduled ON jobs (due_at) WHERE state = 0;
  CREATE INDEX ended ON jobs (state, ended_at) WHERE ended_at IS NOT NULL`
const INSERT = (into: string, state: number, claim: number) =>
  `INSERT INTO ${into} (ord, id, task, state, rank, claim, attempt, created_at, input)
   VALUES (?, ?, 1, ${state}, 5, ${claim}, 0, ${CREATED_AT}, ?)`

type Write = (id: number) => unknown

/** What the journal does to a row, in one schema. */
interface Schema {
  /** Written as claimed: the short cut. */
  readonly append: Write
  readonly finish: Write
  /** Written as waiting. */
  readonly wait?: Write
  readonly claim?: Write
}

const SCHEMAS: Readonly<Record<string, (db: Database) => Schema>> = {
  ceiling(db) {
    db.exec(
      'CREATE TABLE jobs (id INTEGER PRIMARY KEY, task INTEGER NOT NULL, state INTEGER NOT NULL, payload TEXT NOT NULL)',
    )
    const insert = db.prepare('INSERT INTO jobs VALUES (?, 1, 1, ?)')
    const append: Write = (id) => insert.run(id, PAYLOAD)
    return { append, finish: each(db, 'DELETE FROM jobs WHERE id = ?'), wait: append }
  },
  'one table, partial index on running rows'(db) {
    db.exec(
      `CREATE TABLE jobs (${COLUMNS}) STRICT; ${WAITING}; ${RARE}; CREATE INDEX running ON jobs (id) WHERE state = 2`,
    )
    return {
      append: inserter(db, INSERT('jobs', 2, 1)),
      finish: each(db, 'DELETE FROM jobs WHERE id = ? AND claim = 1 AND state = 2'),
      wait: inserter(db, INSERT('jobs', 1, 0)),
      claim: each(db, 'UPDATE jobs SET state = 2, claim = claim + 1 WHERE id = ? AND state = 1'),
    }
  },
  'two tables: waiting and claimed'(db) {
    db.exec(`CREATE TABLE jobs (${COLUMNS}) STRICT; ${WAITING}; ${RARE}; CREATE TABLE claimed (${COLUMNS}) STRICT`)
    const move = each(
      db,
      `INSERT INTO claimed (id, task, state, rank, ord, claim, attempt, created_at, input)
       SELECT id, task, 2, rank, ord, claim + 1, attempt, created_at, input FROM jobs WHERE id = ?`,
    )
    const leave = each(db, 'DELETE FROM jobs WHERE id = ?')
    return {
      append: inserter(db, INSERT('claimed', 2, 1)),
      finish: each(db, 'DELETE FROM claimed WHERE id = ? AND claim = 1'),
      wait: inserter(db, INSERT('jobs', 1, 0)),
      claim(id) {
        move(id)
        leave(id)
      },
    }
  },
  'one table and a table of claims'(db) {
    db.exec(
      `CREATE TABLE jobs (${COLUMNS}) STRICT; ${WAITING}; ${RARE}; CREATE TABLE claims (id INTEGER PRIMARY KEY) STRICT`,
    )
    const add = each(db, 'INSERT INTO claims VALUES (?)')
    const drop = each(db, 'DELETE FROM claims WHERE id = ?')
    const append = inserter(db, INSERT('jobs', 2, 1))
    const finish = each(db, 'DELETE FROM jobs WHERE id = ? AND claim = 1 AND state = 2')
    const claim = each(db, 'UPDATE jobs SET state = 2, claim = claim + 1 WHERE id = ? AND state = 1')
    return {
      append: both(append, add),
      finish: both(finish, drop),
      wait: inserter(db, INSERT('jobs', 1, 0)),
      claim: both(claim, add),
    }
  },
}

const CHECKS: Readonly<Record<string, string>> = {
  'no CHECK': '',
  'CHECK with BETWEEN': ', CHECK (state BETWEEN 0 AND 7), CHECK ((state BETWEEN 3 AND 7) = (ended_at IS NOT NULL))',
  'CHECK with IN (list)':
    ', CHECK (state IN (0, 1, 2, 3, 4, 5, 6, 7)), CHECK ((state IN (3, 4, 5, 6, 7)) = (ended_at IS NOT NULL))',
}

function each(db: Database, sql: string): Write {
  const statement = db.prepare(sql)
  return (id) => statement.run(id)
}

/** An insert into one of our tables: order number, id, payload. */
function inserter(db: Database, sql: string): Write {
  const statement = db.prepare(sql)
  return (id) => statement.run(id, id, PAYLOAD)
}

function both(first: Write, second: Write): Write {
  return (id) => {
    first(id)
    second(id)
  }
}

/** Jobs per second of `part`, called with the ids of each transaction's jobs. */
function perSecond(first: number, part: (ids: readonly number[]) => void): number {
  const startedAt = performance.now()
  for (let done = 0; done < JOBS; done += TRANSACTION) {
    part(Array.from({ length: TRANSACTION }, (_, at) => first + done + at))
  }
  return (JOBS / (performance.now() - startedAt)) * 1_000
}

interface Costs {
  readonly shortCut: number
  readonly inserts: number
  readonly drain: number
}

function measure(make: (db: Database) => Schema): Costs {
  using scratch = new Scratch()
  const db = openRaw(scratch.file('schema.db'))
  const { append, finish, wait = append, claim } = make(db)
  const begin = db.prepare('BEGIN IMMEDIATE')
  const commit = db.prepare('COMMIT')
  const transaction = (ids: readonly number[], write: Write) => {
    begin.run()
    for (const id of ids) write(id)
    commit.run()
  }
  const shortCut = perSecond(1, (ids) => {
    transaction(ids, append)
    transaction(ids, finish)
  })
  const inserts = perSecond(JOBS + 1, (ids) => transaction(ids, wait))
  const drain = claim === undefined ? Number.NaN : drained(db, transaction, claim, finish)
  db.close()
  return { shortCut, inserts, drain }
}

function drained(
  db: Database,
  transaction: (ids: readonly number[], write: Write) => void,
  claim: Write,
  finish: Write,
): number {
  const heads = db.prepare<[number], { readonly id: number }>(
    `SELECT id, task, rank, ord, claim, attempt, overrides, key, input FROM jobs
     WHERE state = 1 AND task = 1 AND rank = 5 ORDER BY ord LIMIT ?`,
  )
  return perSecond(0, () => {
    const ids = heads.all(TRANSACTION).map(({ id }) => id)
    transaction(ids, claim)
    transaction(ids, finish)
  })
}

/** Microseconds of an insert itself, without its commit. */
function insertMicros(check: string): number {
  using scratch = new Scratch()
  const db = openRaw(scratch.file('check.db'))
  db.exec(`CREATE TABLE jobs (${COLUMNS}${check}) STRICT`)
  const insert = inserter(db, INSERT('jobs', 2, 1))
  let ms = 0
  for (let first = 1; first <= JOBS; first += TRANSACTION) {
    db.exec('BEGIN IMMEDIATE')
    const startedAt = performance.now()
    for (let id = first; id < first + TRANSACTION; id++) insert(id)
    ms += performance.now() - startedAt
    db.exec('COMMIT')
  }
  db.close()
  return (ms * 1_000) / JOBS
}

function summary(values: readonly number[], digits: number): string {
  const text = (value: number) => value.toLocaleString('en', { maximumFractionDigits: digits })
  const { low, high } = rangeOf(values)
  return Number.isNaN(low) ? '-' : `${text(median(values))} (${text(low)} - ${text(high)})`
}

const costs = new Map<string, Costs[]>()
const micros = new Map<string, number[]>()
for (let run = 0; run < RUNS; run++) {
  for (const [name, make] of Object.entries(SCHEMAS)) costs.set(name, [...(costs.get(name) ?? []), measure(make)])
  for (const [name, check] of Object.entries(CHECKS))
    micros.set(name, [...(micros.get(name) ?? []), insertMicros(check)])
}
const lines = [`${JOBS} jobs, ${RUNS} rounds, transactions of ${TRANSACTION}, FULL; median (lowest - highest), jobs/s`]
for (const [name, runs] of costs) {
  const of = (which: keyof Costs) =>
    summary(
      runs.map((run) => run[which]),
      0,
    )
  lines.push(`${name}: short cut ${of('shortCut')}; inserts ${of('inserts')}; drain ${of('drain')}`)
}
for (const [name, runs] of micros) lines.push(`insert, ${name}: ${summary(runs, 2)} µs`)
process.stdout.write(`${lines.join('\n')}\n`)
