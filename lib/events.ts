import type { ErrorRecord } from './error-record.ts'

interface OfJob {
  readonly id: string
  readonly task: string
}

interface OfAttempt extends OfJob {
  /** The attempt that ended, 1-based. */
  readonly attempt: number
  /** How long it ran, in ms; `undefined` for one that never started. */
  readonly ranMs: number | undefined
}

/** What a runtime tells, after the commit that made it so. Nothing here carries a payload except `job.progress`. */
export interface RuntimeEvents {
  'job.succeeded': (event: OfAttempt) => void
  /** An attempt failed; `nextAt` (epoch ms) says when the next one is due. */
  'job.retrying': (event: OfAttempt & { readonly error: ErrorRecord; readonly nextAt: number }) => void
  'job.dead': (event: OfAttempt & { readonly error: ErrorRecord }) => void
  'job.snoozed': (event: OfAttempt & { readonly nextAt: number }) => void
  'job.discarded': (event: OfAttempt & { readonly reason: string }) => void
  'job.cancelled': (event: OfJob) => void
  'job.expired': (event: OfJob) => void
  /** Given back uncharged: by a drain, or behind a job whose thread ended. */
  'job.interrupted': (event: OfAttempt) => void
  /** Its outcome could not be written: it stays running, and runs again at the next start. */
  'job.unsettled': (event: { readonly id: string; readonly error: Error }) => void
  'job.progress': (event: OfJob & { readonly value: unknown }) => void
  /** A rejection or throw that nobody handled, and the job whose code it came from, if that is known. */
  'job.stray': (event: { readonly id: string | undefined; readonly error: ErrorRecord; readonly place: string }) => void
  /** A task that no module of this service handles has jobs: they wait. */
  'task.unknown': (event: { readonly task: string }) => void
  /** The service's own loop stood still for over a second: by which task, if it was one, and where. */
  'loop.blocked': (event: {
    readonly task: string | undefined
    readonly stack: readonly string[]
    readonly blockedMs: number
  }) => void
  /** A place has given up; its jobs wait in the journal. */
  'place.stopped': (event: { readonly place: string; readonly error: Error }) => void
  /**
   * Attempts that were given up at their hard limit and have not ended: threads in a native call, which cannot be
   * interrupted, and promises of a lane, which cannot be stopped.
   */
  'place.zombies': (event: { readonly place: string; readonly count: number }) => void
  /** The journal refuses new jobs (a full disk), while running ones go on. */
  'journal.degraded': (event: { readonly error: Error }) => void
  'journal.healthy': (event: Record<string, never>) => void
  /** The journal's thread has died; it is opened again, and nothing acknowledged is lost. */
  'journal.down': (event: { readonly error: Error }) => void
  /** Something of the runtime's own work failed and will be tried again. */
  'runtime.error': (event: { readonly error: Error }) => void
  /** Too many threads hang: the runtime has begun to stop. End the process by SIGKILL then, as `stopOnSignals` does. */
  'runtime.unfit': (event: { readonly error: Error }) => void
  /** The runtime cannot go on: every promise that waited was rejected with this. */
  'runtime.failed': (event: { readonly error: Error }) => void
  'runtime.stopping': (event: Record<string, never>) => void
  'runtime.stopped': (event: { readonly stuck: readonly string[] }) => void
}

export type RuntimeEvent = keyof RuntimeEvents
