import type { MessagePort } from 'node:worker_threads'
import type { ErrorRecord } from '../../lib/error-record.ts'
import type { JobExtra } from '../../lib/job.ts'
import type { Outcome } from '../../lib/outcome.ts'
import type { TaskManifest } from '../../lib/task.ts'

/** What a thread is started with, once for its pool. */
export interface ThreadData {
  /** URLs of the tasks modules. */
  readonly modules: readonly string[]
  /** The name in its jobs' ids. */
  readonly journal: string
  /** Path of the starts file; `undefined` for a journal in memory. */
  readonly starts: string | undefined
}

/** What one run of a thread is given: its port, its slots, and where its starts are written. */
export interface ThreadRun {
  readonly port: MessagePort
  readonly slots: SharedArrayBuffer
  readonly slotCount: number
  /** Jobs that run at once: 1 on a tier. */
  readonly concurrency: number
  readonly firstStart: number
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
export type AbortReason = 'soft-limit' | 'cancel' | 'drain'

export type ToThread =
  | Batch
  | { readonly type: 'abort'; readonly slot: number; readonly generation: number; readonly reason: AbortReason }
  /** Numbers for the jobs that handlers enqueue. */
  | { readonly type: 'numbers'; readonly first: number; readonly count: number }
  | { readonly type: 'enqueued'; readonly request: number; readonly error: ErrorRecord | undefined }
  | { readonly type: 'stop' }

export type FromThread =
  | { readonly type: 'ready'; readonly threadId: number; readonly tasks: readonly TaskManifest[] }
  | { readonly type: 'unusable'; readonly error: ErrorRecord }
  /** Slots have been marked done since the last one. */
  | { readonly type: 'progressed' }
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
  | { readonly type: 'stopped' }
