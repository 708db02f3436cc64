import type { Outcome } from '../../../lib/outcome.ts'
import type { TaskManifest } from '../../../lib/task.ts'
import type { AbortReason, FromThread, JournalFacts, ThreadData, ToThread } from '../thread-protocol.ts'

/** What a process is started with. */
export interface ProcessData extends ThreadData, JournalFacts {
  /** Process id of the service: when its parent is another, the service is gone. */
  readonly parent: number
  readonly maxMemoryMb: number | undefined
}

/** A job, which is the process's own from here on: it has no other, so there is nothing to take back. */
export interface ProcessJob {
  readonly number: number
  readonly task: string
  readonly claim: number
  readonly attempt: number
  readonly input: string
  readonly overrides: string | null
  /** Where its start is written in the starts file. */
  readonly start: number
}

export type ToProcess =
  | { readonly type: 'begin'; readonly data: ProcessData }
  | { readonly type: 'job'; readonly job: ProcessJob }
  | { readonly type: 'abort'; readonly number: number; readonly claim: number; readonly reason: AbortReason }
  | Extract<ToThread, { type: 'numbers' | 'enqueued' | 'stop' }>

export type FromProcess =
  | { readonly type: 'ready'; readonly tasks: readonly TaskManifest[]; readonly memoryBytes: number }
  /** The handler is about to be called: what becomes of the process from here on is the job's. */
  | { readonly type: 'begun' }
  | {
      readonly type: 'ended'
      readonly outcome: Outcome
      /** Epoch ms with fractions. */
      readonly startedAt: number
      readonly endedAt: number
      readonly memoryBytes: number
    }
  | Extract<FromThread, { type: 'unusable' | 'progress' | 'stray' | 'leaves' | 'enqueue' | 'numbers-wanted' }>

/** Where the process's guard writes its last words, as file descriptors go: after stdin, stdout, stderr, and the channel. */
export const LAST_WORDS = 4
