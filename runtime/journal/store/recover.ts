import type { Ledger } from './ledger.ts'
import { become, guard, isOutboundRank, SUSPECT_CRASHES, SUSPECT_RANK } from '../schema/schema.ts'
import { prepare } from '../files/sqlite.ts'
import type { Begun } from '../files/starts.ts'

interface Orphan {
  readonly id: number
  readonly task: number
  readonly part: string | null
  readonly rank: number
  readonly claim: number
  readonly crashes: number
  readonly cancel_at: number | null
  readonly interrupted_at: number | null
}

/** What the owner before left running, and what has become of it. */
export interface Recovered {
  /** Jobs that are available again, suspects among them. */
  readonly available: number
  /** How many of those had begun. */
  readonly begun: number
  /** Those that were to be cancelled, and are. */
  readonly cancelled: readonly { readonly number: number; readonly task: string }[]
}

export const NOTHING_RECOVERED: Recovered = { available: 0, begun: 0, cancelled: [] }

/**
 * What the owner before left running is available again, at its old place in the order. Those that had begun are charged
 * a crash (never an attempt); with enough of them a job is a suspect, and nothing worse: who takes the process down is
 * found where its death can be watched. Their number is bounded by what an owner holds in memory.
 */
export function recover(ledger: Ledger, now: number, begun: Begun | undefined): Recovered {
  const orphans = prepare<[], Orphan>(
    ledger.db,
    `SELECT id, task, part, rank, claim, crashes, cancel_at, interrupted_at FROM millrace_jobs WHERE ${guard('release')}`,
  ).all()
  const statements = waysOut(ledger)
  const cancelled: Recovered['cancelled'][number][] = []
  let begunAgain = 0
  for (const job of orphans) {
    if (!isOutboundRank(job.rank)) ledger.regulator.orphaned({ task: ledger.tasks.indexOfId(job.task), part: job.part })
    if (job.cancel_at !== null) {
      statements.cancel(job, now)
      cancelled.push({ number: job.id, task: ledger.tasks.nameOf(ledger.tasks.indexOfId(job.task)) })
      continue
    }
    const hadBegun = job.interrupted_at === null && begun?.has(job.id, job.claim) === true
    if (hadBegun) begunAgain++
    statements.free(job, hadBegun ? job.crashes + 1 : job.crashes)
  }
  return { available: orphans.length - cancelled.length, begun: begunAgain, cancelled }
}

function waysOut(ledger: Ledger) {
  const free = prepare<[number, number, number]>(
    ledger.db,
    `
    UPDATE millrace_jobs SET ${become('release')}, crashes = ?, rank = ?, interrupted_at = NULL
    WHERE id = ? AND ${guard('release')}`,
  )
  const cancel = prepare<[number, number, number]>(
    ledger.db,
    `
    UPDATE millrace_jobs SET ${become('cancel-running')}, ended_at = ?, keep_until = ?, cancel_at = NULL
    WHERE id = ? AND ${guard('cancel-running')}`,
  )
  return {
    free(job: Orphan, crashes: number) {
      const suspect = crashes >= SUSPECT_CRASHES
      free.run(crashes, suspect ? (job.rank % SUSPECT_RANK) + SUSPECT_RANK : job.rank, job.id)
    },
    cancel(job: Orphan, now: number) {
      cancel.run(now, ledger.keepTimes.until(job.id, ledger.tasks.indexOfId(job.task), now), job.id)
      ledger.sql.freeKey.run(job.id)
    },
  }
}
