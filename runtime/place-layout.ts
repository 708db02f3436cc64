import type { PlaceConfig } from './config.ts'
import { BatchPolicy } from './places/batch-policy.ts'

/** Records of the starts file: the first one of each place, and how many there are in all. */
export function startsOf(places: readonly PlaceConfig[]): {
  readonly first: readonly number[]
  readonly records: number
} {
  const first: number[] = []
  let records = 0
  for (const { threads, concurrency } of places) {
    first.push(records)
    if (threads === 0) records += 2 * concurrency
    else records += threads * (concurrency === 1 ? 1 : new BatchPolicy(concurrency).slots)
  }
  return { first, records }
}
