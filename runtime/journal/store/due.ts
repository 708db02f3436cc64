import { stateCodes } from '../../../lib/job-state.ts'
import { type Expired, lastError } from './expired.ts'
import type { Ledger } from './ledger.ts'
import { endUnrun } from '../crossing/taken.ts'

/** As many as a group may have: what is left is due again at once. */
const DUE_JOBS = 512

/** Makes available what has become due: its order number is that of a job that is enqueued now. */
export function promoteDue(ledger: Ledger, now: number): void {
  for (const { id, task, part, rank } of ledger.sql.due.all(now, DUE_JOBS)) {
    const ord = ledger.nextOrd++
    const index = ledger.tasks.indexOfId(task)
    const waitsAs = ledger.rankOf(index, rank, id)
    ledger.sql.becomeAvailable.run(ord, waitsAs, id)
    ledger.beginsToWait({ task: index, part, rank: waitsAs, ord })
  }
}

/** Ends waiting jobs whose time to start is over. */
export function expireOverdue(ledger: Ledger, now: number): Expired[] {
  return ledger.sql.overdue.all(now, DUE_JOBS).map(({ id, task, part, rank, ord, state, claim }) => {
    if (ledger.taken.has(id)) {
      endUnrun(ledger, id, 'expire', now)
      return { number: id, task: ledger.tasks.indexOfId(task) }
    }
    const index = ledger.tasks.indexOfId(task)
    ledger.sql.freeKey.run(id)
    ledger.sql.expire.run(now, ledger.keepTimes.until(id, index, now), id)
    if (state === stateCodes.available) ledger.ceasesToWait({ task: index, part, rank, ord })
    return { number: id, task: index, ...(claim > 0 && lastError(ledger, id)) }
  })
}
