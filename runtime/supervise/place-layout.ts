import { hostOf, type PlaceConfig, threadSeatsOf } from '../config/config.ts'
import { BatchPolicy } from '../places/threads/batch-policy.ts'
import { recordsFor } from '../places/processes/process-place.ts'

/** Records of the starts file: the first one of each place, that of the trial, and how many there are in all. */
export function startsOf(places: readonly PlaceConfig[]): {
  readonly first: readonly number[]
  readonly trial: number
  readonly records: number
} {
  const first: number[] = []
  let records = 0
  for (const place of places) {
    const { processes, concurrency } = place
    first.push(records)
    const host = hostOf(place)
    if (host === 'loop') records += concurrency
    else if (host === 'processes') records += recordsFor(processes)
    else records += threadSeatsOf(place) * (concurrency === 1 ? 1 : new BatchPolicy(concurrency).slots)
  }
  return { first, trial: records, records: records + 1 }
}
