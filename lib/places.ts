import type { Verdict } from './verdict.ts'

/** What is known of a thread besides the verdict on it; shares are of the time between the last two looks, 0 to 1. */
export interface Evidence {
  /** How long ago its loop last said that it turns. */
  readonly silentMs: number
  /** How much of the time its loop was busy. */
  readonly busyShare: number | undefined
  /** How much of the time it had a processor; `undefined` where the system does not tell. */
  readonly processorShare: number | undefined
  /** How much of the time it was ready and got no processor; `undefined` where the system does not tell. */
  readonly queuedShare: number | undefined
}

export interface RunningJob {
  readonly id: string
  readonly task: string
  readonly runningMs: number
}

/** One thread of a place, or the service's own loop. */
export interface ThreadSummary {
  /** Its number within the place; 'loop' for the service's own. One that was given up has that of its successor. */
  readonly thread: number | 'loop'
  readonly verdict: Verdict
  /** Epoch ms from which on it holds, as far as somebody looked. */
  readonly sinceAt: number
  readonly evidence: Evidence
  /** The job that has run for the longest; `undefined` where none runs. */
  readonly job: RunningJob | undefined
  /** Jobs that run on it. */
  readonly running: number
  /** Jobs that were handed to it and have not begun. */
  readonly offered: number
}

export type PlaceStatus =
  | { readonly type: 'running' }
  /** It is given nothing to run. */
  | { readonly type: 'paused' }
  /** It has given up; its jobs wait in the journal. */
  | { readonly type: 'stopped'; readonly error: Error }
  /** The runtime stops: what runs may end. */
  | { readonly type: 'draining' }

/** A tier or a lane as it is now. */
export interface PlaceSummary {
  readonly place: string
  readonly kind: 'tier' | 'lane'
  readonly status: PlaceStatus
  readonly threads: readonly ThreadSummary[]
  /** Jobs that run. */
  readonly running: number
  /** Jobs that were handed to a thread and have not begun. */
  readonly offered: number
  /** Claimed jobs in memory that were not handed to a thread yet. */
  readonly inHand: number
  /** Jobs of its tasks that wait in the journal. */
  readonly waiting: number
  /** Tasks of it that are suspended, since their attempts keep failing. */
  readonly suspended: readonly string[]
  /** Attempts that were given up and have not ended. */
  readonly zombies: number
  /** How many threads have been replaced by another one. */
  readonly restarts: number
}
