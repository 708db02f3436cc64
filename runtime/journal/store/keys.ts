import type { Ledger } from './ledger.ts'

/** The job that has a key now. A window that is over frees its key at once, also before the sweep has removed its row. */
export function holderOf(ledger: Ledger, taskId: number, key: string, now: number): number | undefined {
  const holder = ledger.sql.findKey.get(taskId, key)
  if (holder === undefined || (holder.until !== null && holder.until <= now)) return undefined
  return holder.job
}
