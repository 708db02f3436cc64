import type { BreakerOptions, BreakerPolicy } from './breaker.ts'
import type { Priority } from './job.ts'
import type { Json } from './json.ts'
import { isOfKind, kind } from './kind.ts'
import type { LimitKeys, MaxWaiting, PartLimits } from './limits.ts'
import { duration, invalidOption } from './options.ts'
import type { RetryOptions, RetryPolicy } from './retry.ts'
import type { StandardSchemaV1 } from './schema.ts'

// What a handler is given and what it may give back. A context enqueues tasks, so the types of a task that do not
// need a context stand here too; `task.ts` exports them.

/** Where a task's jobs run. */
export interface TaskPlace {
  readonly type: 'tier' | 'lane'
  readonly name: string
  /** Whether the task itself named its place; only a task that did not is promoted and demoted. */
  readonly pinned: boolean
}

/**
 * How many succeeded jobs of a task are kept: for `forMs`, and at most the latest `max`. One whose result is still to be
 * kept stays besides.
 */
export interface KeepHistory {
  readonly forMs: number
  readonly max: number
}

/** The part of a task that is plain data: what a thread tells the service of the tasks that it handles. */
export interface TaskManifest {
  readonly name: string
  readonly place: TaskPlace
  readonly softLimitMs: number
  readonly hardLimitMs: number
  readonly priority: Priority
  readonly retry: RetryPolicy
  readonly keepResultMs?: number
  readonly keepHistory?: KeepHistory
  readonly keepEndedMs?: number
  /** What its jobs share. */
  readonly limits?: PartLimits
  readonly maxWaiting?: MaxWaiting
  readonly useByMs?: number
  /** Which shape its input has; 1 if absent. */
  readonly version?: number
  /** Its jobs run on the node where they are enqueued, also where there is a broker. */
  readonly local?: true
  readonly breaker?: BreakerPolicy
}

type PlaceOptions =
  | {
      /** The tier whose threads run it, which is then not changed by promotion. Default: 'default', and it may be. */
      readonly tier?: string
      readonly lane?: never
    }
  | {
      readonly tier?: never
      /** The lane that runs it, many jobs at once. */
      readonly lane: string
    }

/** What a task may say besides its schemas and its work; `tier` and `lane` exclude each other. */
export type TaskSettings = PlaceOptions & CommonSettings

interface CommonSettings {
  /** `^[a-z0-9][a-z0-9._-]{0,127}$`; stored with every job, so a new name is a new task. */
  readonly name: string
  /** After this long the attempt's signal is aborted. Default 20,000. */
  readonly softLimitMs?: number
  /** After this long the attempt is ended, with its thread where it has one. At least the soft limit. Default 30,000. */
  readonly hardLimitMs?: number
  /** Default: 5 attempts, exponential from 1 s to 1 h with full jitter. An error that `when` refuses is not retried. */
  readonly retry?: RetryOptions & { readonly when?: (error: unknown) => boolean }
  /** 0 to 9, higher first. Default 4. */
  readonly priority?: Priority
  /** How long the result can be read by its job's id. Default: while it is in the memory of the latest ones. */
  readonly keepResultMs?: number
  /** Keeps succeeded jobs, by age and count. Default: none. */
  readonly keepHistory?: KeepHistory
  /** How long jobs are kept that ended otherwise. Default: the journal's. */
  readonly keepEndedMs?: number
  /** How many jobs may wait in the journal, besides those in the hand of their place. Default: as many as it holds. */
  readonly maxWaiting?: MaxWaiting
  /** Its jobs never go to a broker: they run on the node where they are enqueued. Default: they may run on any. */
  readonly local?: true
  /** A job that has not started, or started again, so long after it first could ends as expired. Default: never. */
  readonly useByMs?: number
  /** Suspends the task while its attempts keep failing, and tries it with one job now and then. Default: never. */
  readonly breaker?: BreakerOptions
}

declare const types: unique symbol

/**
 * The contract of a task: its name, its options with every default filled in, and its types. It is inert: importing it
 * loads no work and starts nothing.
 *
 * `Input` is what callers enqueue, `Parsed` what the handler gets: they differ where a schema converts or fills in.
 */
export interface Task<in Input, out Output, in Parsed = Input> extends TaskManifest {
  /** The schema of the input, if the task has one. */
  readonly input?: StandardSchemaV1
  /** The schema of the result, if the task has one. */
  readonly output?: StandardSchemaV1
  /** Says which errors are worth another attempt; every error is where it is absent. */
  readonly retryWhen?: (error: unknown) => boolean
  /** What names the keys of its jobs, by which they share. */
  readonly limitKeys?: LimitKeys
  /** Makes an input of the task's version from an older one. */
  readonly upgrade?: (input: unknown, fromVersion: number) => unknown
  /** For the compiler only. */
  readonly [types]?: (input: Input, parsed: Parsed) => Output
}

/** Any task, whatever its types. */
export type AnyTask = Task<never, unknown, never>

/** What is enqueued for a task: `InputOf<typeof task>`. */
export type InputOf<T> = T extends Task<infer Input, infer _Output, infer _Parsed> ? Input : never

/** What a task's job results in: `OutputOf<typeof task>`. */
export type OutputOf<T> = T extends Task<infer _Input, infer Output, infer _Parsed> ? Output : never

/** What a task's handler is given: its input, as the task's schema has parsed it. */
export type ParsedOf<T> = T extends Task<infer _Input, infer _Output, infer Parsed> ? Parsed : never

/** What makes a job the same as another one of its task: while one has the key, enqueuing another returns the first. */
export type JobKey = { readonly key: string } & (
  | {
      /** How long the key is taken: until the job has ended, or for so many ms from its enqueue on. */
      readonly scope: 'unfinished' | number
    }
  | {
      /** The first of so many ms is the only one; the same as a window as scope. */
      readonly throttleMs: number
    }
  | {
      /**
       * The job starts when so long no other was enqueued, with the input of the last one: each puts off the one that
       * waits. One that was claimed already is left alone, and the next is a new job.
       */
      readonly debounceMs: number
    }
)

type When =
  | {
      /** Earliest start, in ms from now. */
      readonly delayMs?: number
      readonly runAt?: never
    }
  | {
      readonly delayMs?: never
      /** Earliest start, in epoch ms. */
      readonly runAt?: number
    }

/** What a single job says differently from its task; `delayMs` and `runAt` exclude each other. */
export type EnqueueOptions = When & {
  /** 0 to 9, higher first. Default: the task's. */
  readonly priority?: Priority
  /** A string is short for a key with the scope 'unfinished'. */
  readonly key?: string | JobKey
  /** Epoch ms; no attempt starts after that, a retry neither: the job ends as expired. Default: never. */
  readonly expiresAt?: number
  /** Taken over the task's policy, part by part. */
  readonly retry?: RetryOptions
  /** Default: the task's. */
  readonly softLimitMs?: number
  /** Default: the task's. */
  readonly hardLimitMs?: number
  /** How long this job's result is kept. Default: the task's. */
  readonly keepResultMs?: number
  /** Kept with the job and shown; at most 16 KiB as JSON. Never a place for secrets. */
  readonly metadata?: Readonly<Record<string, string>>
}

/** What `context.enqueue` takes besides: `now` commits the job at once, instead of with the success of its parent. */
export type ChildEnqueueOptions = EnqueueOptions & { readonly now?: true }

/** What follows the task in a call of `enqueue`; a task without an input needs nothing. */
export type EnqueueArguments<T extends AnyTask, Options = EnqueueOptions> =
  undefined extends InputOf<T> ? [input?: InputOf<T>, options?: Options] : [input: InputOf<T>, options?: Options]

/**
 * Writes lines that are kept with the attempt, as they are at the moment: at most 200 and 32 KiB. What is over is cut or
 * dropped, and a last line says how many were.
 */
export interface ContextLog {
  debug(message: string, fields?: Readonly<Record<string, Json>>): void
  info(message: string, fields?: Readonly<Record<string, Json>>): void
  warn(message: string, fields?: Readonly<Record<string, Json>>): void
  error(message: string, fields?: Readonly<Record<string, Json>>): void
}

/** What a handler is given besides its input. It belongs to one attempt and means nothing after it. */
export interface Context {
  readonly jobId: string
  /** Number of the attempt that the retry policy counts, 1 for the first. */
  readonly attempt: number
  /** Name of the job's task. */
  readonly task: string
  /** What the job was enqueued with; empty if nothing. */
  readonly metadata: Readonly<Record<string, string>>
  /** Aborted at the soft limit, by a cancel and by a drain; the reason is a `MillraceError` that says which. */
  readonly signal: AbortSignal
  readonly log: ContextLog
  /**
   * Throws the reason of the abort once the attempt is asked to end. A handler that never waits sees an abort only
   * here and in a new look at `signal`.
   */
  checkpoint(): void
  /** Tells how far the work is; only the latest value is kept, and nothing of it survives the process. */
  progress(value: Json): void
  /**
   * Enqueues a child, which is written in the commit of this job's success and dropped with any other end.
   * With `{ now: true }` it is durable when this resolves, whatever becomes of the job: give it a key.
   */
  enqueue<T extends AnyTask>(
    task: T,
    ...rest: EnqueueArguments<T, ChildEnqueueOptions>
  ): Promise<{ readonly id: string }>
}

/** What a module exports as `setup` or `teardown`: awaited once per thread. */
export type ThreadHook = () => unknown

/** What a module exports as `around`: it calls `next` and returns what that resolves to, or throws. */
export type AroundHook = (job: Context, next: () => Promise<unknown>) => unknown

/** What a handler returns to come back later; made by `snooze`. */
export interface Snooze {
  readonly [kind]: 'snooze'
  readonly delayMs: number
}

/** What a handler returns to end without success and without another attempt; made by `discard`. */
export interface Discard {
  readonly [kind]: 'discard'
  readonly reason: string
}

/** Return it from a handler: the job runs again after `ms` milliseconds, and this attempt is not charged. */
export function snooze(ms: number): Snooze {
  duration(ms, 'snooze')
  return Object.freeze({ [kind]: 'snooze', delayMs: Math.ceil(ms) } as const)
}

/** Return it from a handler: the job ends as discarded, with this reason, and is not retried. */
export function discard(reason: string): Discard {
  if (typeof reason !== 'string' || reason === '') {
    throw invalidOption('discard', reason, 'a text that says why')
  }
  return Object.freeze({ [kind]: 'discard', reason } as const)
}

/** Whether a handler's result asks to come back later. */
export function isSnooze(value: unknown): value is Snooze {
  return isOfKind(value, 'snooze')
}

/** Whether a handler's result ends the job without success. */
export function isDiscard(value: unknown): value is Discard {
  return isOfKind(value, 'discard')
}

/** What the function of a handler may return for a task with this output. */
export type Returned<Output> = Output | Snooze | Discard | PromiseLike<Output | Snooze | Discard>

/** The function that does a task's work. A throw is a failed attempt. */
export type Handler<Parsed, Output> = (input: Parsed, context: Context) => Returned<Output>

/** The type of a task's handler, for one that stands in a module of its own: `HandlerOf<typeof task>`. */
export type HandlerOf<T> = Handler<ParsedOf<T>, OutputOf<T>>
