import { stateCodes } from '../../lib/job-state.ts'
import { formatCursor, parseCursor } from './page-cursor.ts'
import { FROM_JOBS, JOB_COLUMNS, type StoredJob, withAttempts } from './record.ts'
import { type Database, prepare, prepareTuples } from './sqlite.ts'

/** States and task names that a page may show; `undefined` for all tasks. `after` is a page's `next`. */
export interface PageQuery {
  readonly states: readonly number[]
  readonly tasks: readonly string[] | undefined
  readonly limit: number
  readonly after: string | undefined
}

type PageRow = Omit<StoredJob, 'attempts'>

/** A page of large payloads is a short one. */
const PAGE_BYTES = 4 * 1024 * 1024

export interface StoredPage {
  readonly jobs: readonly StoredJob[]
  readonly next: string | undefined
}

/**
 * Each state in the order of its index, so that no page reads more rows than it shows (docs/options.md, `jobs`); only
 * among scheduled and running jobs those of other tasks are passed over.
 */
interface StateOrder {
  readonly columns: readonly string[]
  readonly direction: 'ASC' | 'DESC'
  position(job: PageRow): number[]
}

const ENDED: StateOrder = {
  columns: ['j.ended_at', 'j.id'],
  direction: 'DESC',
  position: (job) => [job.ended_at as number, job.id],
}

const orders: ReadonlyMap<number, StateOrder> = new Map<number, StateOrder>([
  [stateCodes.running, { columns: ['j.id'], direction: 'ASC', position: (job) => [job.id] }],
  [stateCodes.away, { columns: ['j.task', 'j.id'], direction: 'ASC', position: (job) => [job.task_id, job.id] }],
  [
    stateCodes.available,
    { columns: ['j.task', 'j.rank', 'j.ord'], direction: 'ASC', position: (job) => [job.task_id, job.rank, job.ord] },
  ],
  [
    stateCodes.scheduled,
    { columns: ['j.due_at', 'j.id'], direction: 'ASC', position: (job) => [job.due_at as number, job.id] },
  ],
])

/** One page, state by state in the order they are asked for. */
export function pageOf(db: Database, query: PageQuery): StoredPage {
  const rows: PageRow[] = []
  let bytes = 0
  let next: string | undefined
  for (const row of rowsOf(db, query)) {
    rows.push(row)
    bytes += row.input.length + (row.output?.length ?? 0)
    if (rows.length < query.limit && bytes < PAGE_BYTES) continue
    next = formatCursor({ state: row.state, position: orderOf(row.state).position(row) })
    break
  }
  return { jobs: rows.map((row) => withAttempts(db, row)), next }
}

function* rowsOf(db: Database, { states, tasks, limit, after }: PageQuery): Generator<PageRow> {
  const cursor = after === undefined ? undefined : parseCursor(after)
  const from = cursor === undefined ? 0 : states.indexOf(cursor.state)
  for (const state of states.slice(Math.max(0, from))) {
    const position = cursor?.state === state ? cursor.position : undefined
    if (orderOf(state) === ENDED && tasks !== undefined) yield* endedOf(db, state, tasks, position, limit)
    else yield* rowsIn(db, state, tasks, position, limit)
  }
}

function orderOf(state: number): StateOrder {
  return orders.get(state) ?? ENDED
}

const NONE_BEFORE = [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER]

/** Each task has an index of its own: of every one the latest, and of all those the latest. */
function* endedOf(
  db: Database,
  state: number,
  tasks: readonly string[],
  [endedAt, id] = NONE_BEFORE as readonly number[],
  limit: number,
): Generator<PageRow> {
  const latest = prepareTuples<[string, number, number, number, number], readonly [endedAt: number, id: number]>(
    db,
    `SELECT j.ended_at, j.id FROM millrace_jobs j
     WHERE j.task = (SELECT id FROM millrace_tasks WHERE name = ?) AND j.state = ? AND j.ended_at IS NOT NULL
       AND (j.ended_at, j.id) < (?, ?)
     ORDER BY j.ended_at DESC, j.id DESC LIMIT ?`,
  )
  const found = tasks.flatMap((task) => latest.all(task, state, endedAt as number, id as number, limit))
  found.sort(([a, first], [b, second]) => b - a || second - first)
  const row = prepare<[number], PageRow>(db, `SELECT ${JOB_COLUMNS} ${FROM_JOBS} WHERE j.id = ?`)
  for (const [, number] of found.slice(0, limit)) yield row.get(number) as PageRow
}

function rowsIn(
  db: Database,
  state: number,
  tasks: readonly string[] | undefined,
  after: readonly number[] | undefined,
  limit: number,
): Iterable<PageRow> {
  const { columns, direction } = orderOf(state)
  const conditions = [`j.state = ${state}`]
  if (columns[0] === 'j.ended_at') conditions.push('j.ended_at IS NOT NULL')
  const values: (string | number)[] = []
  if (tasks !== undefined) {
    const ids = 'SELECT id FROM millrace_tasks WHERE name IN (SELECT value FROM json_each(?))'
    conditions.push(tasks.length === 1 ? `j.task = (${ids})` : `j.task IN (${ids})`)
    values.push(JSON.stringify(tasks))
  }
  if (after !== undefined) {
    const compare = direction === 'ASC' ? '>' : '<'
    conditions.push(`(${columns.join(', ')}) ${compare} (${columns.map(() => '?').join(', ')})`)
    values.push(...after)
  }
  const order = columns.map((column) => `${column} ${direction}`).join(', ')
  const sql = `SELECT ${JOB_COLUMNS} ${FROM_JOBS} WHERE ${conditions.join(' AND ')} ORDER BY ${order} LIMIT ?`
  return prepare<(string | number)[], PageRow>(db, sql).iterate(...values, limit)
}
