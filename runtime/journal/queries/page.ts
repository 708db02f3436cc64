import { stateCodes } from '../../../lib/job-state.ts'
import { formatCursor, parseCursor } from './page-cursor.ts'
import { inChunks, merged, type TimedJob } from './page-merge.ts'
import { FROM_JOBS, JOB_COLUMNS, type StoredJob, withAttempts } from '../store/record.ts'
import { type Database, prepare, prepareTuples } from '../files/sqlite.ts'

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

/** Of each of several tasks so many rows are read at once: most come from few of them. */
const READ_OF_TASK = 8

export interface StoredPage {
  readonly jobs: readonly StoredJob[]
  readonly next: string | undefined
}

/**
 * Each state in the order of its index, so that no page reads more rows than it shows (docs/options.md, `jobs`); only
 * among running jobs those of other tasks are passed over, which are never more than the owner holds in memory.
 */
interface StateOrder {
  readonly columns: readonly string[]
  readonly direction: 'ASC' | 'DESC'
  /** By what there is one index for all tasks, and one in which each task has its own. */
  readonly time?: 'due_at' | 'ended_at'
  position(job: PageRow): number[]
}

const ENDED: StateOrder = {
  columns: ['j.ended_at', 'j.id'],
  direction: 'DESC',
  time: 'ended_at',
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
    {
      columns: ['j.due_at', 'j.id'],
      direction: 'ASC',
      time: 'due_at',
      position: (job) => [job.due_at as number, job.id],
    },
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
  const cursor = after === undefined ? undefined : parseCursor(after, states)
  for (const state of cursor === undefined ? states : states.slice(states.indexOf(cursor.state))) {
    const position = cursor?.state === state ? cursor.position : undefined
    const { time } = orderOf(state)
    if (time !== undefined && tasks !== undefined) yield* timedOf(db, state, time, tasks, position, limit)
    else yield* rowsIn(db, state, tasks, position, limit)
  }
}

function orderOf(state: number): StateOrder {
  return orders.get(state) ?? ENDED
}

/** Each task has its own part of the index: what comes first of all that come first in theirs. */
function* timedOf(
  db: Database,
  state: number,
  time: 'due_at' | 'ended_at',
  tasks: readonly string[],
  after: readonly number[] | undefined,
  limit: number,
): Generator<PageRow> {
  const { direction } = orderOf(state)
  const [compare, first] = direction === 'ASC' ? ['>', Number.MIN_SAFE_INTEGER] : ['<', Number.MAX_SAFE_INTEGER]
  const sql = `SELECT j.${time}, j.id FROM millrace_jobs j
     WHERE j.task = (SELECT id FROM millrace_tasks WHERE name = ?) AND j.state = ${state} AND j.${time} IS NOT NULL
       AND (j.${time}, j.id) ${compare} (?, ?)
     ORDER BY j.${time} ${direction}, j.id ${direction} LIMIT ?`
  const next = prepareTuples<[string, number, number, number], TimedJob>(db, sql)
  const begin = (after ?? [first, first]) as TimedJob
  const atOnce = tasks.length === 1 ? limit : Math.min(limit, READ_OF_TASK)
  const ways = tasks.map((task) => inChunks(atOnce, begin, (behind) => next.all(task, ...behind, atOnce)))
  const row = prepare<[number], PageRow>(db, `SELECT ${JOB_COLUMNS} ${FROM_JOBS} WHERE j.id = ?`)
  for (const [, id] of merged(ways, direction)) yield row.get(id) as PageRow
}

function rowsIn(
  db: Database,
  state: number,
  tasks: readonly string[] | undefined,
  after: readonly number[] | undefined,
  limit: number,
): Iterable<PageRow> {
  const { columns, direction, time } = orderOf(state)
  const conditions = [`j.state = ${state}`]
  if (time === 'ended_at') conditions.push('j.ended_at IS NOT NULL')
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
