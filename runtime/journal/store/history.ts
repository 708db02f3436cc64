import { stateCodes } from '../../../lib/job-state.ts'
import type { Ledger } from './ledger.ts'
import { type Database, prepareTuples } from '../files/sqlite.ts'

/** Most succeeded jobs to keep of a task, by its index, besides those whose result is still to be kept. */
export interface HistoryBound {
  readonly task: number
  readonly max: number
  /** How long the task's results are kept. */
  readonly keepResultMs?: number
}

/** Rows that a sweep looks at for one history, so that nobody's commit waits for more: most may hold results. */
const LOOK_ROWS = 2_000

/** Where a row stands among the ended ones of its task and state. */
export type EndedPosition = readonly [endedAt: number, id: number]

const BEFORE_ALL: EndedPosition = [-1, -1]

/**
 * Succeeded jobs of a task behind the latest that its history keeps, the oldest first, at most `most`. One whose result is
 * still to be kept stays: its history says no more than how many are kept besides. One whose own result is kept for less than
 * the task's is looked at when the task's time is over.
 * What one look does not get to is for the next.
 */
export function behindHistory(
  ledger: Ledger,
  now: number,
  { task, max, keepResultMs = 0 }: HistoryBound,
  most: number,
): { readonly ids: readonly number[]; readonly more: 'yes' | 'no' } {
  const { db, tasks } = ledger
  const id = tasks.idOf(task)
  const latest = latestBehind(db).get(id, stateCodes.succeeded, max)
  const from = ledger.historyLooks.get(task) ?? BEFORE_ALL
  if (most <= 0) return { ids: [], more: 'no' }
  const historyLooks = new Map(ledger.historyLooks)
  historyLooks.delete(task)
  // Another one, for who has to undo it.
  ledger.historyLooks = historyLooks
  if (latest === undefined) return { ids: [], more: 'no' }
  const last = earlier(latest, [now - keepResultMs, Number.MAX_SAFE_INTEGER])
  const ids: number[] = []
  const rows = behind(db).all(keepResultMs, now, id, stateCodes.succeeded, ...from, ...last, LOOK_ROWS)
  const looks = rows.length < LOOK_ROWS ? 'all' : 'some'
  for (const [number, endedAt, isOwed] of rows) {
    if (isOwed === 0) ids.push(number)
    if (looks === 'some' || ids.length === most) historyLooks.set(task, [endedAt, number])
    if (ids.length === most) break
  }
  return { ids, more: historyLooks.has(task) && ids.length > 0 ? 'yes' : 'no' }
}

function earlier(a: EndedPosition, b: EndedPosition): EndedPosition {
  return a[0] < b[0] || (a[0] === b[0] && a[1] < b[1]) ? a : b
}

const ENDED = 'task = ? AND state = ? AND ended_at IS NOT NULL'

function latestBehind(db: Database) {
  return prepareTuples<[number, number, number], EndedPosition>(
    db,
    `SELECT ended_at, id FROM millrace_jobs WHERE ${ENDED} ORDER BY ended_at DESC, id DESC LIMIT 1 OFFSET ?`,
  )
}

/** How long a job's own result is kept goes before what its task says. */
function behind(db: Database) {
  return prepareTuples<
    [number, number, number, number, number, number, number, number, number],
    readonly [id: number, endedAt: number, isOwed: number]
  >(
    db,
    `
    SELECT id, ended_at, output IS NOT NULL
      AND ended_at + coalesce(CASE WHEN json_valid(overrides) THEN json_extract(overrides, '$.keepResultMs') END, ?) > ?
    FROM millrace_jobs
    WHERE ${ENDED} AND (ended_at, id) > (?, ?) AND (ended_at, id) <= (?, ?)
    ORDER BY ended_at, id LIMIT ?`,
  )
}
