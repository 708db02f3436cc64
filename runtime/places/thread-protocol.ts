import type { MessagePort } from 'node:worker_threads'
import type { ErrorRecord } from '../../lib/error-record.ts'
import type { JobExtra } from '../../lib/job.ts'
import type { Outcome } from '../../lib/outcome.ts'
import type { TaskManifest } from '../../lib/task.ts'

/** What a thread is started with, once for its pool, and before the journal is open. */
export interface ThreadData {
  /** URLs of the tasks modules. */
  readonly modules: readonly string[]
}

/** What is known once the journal is open. */
export interface JournalFacts {
  /** The name in its jobs' ids. */
  readonly journal: string
  /** Path of the starts file; `undefined` for a journal in memory. */
  readonly starts: string | undefined
}

/** What one run of a thread is given: its port, its slots, and where its starts are written. */
export interface ThreadRun extends JournalFacts {
  readonly port: MessagePort
  readonly slots: SharedArrayBuffer
  readonly slotCount: number
  /** Jobs that run at once: 1 on a tier. */
  readonly concurrency: number
  readonly firstStart: number
  /** 'measured': the thread looks at its memory after its jobs and says what it has. */
  readonly memory: 'measured' | 'ignored'
}

/** Jobs for slots that were offered, as columns: a clone pays for every object. */
export interface Batch {
  readonly type: 'batch'
  readonly slots: number[]
  readonly generations: number[]
  readonly numbers: number[]
  readonly tasks: string[]
  readonly claims: number[]
  readonly attempts: number[]
  readonly inputs: string[]
  readonly overrides: (string | null)[]
}

/** Why a running attempt is asked to end. */
export const abortReasons = ['soft-limit', 'cancel', 'drain'] as const
export type AbortReason = (typeof abortReasons)[number]

export type ToThread =
  | Batch
  | { readonly type: 'abort'; readonly slot: number; readonly generation: number; readonly reason: AbortReason }
  /** Numbers for the jobs that handlers enqueue. */
  | { readonly type: 'numbers'; readonly first: number; readonly count: number }
  /** The number of the job, or why there is none. */
  | { readonly type: 'enqueued'; readonly request: number; readonly came: number | ErrorRecord }
  | { readonly type: 'stop' }
  /** Tears its modules down and exits: another thread has its seat. */
  | { readonly type: 'retire' }

export type FromThread =
  | {
      readonly type: 'ready'
      readonly threadId: number
      /** The kernel's number of the thread, where it has one. */
      readonly kernelThread: number | undefined
      readonly tasks: readonly TaskManifest[]
    }
  | { readonly type: 'unusable'; readonly error: ErrorRecord }
  /** Slots have been marked done since the last one. */
  | { readonly type: 'progressed'; readonly memoryBytes: number }
  /** Posted before the slot is marked: an outcome that is more than a plain success. */
  | { readonly type: 'outcome'; readonly slot: number; readonly generation: number; readonly outcome: Outcome }
  /** A condemned attempt has ended after all. */
  | { readonly type: 'gave-back'; readonly slot: number; readonly generation: number }
  | { readonly type: 'progress'; readonly number: number; readonly task: string; readonly value: string }
  /** A rejection or throw that nobody handled, and the job whose code it came from. */
  | { readonly type: 'stray'; readonly number: number | undefined; readonly error: ErrorRecord }
  | {
      readonly type: 'enqueue'
      readonly request: number
      readonly number: number
      readonly task: string
      readonly input: string
      readonly extra: JobExtra | null
    }
  | { readonly type: 'numbers-wanted' }
  /** Code of this job, if it is known, is about to end the thread. */
  | { readonly type: 'leaves'; readonly number: number | undefined }
  | { readonly type: 'stopped' }

/** What handlers ask of the owner and tell it while they run. */
export type FromHandlers = Extract<FromThread, { type: 'progress' | 'enqueue' | 'numbers-wanted' }>
