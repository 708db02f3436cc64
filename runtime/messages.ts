import type { ErrorRecord } from '../lib/error-record.ts'
import type { JobExtra, JobOverrides } from '../lib/job.ts'
import type { Outcome } from '../lib/outcome.ts'
import type { TaskManifest } from '../lib/task.ts'
import type { ClaimExtra } from './journal/protocol.ts'

/** A job that this process may run once, as it stands in a hand, a place or the settler. */
export interface ClaimedJob {
  readonly number: number
  /** Index of its task. */
  readonly task: number
  readonly input: string
  readonly claim: number
  /** Attempts that were charged before this one. */
  readonly attempt: number
  readonly rank: number
  readonly ord: number
  readonly extra: ClaimExtra | null
}

/** What a place reports of a claim; kept by the place until the settler says that it is committed. */
export interface Ended {
  readonly job: ClaimedJob
  readonly outcome: Outcome
  /** When the attempt began and ended, in epoch ms with fractions; `undefined` if it never did. */
  readonly startedAt: number | undefined
  readonly endedAt: number | undefined
}

/** Parsed `ClaimExtra.overrides`. */
export function overridesOf(job: ClaimedJob): JobOverrides {
  return job.extra?.overrides === undefined ? {} : (JSON.parse(job.extra.overrides) as JobOverrides)
}

/** Where a place takes jobs from. */
export interface JobSource {
  readonly size: number
  take(): ClaimedJob | undefined
}

/** A tier or a lane, as the stages before and after it see it. */
export interface Place {
  readonly name: string
  readonly kind: 'tier' | 'lane'
  /** The tasks that it found, or why it cannot start. */
  readonly ready: Promise<readonly TaskManifest[]>
  /** How many jobs may be in memory for it: its slots and its hand. */
  readonly capacity: { readonly jobs: number; readonly bytes: number }
  /** Takes as many jobs as it has slots for. */
  pull(source: JobSource): void
  /** Takes back offered jobs of lower priority than `rank`, as far as they have not started. */
  recallBehind(rank: number): void
  /** Ends the wait of an offered job or aborts a running one. */
  cancel(number: number, mode: 'abort' | 'terminate'): 'recalled' | 'aborted' | 'absent'
  /** Claims that stand in slots now. */
  claims(): readonly ClaimedJob[]
  /** Takes nothing more, gives back what has not started, lets the rest end within the grace, and stops it after. */
  stop(graceMs: number): Promise<readonly Stuck[]>
}

/** A claim that a place was stopped with: its thread has not exited, so it must not run anywhere else. */
export interface Stuck {
  readonly place: string
  readonly number: number
}

/** What a place tells of its jobs and of itself. */
export interface PlaceListener {
  ended(place: number, ended: readonly Ended[]): void
  putBack(place: number, jobs: readonly ClaimedJob[]): void
  /** There is room: a hint. */
  room(place: number): void
  progress(number: number, task: string, value: string): void
  stray(place: number, number: number | undefined, error: ErrorRecord): void
  /** Attempts were given up that have not ended; the place goes on without them. */
  zombies(place: number, count: number): void
  /** The place has given up: no thread of it can start. */
  failed(place: number, error: Error): void
}

/** What handlers enqueue and number, answered by the owner. */
export interface ChildPort {
  takeNumbers(count: number): number
  enqueue(task: string, number: number, input: string, extra: JobExtra | null): Promise<void>
}

/** A lot of outcomes as a place reported it; kept until the journal has taken it over. */
export interface EndedGroup {
  readonly place: number
  readonly ended: readonly Ended[]
}

/** Hints and claims; a lost one is found again when the dispatcher starts anew. */
export type DispatcherMessage =
  | { readonly type: 'claimed'; readonly jobs: readonly ClaimedJob[] }
  | { readonly type: 'room'; readonly place: number }
  | { readonly type: 'put-back'; readonly place: number; readonly jobs: readonly ClaimedJob[] }
  /** Takes a job out of its hand; answers `undefined` when it is in none. */
  | { readonly type: 'remove'; readonly number: number; answer(job: ClaimedJob | undefined): void }
  /** A place takes nothing more: its hand goes back to the journal. */
  | { readonly type: 'place-stopped'; readonly place: number }

/** What changes where tasks run. */
export type RouterMessage =
  | { readonly type: 'learned'; readonly names: readonly string[] }
  | { readonly type: 'place-stopped'; readonly place: number }
  /** Nothing shall start any more. */
  | { readonly type: 'close' }
  /** The journal is open again and knows neither routes nor room, or a place was paused or resumed. */
  | { readonly type: 'reroute' }

export type SettlerMessage = { readonly type: 'ended'; readonly group: EndedGroup }

export type UpkeepMessage =
  | { readonly type: 'next-due'; readonly at: number | undefined }
  | { readonly type: 'suspects'; readonly count: number }
