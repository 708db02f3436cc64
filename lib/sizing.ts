/**
 * When a tier gets a thread more or less. It grows when jobs have waited for too long for a while, and shrinks when it has
 * had a thread too many for much longer: so that nothing that comes and goes makes it do both in turn.
 */

/** How many there may be. */
export interface SizeLimits {
  readonly min: number
  readonly max: number
}

/** What was measured since the reading before. */
export interface SizeReading {
  /** Monotonic ms. */
  readonly at: number
  /** How long jobs waited for a thread. */
  readonly waitMs: number
  /** The most threads that were at work at once. */
  readonly busy: number
}

export interface SizeState {
  readonly threads: number
  readonly changedAt: number
  /** Since when each reading was slow, or quiet; `undefined` if the last one was not. */
  readonly slowSince: number | undefined
  readonly quietSince: number | undefined
}

export type SizeChange = 'grow' | 'shrink' | 'stay'

/** Jobs that wait for longer than this want another thread. */
export const SLOW_WAIT_MS = 100
/** A wait below this is none. */
const QUIET_WAIT_MS = SLOW_WAIT_MS / 4
/** What is slow for less than this is a burst. */
export const SLOW_FOR_MS = 500
/** A new thread has to start, and to show what it is good for, before the next one. */
export const GROW_PAUSE_MS = 1_000
/** A thread goes that was not needed for this long; also the least time between any change and a thread less. */
export const QUIET_FOR_MS = 10_000

export function sizeState(threads: number, at: number): SizeState {
  return { threads, changedAt: at, slowSince: undefined, quietSince: undefined }
}

/** What to do now, and the state if that is done. */
export function nextSize(state: SizeState, reading: SizeReading, limits: SizeLimits): [SizeChange, SizeState] {
  const { at } = reading
  const { threads, changedAt } = state
  const slow = reading.waitMs > SLOW_WAIT_MS
  const quiet = !slow && reading.waitMs <= QUIET_WAIT_MS && reading.busy < threads
  const slowSince = slow ? (state.slowSince ?? at) : undefined
  const quietSince = quiet ? (state.quietSince ?? at) : undefined
  const mayGrow = threads < limits.max && at - changedAt >= GROW_PAUSE_MS
  if (mayGrow && at - (slowSince ?? at) >= SLOW_FOR_MS) return ['grow', sizeState(threads + 1, at)]
  const mayShrink = threads > limits.min && at - changedAt >= QUIET_FOR_MS
  if (mayShrink && at - (quietSince ?? at) >= QUIET_FOR_MS) return ['shrink', sizeState(threads - 1, at)]
  return ['stay', { threads, changedAt, slowSince, quietSince }]
}
