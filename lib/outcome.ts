import type { ErrorRecord } from './error-record.ts'
import type { JobExtra } from './job.ts'

/** One line written with `context.log`. */
export interface LogLine {
  readonly at: number
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly message: string
  readonly fields?: Readonly<Record<string, unknown>>
}

/** A job that a handler asked for with `context.enqueue`; it is written in the commit of its parent's success. */
export interface ChildJob {
  readonly number: number
  readonly task: string
  readonly input: string
  readonly extra: JobExtra | null
}

/** The encoded result; '' for `undefined`, and for every other end. */
export function outputOf(outcome: Outcome): string {
  return outcome.type === 'succeeded' ? outcome.output : ''
}

/** What a claim came to, as the place that ran it knows it. Retry or death is decided from it by the settler. */
export type Outcome =
  | {
      readonly type: 'succeeded'
      /** Encoded result; '' for `undefined`. */
      readonly output: string
      readonly children?: readonly ChildJob[]
      readonly log?: readonly LogLine[]
    }
  | {
      readonly type: 'failed'
      readonly error: ErrorRecord
      /** Whether the error itself rules out another attempt (`PermanentError`, `retry.when`). */
      readonly retry: 'by-policy' | 'never'
      readonly log?: readonly LogLine[]
    }
  | { readonly type: 'snoozed'; readonly delayMs: number; readonly log?: readonly LogLine[] }
  | { readonly type: 'discarded'; readonly reason: string; readonly log?: readonly LogLine[] }
  /** The attempt followed the abort of a cancel. */
  | { readonly type: 'cancelled'; readonly log?: readonly LogLine[] }
  /** Not started before `expiresAt`; with the error of the attempt before, once the journal has said it. */
  | { readonly type: 'expired'; readonly error?: ErrorRecord }
  /**
   * Taken back before it started, or stopped by us: costs no attempt. 'lost': a delivery that its broker has taken back,
   * and gives to somebody again.
   */
  | { readonly type: 'interrupted'; readonly cause: 'recalled' | 'drain' | 'neighbour' | 'lost' }
  /** It was sent away: a broker holds it. */
  | { readonly type: 'held' }
  /** It could not be sent away, and is tried again later. */
  | { readonly type: 'put-off'; readonly delayMs: number }
