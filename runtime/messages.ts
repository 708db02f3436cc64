import type { JobEnvelope } from '../lib/envelope.ts'
import type { ErrorRecord } from '../lib/error-record.ts'
import type { JobExtra, JobOverrides } from '../lib/job.ts'
import { readOverrides } from '../lib/job-extra.ts'
import type { Evidence } from '../lib/places.ts'
import type { Outcome } from '../lib/outcome.ts'
import type { RecycleCause, Usage } from '../lib/recycle.ts'
import type { SizeLimits } from '../lib/sizing.ts'
import type { TaskManifest } from '../lib/task.ts'
import type { Verdict } from '../lib/verdict.ts'
import type { ClaimExtra } from './journal/protocol.ts'
import { OUTBOUND_RANK, SUSPECT_CRASHES } from './journal/schema/schema.ts'

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

/** All that is kept of a claim of which no more is needed. */
export type ClaimName = Pick<ClaimedJob, 'number' | 'task' | 'claim'>

/** What a place reports of a claim; kept by the place until the settler says that it is committed. */
export interface Ended {
  readonly job: ClaimedJob
  readonly outcome: Outcome
  /** When the attempt began and ended, in epoch ms with fractions; `undefined` if it never did. */
  readonly startedAt: number | undefined
  readonly endedAt: number | undefined
}

/** Whether it was there at so many deaths of the process that it runs apart from all others, in its trial. */
export function isSuspect(job: ClaimedJob): boolean {
  return (job.extra?.crashes ?? 0) >= SUSPECT_CRASHES
}

/** Whether it goes to the outbox, and runs where a broker brings it. */
export function isOutbound(job: ClaimedJob): boolean {
  return job.rank >= OUTBOUND_RANK
}

const NO_OVERRIDES: JobOverrides = {}
const ONLY_ID = /^\{"id":"[a-z0-9]{6}-[a-z0-9]{1,11}"\}$/
const ID_AT = '{"id":"'.length
const ID_END = -'"}'.length

/** With what its overrides say, once somebody has read them: a map of all claims would be more for the garbage collector. */
interface ReadExtra extends ClaimExtra {
  read?: JobOverrides
}

/** Parsed `ClaimExtra.overrides`; throws `MILLRACE_PAYLOAD_CORRUPT` where the row was damaged. */
export function overridesOf(job: ClaimedJob): JobOverrides {
  const extra: ReadExtra | null = job.extra
  if (extra?.overrides === undefined) return NO_OVERRIDES
  extra.read ??= onlyId(extra.overrides) ?? readOverrides(extra.overrides)
  return extra.read
}

/** What nearly every delivery says, without parsing it. */
function onlyId(overrides: string): JobOverrides | undefined {
  return ONLY_ID.test(overrides) ? { id: overrides.slice(ID_AT, ID_END) } : undefined
}

/** A job that is a delivery of a broker, and belongs to it. */
export interface TakenClaim {
  readonly envelope: JobEnvelope
  /** 'lost': the broker has taken it back, and gives it to somebody again. */
  readonly status: 'live' | 'lost'
}

/** Where a place takes jobs from. */
export interface JobSource {
  readonly size: number
  take(): ClaimedJob | undefined
}

/** How many threads a place shall have, or jobs at once. */
export type PlaceSize =
  | ({ readonly type: 'threads' } & SizeLimits)
  | { readonly type: 'concurrency'; readonly concurrency: number }

/** Why a place has another size. */
export interface Resizing {
  readonly cause: 'waiting' | 'held' | 'quiet' | 'asked'
  readonly before: number
  readonly threads: number
  /** How long jobs waited for a thread, and the most threads that were at work at once, in the last quarter of a second. */
  readonly waitMs: number
  readonly busy: number
}

/** A tier or a lane, as the stages before and after it see it. */
export interface Place {
  readonly name: string
  readonly kind: 'tier' | 'lane'
  /** The tasks that it found, or why it cannot start. */
  readonly ready: Promise<readonly TaskManifest[]>
  /** How many jobs may be in memory for it: its slots and its hand. */
  readonly capacity: { readonly jobs: number; readonly bytes: number }
  /** How many jobs it runs at once. */
  readonly parallel: number
  /** Takes as many jobs as it has slots for. */
  pull(source: JobSource): void
  /** Takes back offered jobs, as far as they have not started; they come as `putBack`. */
  recall(which: (job: ClaimedJob) => boolean): void
  /** Takes back those of these jobs that have not started: they are whoever's asks from now on. */
  takeBack(numbers: ReadonlySet<number>): readonly ClaimedJob[]
  /** Aborts a running job. */
  cancel(number: number, mode: 'abort' | 'terminate'): 'aborted' | 'absent'
  /** 'refused': it has no such size, or does not run. */
  resize(size: PlaceSize): 'resized' | 'refused' | 'over-budget'
  /** Claims that stand in slots now. */
  claims(): readonly ClaimedJob[]
  /** What its threads do; takes at most a beat longer than it takes to look. */
  report(): Promise<PlaceReport>
  /** Where a job stands in it. */
  find(number: number): Found | undefined
  /** Takes nothing more, gives back what has not started, lets the rest end within the grace, and stops it after. */
  stop(graceMs: number): Promise<readonly Stuck[]>
}

/** A job that runs, or ran when somebody looked. */
export interface Running {
  readonly number: number
  readonly task: number
  /** Monotonic ms. */
  readonly startedAt: number
}

/** A thread as its place sees it. `since` is monotonic. */
export interface ThreadReport {
  readonly thread: number | 'loop'
  readonly verdict: Verdict
  readonly since: number
  readonly evidence: Evidence
  /** The job that has run for the longest. */
  readonly oldest: Running | undefined
  readonly running: number
  readonly offered: number
}

export interface PlaceReport {
  readonly threads: readonly ThreadReport[]
  /** Attempts that were given up and have not ended. */
  readonly zombies: number
  /** Threads that were replaced. */
  readonly restarts: number
}

/** Where a job stands in a place. */
export type Found =
  /** Offered to a thread, behind what runs there now. */
  | { readonly type: 'offered'; readonly thread: number | 'loop'; readonly behind: Running | undefined }
  | { readonly type: 'running'; readonly thread: number | 'loop'; readonly startedAt: number }
  /** Given up, while its thread goes on: it is settled when that has exited. */
  | { readonly type: 'given-up'; readonly thread: number | 'loop'; readonly startedAt: number }
  | { readonly type: 'done' }

/** Something about a thread that somebody should know. */
export type ThreadNews =
  /** It does not answer, and its job has run for longer than its soft limit. */
  | { readonly type: 'stuck'; readonly report: ThreadReport; readonly job: Running }
  /** It was told to end and has not. */
  | { readonly type: 'hung'; readonly thread: number | 'loop'; readonly jobs: readonly Running[] }
  /** It has exited, and nobody had told it to. */
  | {
      readonly type: 'died'
      readonly thread: number | 'loop'
      readonly jobs: readonly Running[]
      readonly error: Error
    }

/** A claim that a place was stopped with: its thread has not exited, so it must not run anywhere else. */
export interface Stuck {
  readonly place: string
  readonly number: number
}

/** A claim whose task has a rate has started, at this instant in epoch ms. */
export interface Start {
  readonly number: number
  readonly at: number
}

/** What a place tells of its jobs and of itself. */
export interface PlaceListener {
  /** Only of claims that `Catalog.isRated`. One that is not told before the claim has ended counts as of then. */
  started(starts: readonly Start[]): void
  ended(place: number, ended: readonly Ended[]): void
  putBack(place: number, jobs: readonly ClaimedJob[]): void
  /** There is room: a hint. */
  room(place: number): void
  /** A job that has not ended has run for so long; told now and then. */
  runs(job: ClaimedJob, ms: number): void
  progress(number: number, task: string, value: string): void
  stray(place: number, number: number | undefined, error: ErrorRecord): void
  /** So many attempts were given up and have not ended; the place goes on without them. */
  zombies(place: number, count: number): void
  /** So many of its threads will not end before the process does. */
  hopeless(place: number, count: number): void
  thread(place: number, news: ThreadNews): void
  /** A thread or process of it made way for another. */
  recycled(place: number, cause: RecycleCause, usage: Usage): void
  /** It has another size, and with it another capacity. */
  resized(place: number, resizing: Resizing): void
  /** The place has given up: no thread of it can start. */
  failed(place: number, error: Error): void
}

/** What handlers enqueue and number, answered by the owner. */
export interface ChildPort {
  /** Numbers for new jobs, from `first` on: at once, or when the journal has reserved more of them. */
  takeNumbers(count: number, give: (first: number) => void): void
  /** Resolves to the number of the job: that of an earlier one where that has its key. */
  enqueue(task: string, number: number, input: string, extra: JobExtra | null): Promise<number>
}

/** A lot of outcomes as a place reported it; kept until the journal has taken it over. */
export interface EndedGroup {
  readonly place: number
  readonly ended: readonly Ended[]
}

/** A claim in the hand of a place, or in a slot of it, which need not be that of its task any more. */
export interface InHand {
  readonly place: number
  readonly job: ClaimedJob
}

/** Hints and claims; a lost one is found again when the dispatcher starts anew. */
export type DispatcherMessage =
  | { readonly type: 'claimed'; readonly jobs: readonly ClaimedJob[] }
  | { readonly type: 'room'; readonly place: number }
  | { readonly type: 'put-back'; readonly place: number; readonly jobs: readonly ClaimedJob[] }
  /** Takes jobs that have not started out of their hands and slots, with one look at each; answers with those. */
  | { readonly type: 'remove'; readonly numbers: ReadonlySet<number>; answer(removed: readonly InHand[]): void }
  /** What is paused now goes back to the journal, as far as it has not started. */
  | { readonly type: 'pauses-changed'; answer(): void }
  /** A place takes nothing more: its hand goes back to the journal. */
  | { readonly type: 'place-stopped'; readonly place: number }
  /** A task runs elsewhere now: what waits at its old place goes back to the journal. */
  | { readonly type: 'task-moved'; readonly task: number }

/** Whoever asks waits for the answer. */
export type DispatcherQuestion = Extract<DispatcherMessage, { readonly type: 'remove' | 'pauses-changed' }>

/** What changes where tasks run. */
export type RouterMessage =
  | { readonly type: 'learned'; readonly names: readonly string[] }
  | { readonly type: 'place-stopped'; readonly place: number }
  /** A task belongs to another tier. */
  | { readonly type: 'task-moved'; readonly task: string }
  /** One job of a task that is suspended shall start, if one waits and may. */
  | { readonly type: 'probe'; readonly task: number }
  /** Nothing shall start any more. */
  | { readonly type: 'close' }
  /** The journal is open again and knows neither routes nor room, or something was paused or resumed. */
  | { readonly type: 'reroute' }

/** The run times of a task, by its index, are worth a look. */
export interface PromoterMessage {
  readonly type: 'look'
  readonly task: number
}

export type SettlerMessage = { readonly type: 'ended'; readonly group: EndedGroup }

export type UpkeepMessage =
  | { readonly type: 'next-due'; readonly at: number | undefined }
  | { readonly type: 'suspects'; readonly count: number }
  /** No process could be started for a trial: the next one can wait. */
  | { readonly type: 'trial-postponed' }
