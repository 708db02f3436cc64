import { type Database, prepareValue } from './sqlite.ts'

/** A range of row ids that could not be read; how many rows it held is not known. */
export interface Gap {
  readonly from: bigint
  readonly to: bigint
}

export interface CopiedRows {
  readonly copied: number
  readonly gaps: readonly Gap[]
}

/** A damaged page costs some dozens of failing reads; this many, and the rest of the table is given up. */
const MOST_FAILURES = 20_000
const LEAST_ROWID = -(2n ** 63n)
const GREATEST_ROWID = 2n ** 63n - 1n

/** Copies within one connection, the damaged database attached as `damaged`: what is copied is the same to the byte. */
export function copyTable(db: Database, name: string): CopiedRows {
  const columns = columnsOf(db, name)
  const rowid = rowidOf(db, name, columns)
  return rowid === undefined ? copyFromBothEnds(db, name, columns) : copyByRowid(db, name, columns, rowid)
}

/** Columns that both tables have; generated ones are not written. */
function columnsOf(db: Database, name: string): string[] {
  const read = (schema: string) =>
    db
      .prepare<[string], string>(`SELECT name FROM pragma_table_xinfo(?, '${schema}') WHERE hidden = 0`)
      .pluck()
      .all(name)
  const target = new Set(read('main'))
  return read('damaged').filter((column) => target.has(column))
}

/** The name that leads to the row id: any of three that is not a column's; none in a table without row ids. */
function rowidOf(db: Database, name: string, columns: readonly string[]): string | undefined {
  const free = ['rowid', '_rowid_', 'oid'].find((each) => !columns.some((column) => column.toLowerCase() === each))
  if (free === undefined) return undefined
  try {
    db.prepare(`SELECT ${free} FROM main.${quoted(name)}`)
    return free
  } catch {
    // "no such column": the table has its primary key in the place of a row id.
    return undefined
  }
}

/** All at once where nothing is damaged; else halves of what fails, until what fails is a single row. */
function copyByRowid(db: Database, name: string, columns: readonly string[], rowid: string): CopiedRows {
  const table = quoted(name)
  const list = [rowid, ...columns.map(quoted)].join(', ')
  const copy = db.prepare<[bigint, bigint]>(
    `INSERT INTO main.${table} (${list}) SELECT ${list} FROM damaged.${table} WHERE ${rowid} BETWEEN ? AND ?`,
  )
  const failed: Gap[] = []
  let copied = 0
  const ranges: Gap[] = [{ from: LEAST_ROWID, to: GREATEST_ROWID }]
  for (let failures = 0, next = ranges.shift(); next !== undefined; next = ranges.shift()) {
    try {
      copied += copy.run(next.from, next.to).changes
    } catch {
      // Whatever is wrong with these rows, the answer is the same: they are lost, and the report says so.
      failures++
      if (next.from === next.to || failures > MOST_FAILURES) failed.push(next)
      else ranges.push(...halves(next))
    }
  }
  return { copied, gaps: merged(failed) }
}

function halves({ from, to }: Gap): [Gap, Gap] {
  const middle = (from + to) >> 1n
  return [
    { from, to: middle },
    { from: middle + 1n, to },
  ]
}

function merged(gaps: readonly Gap[]): Gap[] {
  const sorted = [...gaps].sort((a, b) => (a.from < b.from ? -1 : 1))
  const out: Gap[] = []
  for (const gap of sorted) {
    const last = out.at(-1)
    if (last !== undefined && last.to + 1n >= gap.from) out[out.length - 1] = { from: last.from, to: gap.to }
    else out.push(gap)
  }
  return out
}

/** For a table without row ids: forwards as far as it can be read, then backwards from its end. */
function copyFromBothEnds(db: Database, name: string, columns: readonly string[]): CopiedRows {
  const table = quoted(name)
  const list = columns.map(quoted).join(', ')
  const key = db
    .prepare<[string], string>("SELECT name FROM pragma_table_info(?, 'main') WHERE pk > 0 ORDER BY pk")
    .pluck()
    .all(name)
  const insert = db.prepare<unknown[]>(
    `INSERT OR IGNORE INTO main.${table} (${list}) VALUES (${columns.map(() => '?').join(', ')})`,
  )
  const copy = (direction: 'ASC' | 'DESC'): 'whole' | 'broken' => {
    const order = key.map((column) => `${quoted(column)} ${direction}`).join(', ')
    const { rows, end } = readable(db, `SELECT ${list} FROM damaged.${table} ORDER BY ${order}`)
    const refused = rows.filter((row) => !isAccepted(() => insert.run(...row)))
    return end === 'reached' && refused.length === 0 ? 'whole' : 'broken'
  }
  const isWhole = copy('ASC') === 'whole' || copy('DESC') === 'whole'
  const copied = prepareValue<[], number>(db, `SELECT count(*) FROM main.${table}`).get() ?? 0
  return { copied, gaps: isWhole ? [] : [{ from: 0n, to: 0n }] }
}

/** The rows up to where reading fails. All in memory: a connection that reads rows one by one can write none meanwhile. */
function readable(db: Database, sql: string): { readonly rows: unknown[][]; readonly end: 'reached' | 'not reached' } {
  const rows: unknown[][] = []
  try {
    for (const row of db.prepare<[], unknown[]>(sql).raw().safeIntegers().iterate()) rows.push(row)
    return { rows, end: 'reached' }
  } catch {
    // The damage that this is all about.
    return { rows, end: 'not reached' }
  }
}

function isAccepted(write: () => void): boolean {
  try {
    write()
    return true
  } catch {
    // A value that the table does not allow is damage as well.
    return false
  }
}

export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
