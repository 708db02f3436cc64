import { stateCodes } from '../../lib/job-state.ts'
import { formatCursor, parseCursor } from './page-cursor.ts'
import { FROM_JOBS, JOB_COLUMNS, type StoredJob, withAttempts } from './record.ts'
import type { Database } from './sqlite.ts'

/** States and task names that a page may show; `undefined` for all tasks. `after` is a page's `next`. */
export interface PageQuery {
  readonly states: readonly number[]
  readonly tasks: readonly string[] | undefined
  readonly limit: number
  readonly after: string | undefined
}

export interface StoredPage {
  readonly jobs: readonly StoredJob[]
  readonly next: string | undefined
}

/** Each state in the order of its index, so that no page reads more rows than it shows (docs/options.md, `jobs`). */
interface StateOrder {
  readonly columns: readonly string[]
  readonly direction: 'ASC' | 'DESC'
  position(job: StoredJob): number[]
}

const ENDED: StateOrder = {
  columns: ['j.ended_at', 'j.id'],
  direction: 'DESC',
  position: (job) => [job.ended_at as number, job.id],
}

const orders: ReadonlyMap<number, StateOrder> = new Map<number, StateOrder>([
  [stateCodes.running, { columns: ['j.id'], direction: 'ASC', position: (job) => [job.id] }],
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
  const jobs: StoredJob[] = []
  const cursor = query.after === undefined ? undefined : parseCursor(query.after)
  const from = cursor === undefined ? 0 : query.states.indexOf(cursor.state)
  for (let at = Math.max(0, from); at < query.states.length; at++) {
    const state = query.states[at] as number
    const position = cursor?.state === state ? cursor.position : undefined
    const wanted = query.limit - jobs.length
    const rows = rowsOf(db, state, query.tasks, position, wanted)
    jobs.push(...rows)
    if (rows.length === wanted) {
      const last = rows.at(-1) as StoredJob
      return { jobs, next: formatCursor({ state, position: orderOf(state).position(last) }) }
    }
  }
  return { jobs, next: undefined }
}

function orderOf(state: number): StateOrder {
  return orders.get(state) ?? ENDED
}

function rowsOf(
  db: Database,
  state: number,
  tasks: readonly string[] | undefined,
  after: readonly number[] | undefined,
  limit: number,
): StoredJob[] {
  const { columns, direction } = orderOf(state)
  const conditions = [`j.state = ${state}`]
  if (columns[0] === 'j.ended_at') conditions.push('j.ended_at IS NOT NULL')
  const values: (string | number)[] = []
  if (tasks !== undefined) {
    const ids = `(SELECT id FROM millrace_tasks WHERE name IN (${tasks.map(() => '?').join(', ')}))`
    conditions.push(tasks.length === 1 ? `j.task = ${ids}` : `j.task IN ${ids}`)
    values.push(...tasks)
  }
  if (after !== undefined) {
    const compare = direction === 'ASC' ? '>' : '<'
    conditions.push(`(${columns.join(', ')}) ${compare} (${columns.map(() => '?').join(', ')})`)
    values.push(...after)
  }
  const order = columns.map((column) => `${column} ${direction}`).join(', ')
  return db
    .prepare<(string | number)[], Omit<StoredJob, 'attempts'>>(
      `SELECT ${JOB_COLUMNS} ${FROM_JOBS} WHERE ${conditions.join(' AND ')} ORDER BY ${order} LIMIT ?`,
    )
    .all(...values, limit)
    .map((row) => withAttempts(db, row))
}
