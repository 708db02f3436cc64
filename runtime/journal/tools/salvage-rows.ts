import { type Database, prepareValue } from '../files/sqlite.ts'

/** A range of row ids that could not be read; how many rows it held is not known. */
export interface Gap {
  readonly from: bigint
  readonly to: bigint
}

export interface CopiedRows {
  readonly copied: number
  readonly gaps: readonly Gap[]
}

const FIRST_STEP = 1_024n
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

/** All at once where nothing is damaged; else upwards in steps that shrink before damage and grow behind it. */
function copyByRowid(db: Database, name: string, columns: readonly string[], rowid: string): CopiedRows {
  const table = quoted(name)
  const list = [rowid, ...columns.map(quoted)].join(', ')
  // Each a transaction of its own: in a larger one everything fails after the first damaged page.
  const insert = db.prepare<[bigint, bigint]>(
    `INSERT INTO main.${table} (${list}) SELECT ${list} FROM damaged.${table} WHERE ${rowid} BETWEEN ? AND ?`,
  )
  const seek = db.prepare<[bigint]>(`SELECT 1 FROM damaged.${table} WHERE ${rowid} >= ? ORDER BY ${rowid} LIMIT 1`)
  const copy = (from: bigint, to: bigint) => attempt(() => insert.run(from, to).changes)
  const all = copy(LEAST_ROWID, GREATEST_ROWID)
  if (all !== undefined) return { copied: all, gaps: [] }
  const negative = copy(LEAST_ROWID, -1n)
  const rest = copyUpwards(copy, (at) => attempt(() => seek.get(at) ?? 'none') !== undefined)
  const gaps = negative === undefined ? [{ from: LEAST_ROWID, to: -1n }, ...rest.gaps] : rest.gaps
  return { copied: (negative ?? 0) + rest.copied, gaps: merged(gaps) }
}

function copyUpwards(
  copy: (from: bigint, to: bigint) => number | undefined,
  isReadable: (at: bigint) => boolean,
): CopiedRows {
  const gaps: Gap[] = []
  let copied = 0
  for (let at = 0n, step = FIRST_STEP; at <= GREATEST_ROWID; ) {
    const to = least(at + step - 1n, GREATEST_ROWID)
    const rows = copy(at, to)
    if (rows !== undefined) {
      copied += rows
      at = to + 1n
      step *= 2n
    } else if (step > 1n) step /= 2n
    else {
      const next = nextReadable(at, isReadable)
      gaps.push({ from: at, to: next - 1n })
      at = next
      step = FIRST_STEP
    }
  }
  return { copied, gaps }
}

/** Where rows can be read again: leaps that double until one lands well, then back to the edge of the damage. */
function nextReadable(damaged: bigint, isReadable: (at: bigint) => boolean): bigint {
  let [before, leap] = [damaged, 1n]
  while (!isReadable(least(damaged + leap, GREATEST_ROWID))) {
    if (damaged + leap >= GREATEST_ROWID) return GREATEST_ROWID + 1n
    before = damaged + leap
    leap *= 2n
  }
  let after = least(damaged + leap, GREATEST_ROWID)
  while (after - before > 1n) {
    const middle = (before + after) / 2n
    if (isReadable(middle)) after = middle
    else before = middle
  }
  return after
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}

/** Gaps that touch, as one. */
function merged(gaps: readonly Gap[]): Gap[] {
  const out: Gap[] = []
  for (const gap of gaps) {
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
    const refused = rows.filter((row) => attempt(() => insert.run(...row)) === undefined)
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

/** `undefined` where it fails: a damaged page, or a value that the table does not allow, which is damage as well. */
function attempt<T>(run: () => T): T | undefined {
  try {
    return run()
  } catch {
    // The caller counts it as lost and says so.
    return undefined
  }
}

export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
