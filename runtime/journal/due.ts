import { stateCodes } from '../../lib/job-state.ts'
import type { Ledger } from './ledger.ts'

/** As many as a group may have: what is left is due again at once. */
const DUE_JOBS = 512

/** Makes available what has become due: its order number is that of a job that is enqueued now. */
export function promoteDue(ledger: Ledger, now: number): void {
  for (const { id, task, rank } of ledger.sql.due.all(now, DUE_JOBS)) {
    ledger.sql.becomeAvailable.run(ledger.nextOrd++, id)
    ledger.addWaiting(ledger.tasks.indexOfId(task), rank, 1)
  }
}

/** Ends waiting jobs whose time to start is over. */
export function expireOverdue(ledger: Ledger, now: number, keepMs: number): { number: number; task: number }[] {
  return ledger.sql.overdue.all(now, DUE_JOBS).map(({ id, task, rank, state }) => {
    ledger.sql.freeKey.run(id)
    ledger.sql.expire.run(now, now + keepMs, id)
    const index = ledger.tasks.indexOfId(task)
    if (state === stateCodes.available) ledger.addWaiting(index, rank, -1)
    return { number: id, task: index }
  })
}
