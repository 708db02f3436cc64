import type { Ledger } from './ledger.ts'

/** How long the id of a duplicate leads to the job that had its key. */
const ALIAS_MS = 24 * 3_600_000

/**
 * For jobs whose writers knew their numbers before anybody had looked at their keys: the number of a duplicate means the
 * job that has its key. `duplicates` has the index of each, and the number of that job.
 */
export function addAliases(
  ledger: Ledger,
  numbers: readonly number[],
  duplicates: readonly number[],
  now: number,
): void {
  for (let at = 0; at < duplicates.length; at += 2) {
    ledger.sql.addAlias.run(numbers[duplicates[at] as number] as number, duplicates[at + 1] as number, now + ALIAS_MS)
  }
}
