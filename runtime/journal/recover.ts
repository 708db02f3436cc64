import type { AttemptRecord } from '../../lib/job.ts'
import type { Ledger } from './ledger.ts'
import { become, guard, SUSPECT_CRASHES, SUSPECT_RANK } from './schema.ts'
import type { Begun } from './starts.ts'

/** A suspect that was alone at this many deaths in a row took the process down. */
const LONE_CRASHES = 2

interface Orphan {
  readonly id: number
  readonly rank: number
  readonly claim: number
  readonly attempt: number
  readonly crashes: number
  readonly lone_crashes: number
  readonly cancel_at: number | null
  readonly interrupted_at: number | null
}

/**
 * What the owner before left running is available again, at its old place in the order. Those that had begun are charged
 * a crash (never an attempt). Returns how many rows there were; their number is bounded by what an owner holds in memory.
 */
export function recover(ledger: Ledger, now: number, begun: Begun | undefined): number {
  const orphans = ledger.db
    .prepare<[], Orphan>(`
      SELECT id, rank, claim, attempt, crashes, lone_crashes, cancel_at, interrupted_at FROM millrace_jobs
      WHERE ${guard('release')}`)
    .all()
  const hadBegun = (job: Orphan) => job.interrupted_at === null && begun?.has(job.id, job.claim) === true
  const suspectsBegun = orphans.filter((job) => job.crashes >= SUSPECT_CRASHES && hadBegun(job)).length
  const statements = prepare(ledger)
  for (const job of orphans) {
    if (job.cancel_at !== null) statements.cancel(job, now)
    // A death without it speaks for it: somebody else has taken the process down.
    else if (!hadBegun(job)) statements.free(job, job.crashes, 0)
    else {
      const alone = job.crashes >= SUSPECT_CRASHES && suspectsBegun === 1
      const loneCrashes = alone ? job.lone_crashes + 1 : 0
      if (loneCrashes >= LONE_CRASHES) statements.poison(job, now)
      else statements.free(job, job.crashes + 1, loneCrashes)
    }
  }
  return orphans.length
}

function prepare(ledger: Ledger) {
  const free = ledger.db.prepare(`
    UPDATE millrace_jobs SET ${become('release')}, crashes = ?, lone_crashes = ?, rank = ?, interrupted_at = NULL
    WHERE id = ? AND ${guard('release')}`)
  const end = (transition: 'die' | 'cancel-running') =>
    ledger.db.prepare(`
      UPDATE millrace_jobs SET ${become(transition)}, crashes = ?, ended_at = ?, keep_until = ?, cancel_at = NULL
      WHERE id = ? AND ${guard(transition)}`)
  const die = end('die')
  const cancel = end('cancel-running')
  return {
    free(job: Orphan, crashes: number, loneCrashes: number) {
      const suspect = crashes >= SUSPECT_CRASHES && job.rank < SUSPECT_RANK
      free.run(crashes, loneCrashes, suspect ? job.rank + SUSPECT_RANK : job.rank, job.id)
    },
    cancel(job: Orphan, now: number) {
      cancel.run(job.crashes, now, now + ledger.keepEndedMs, job.id)
      ledger.sql.freeKey.run(job.id)
    },
    poison(job: Orphan, now: number) {
      die.run(job.crashes + 1, now, now + ledger.keepEndedMs, job.id)
      ledger.sql.freeKey.run(job.id)
      ledger.sql.recordAttempt.run(job.id, job.claim, JSON.stringify(poisonRecord(job, now)))
    },
  }
}

function poisonRecord(job: Orphan, now: number): AttemptRecord {
  const message =
    `MILLRACE_POISON: the process died ${job.crashes + 1} times while this job ran, the last two while it was the only ` +
    'suspect; expected a job that its process survives; mend the handler, then retry the job'
  return {
    claim: job.claim,
    attempt: job.attempt + 1,
    endedAt: now,
    type: 'crashed',
    error: { name: 'MillraceError', code: 'MILLRACE_POISON', message },
  }
}
