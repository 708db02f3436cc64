import type { Clock } from '../../lib/clock.ts'
import { MillraceError } from '../../lib/errors.ts'
import { within } from '../../lib/within.ts'

/** What the import of the tasks modules and their `setup` may take. */
export const LOADING_MS = 60_000

/** What is loaded, unless it takes too long. */
export function inTime<T>(clock: Clock, loading: Promise<T>, place: string): Promise<T> {
  return within(clock, LOADING_MS, loading, () => {
    throw late(place)
  })
}

export function late(place: string): MillraceError {
  return new MillraceError(
    'MILLRACE_TASKS_MODULE',
    `the tasks modules have not loaded for ${place} within ${LOADING_MS} ms; expected imports and setup() that end; look ` +
      'for a top-level await, or a setup, that waits for what does not come, as for the createRuntime that waits for it',
  )
}
