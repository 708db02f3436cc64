import type { Limiter } from '../../../lib/limiter.ts'
import type { LimitReason } from '../../../lib/explanation.ts'
import { stateCodes } from '../../../lib/job-state.ts'
import type { Ledger } from '../store/ledger.ts'
import { IS_OUTBOUND, IS_SUSPECT, isOutboundRank, isSuspectRank } from '../schema/schema.ts'
import { type Prepared, prepare, prepareValue } from '../files/sqlite.ts'

/** Why a job is not claimed now, as far as the journal knows. */
export type WhyWaiting =
  /** There is no row. */
  | { readonly type: 'absent' }
  /** It does not wait for a claim: one of `stateCodes`. */
  | { readonly type: 'other-state'; readonly state: number }
  /** It was there at deaths of the service, and waits to be tried. */
  | { readonly type: 'suspect' }
  /** Its task runs nowhere now: nobody handles it, it is paused, or its place has stopped. The owner knows which. */
  | { readonly type: 'parked' }
  /** It goes to a broker, and so many go before it; counted as below. */
  | { readonly type: 'outbound'; readonly jobs: number }
  | LimitReason
  /** So many jobs of its place go before it; `MOST_BEFORE + 1` for more. 0: it is next when there is room. */
  | { readonly type: 'behind'; readonly jobs: number }

/** Counting more would keep the journal from its work. */
export const MOST_BEFORE = 10_000

interface Row {
  readonly state: number
  readonly task: number
  readonly part: string | null
  readonly rank: number
  readonly ord: number
}

/** Made once for a connection; each answer is a few reads. */
export function whyWaiting(ledger: Ledger): (number: number) => WhyWaiting {
  const find = prepare<[number], Row>(ledger.db, 'SELECT state, task, part, rank, ord FROM millrace_jobs WHERE id = ?')
  const before = prepareValue<[number, number, number, number], number>(
    ledger.db,
    `
    SELECT count(*) FROM (SELECT 1 FROM millrace_jobs
    WHERE state = ${stateCodes.available} AND task = ? AND (rank, ord) < (?, ?) AND NOT (${IS_SUSPECT})
    LIMIT ?)`,
  )
  const beforeOut = prepareValue<[number, number, number, number], number>(
    ledger.db,
    `
    SELECT count(*) FROM (SELECT 1 FROM millrace_jobs
    WHERE state = ${stateCodes.available} AND task = ? AND (rank, ord) < (?, ?) AND ${IS_OUTBOUND}
    LIMIT ?)`,
  )
  return (number) => {
    const row = find.get(number)
    if (row === undefined) return { type: 'absent' }
    if (row.state !== stateCodes.available) return { type: 'other-state', state: row.state }
    if (isSuspectRank(row.rank)) return { type: 'suspect' }
    if (isOutboundRank(row.rank)) {
      const tasks = ledger.tasks.names.map((_, task) => task)
      return { type: 'outbound', jobs: countBefore(ledger, row, tasks, beforeOut) }
    }
    return ofWaiting(ledger, row, before)
  }
}

type Before = Prepared<[task: number, rank: number, ord: number, most: number], number>

function ofWaiting(ledger: Ledger, row: Row, before: Before): WhyWaiting {
  const task = ledger.tasks.indexOfId(row.task)
  const place = ledger.waiting.placeOf(task)
  if (place < 0) return { type: 'parked' }
  const heldUp = ledger.regulator.heldUp({ task, part: row.part })
  if (heldUp?.by === 'ahead') return { type: 'fair-turn', claimed: ledger.regulator.runningOf(task) }
  if (heldUp !== undefined) return ofLimiter(heldUp.by, heldUp.opensAt)
  return { type: 'behind', jobs: countBefore(ledger, row, ledger.waiting.allTasksOf(place), before) }
}

function countBefore({ tasks }: Ledger, row: Row, indices: readonly number[], before: Before): number {
  let jobs = 0
  for (const each of indices) {
    jobs += before.get(tasks.idOf(each), row.rank, row.ord, MOST_BEFORE + 1 - jobs) ?? 0
    if (jobs > MOST_BEFORE) break
  }
  return jobs
}

function ofLimiter({ name, rule, running, key }: Limiter, opensAt: number): WhyWaiting {
  const of = name.startsWith('place:') ? 'place' : name.includes(' ') ? 'key' : 'task'
  const { concurrency, rate } = rule
  if (concurrency !== undefined && running >= concurrency) {
    return { type: 'concurrency', of, key, used: running, limit: concurrency }
  }
  const { limit = 0, perMs = 0, burst = 0 } = rate ?? {}
  return {
    type: 'rate',
    of,
    key,
    limit,
    perMs,
    burst,
    nextAt: opensAt === Number.POSITIVE_INFINITY ? undefined : opensAt,
  }
}
