import type { Suspension } from './breaker.ts'
import type { ErrorRecord } from './error-record.ts'
import type { JobState } from './job-state.ts'
import type { LogLine } from './outcome.ts'
import type { RetryPolicy } from './retry.ts'

/** Higher first. */
export type Priority = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9

export const DEFAULT_PRIORITY = 4

/** What a single job says differently from its task; stored with the job as JSON. */
export interface JobOverrides {
  /** Its id on the node that has it, where it runs on another one. */
  readonly id?: string
  readonly retry?: RetryPolicy
  readonly softLimitMs?: number
  readonly hardLimitMs?: number
  readonly keepResultMs?: number
  readonly metadata?: Readonly<Record<string, string>>
  /** The version of its task by which its input was made; 1 if absent. */
  readonly version?: number
}

/** What of a new job is stored in columns of its own; most jobs have none of it. */
export interface JobExtra {
  readonly priority?: number
  readonly dueAt?: number
  readonly expiresAt?: number
  /** It may be ended at once where it is clear that it cannot start within so long. */
  readonly useByMs?: number
  readonly key?: string
  /** How long the key is taken from its enqueue on; `undefined` with a key: until the job has ended. */
  readonly keyWindowMs?: number
  /** The waiting job with the key is put off to `dueAt`, with this input. */
  readonly debounce?: 'yes'
  /** JSON of `JobOverrides`. */
  readonly overrides?: string
  /** Its keys, where its task has limits by key. */
  readonly part?: string
}

/** What a job weighs wherever bytes are bounded: its input, and what it says differently from its task. */
export function weightOf({ input, extra }: Weighed): number {
  return extra === null ? input.length : input.length + (extra.overrides?.length ?? 0)
}

interface Weighed {
  readonly input: string
  readonly extra: Pick<JobExtra, 'overrides'> | null
}

/** One attempt that has ended, as far as it left something to tell. */
export interface AttemptRecord {
  readonly claim: number
  /** Number of the attempt that the retry policy counts, 1-based. */
  readonly attempt: number
  readonly startedAt?: number
  readonly endedAt: number
  readonly type: 'succeeded' | 'failed' | 'snoozed' | 'discarded' | 'cancelled' | 'crashed'
  readonly error?: ErrorRecord
  readonly reason?: string
  readonly log?: readonly LogLine[]
}

/** Everything that the journal knows of a job. Instants are epoch milliseconds. */
export interface JobRecord {
  readonly id: string
  readonly task: string
  readonly state: JobState
  readonly priority: Priority
  /** Attempts that were charged so far. */
  readonly attempts: number
  readonly claim: number
  /** Times that the process died while the job had begun. */
  readonly crashes: number
  readonly createdAt: number
  readonly dueAt?: number
  readonly expiresAt?: number
  readonly endedAt?: number
  /** Set while a thread that was told to stop has not exited. */
  readonly interruptedAt?: number
  readonly key?: string
  readonly metadata: Readonly<Record<string, string>>
  readonly input: unknown
  /** Only where the task keeps results. */
  readonly output?: unknown
  /** Ended attempts that left an error or a line, oldest first; the latest 20 are kept. */
  readonly history: readonly AttemptRecord[]
  /** Where its task runs now; `undefined` for a task that no module of this service handles. */
  readonly place?: string
  /** The last value given to `context.progress`, in the process that runs the job. */
  readonly progress?: unknown
}

/** Which jobs: every given part must hold. */
export interface JobFilter {
  readonly state?: JobState | readonly JobState[]
  /** A task, or its name. */
  readonly task?: string | { readonly name: string }
  readonly place?: string
}

/** Which part of the jobs that match. */
export interface PageOptions {
  /** 1 to 200. Default 50. */
  readonly limit?: number
  /** The `next` of the page before. */
  readonly after?: string
}

export interface JobPage {
  readonly jobs: readonly JobRecord[]
  /** Pass as `after` for the next page; `undefined` on the last one. */
  readonly next: string | undefined
}

/** A task that the journal knows, and its jobs. */
export interface TaskSummary {
  readonly task: string
  /** `undefined` for a task that no module of this service handles: its jobs wait. */
  readonly place: string | undefined
  /** Somebody has paused it, or its place: its jobs wait. */
  readonly paused?: true
  /** Its attempts keep failing: its jobs wait until one that is tried succeeds. */
  readonly suspended?: Suspension
  /**
   * How many there are in each state; states without any are left out. 'running' are those that this process has
   * claimed: what is in a slot, and what it has in memory for the next ones (`handJobs`).
   */
  readonly jobs: Readonly<Partial<Record<JobState, number>>>
}

const PUBLIC_ID = /^([a-z0-9]{6})-([a-z0-9]{1,11})$/

/** The public id of a job: which journal, and the job's number in it. */
export function formatJobId(journal: string, number: number): string {
  return `${journal}-${number.toString(36)}`
}

/** Whether the id is of a job that the journal of this name has. */
export function isJobOf(journal: string, id: string): boolean {
  return id.startsWith(journal) && id[journal.length] === '-'
}

/** `undefined` for text that is no job id. */
export function parseJobId(id: string): { readonly journal: string; readonly number: number } | undefined {
  const match = PUBLIC_ID.exec(id)
  if (match === null) return undefined
  const number = Number.parseInt(match[2] ?? '', 36)
  return Number.isSafeInteger(number) ? { journal: match[1] ?? '', number } : undefined
}
