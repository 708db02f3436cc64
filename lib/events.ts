import type { ErrorRecord } from './error-record.ts'
import type { Move } from './ladder.ts'
import type { NodeStatus } from './membership.ts'
import type { Evidence, RunningJob } from './places.ts'
import type { RecycleCause, Usage } from './recycle.ts'
import type { Verdict } from './verdict.ts'

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

interface OfThread {
  readonly place: string
  /** Its number within the place. */
  readonly thread: number | 'loop'
}

export interface Recycled extends Usage {
  readonly place: string
  readonly cause: RecycleCause
}

export interface Resized {
  readonly place: string
  readonly cause: 'waiting' | 'held' | 'quiet' | 'asked'
  readonly before: number
  readonly threads: number
  /** How long jobs waited for a thread, and the most threads that were at work at once, in the last quarter of a second. */
  readonly waitMs: number
  readonly busy: number
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
  /** A task that names no tier was promoted or demoted, by what its jobs were measured to take. */
  'task.moved': (event: { readonly task: string } & Move) => void
  /** From now on no job of it starts; what runs goes on. Kept over restarts, and told only when it changes. */
  'task.paused': (event: { readonly task: string }) => void
  /** Its jobs start again: somebody has resumed it, or the job that was tried after a suspension has succeeded. */
  'task.resumed': (event: { readonly task: string }) => void
  /** Its attempts keep failing: no job of it starts until one is tried, at `untilAt`. */
  'task.suspended': (event: {
    readonly task: string
    readonly untilAt: number
    readonly failed: number
    readonly all: number
    readonly error: ErrorRecord
  }) => void
  /** It was suspended, and its next job is tried, alone. */
  'task.probing': (event: { readonly task: string }) => void
  'place.paused': (event: { readonly place: string }) => void
  'place.resumed': (event: { readonly place: string }) => void
  /** The service's own loop stood still for over `watchdog.blockedMs`: by which job, if it was one, how, and where. */
  'loop.blocked': (event: {
    readonly id: string | undefined
    readonly task: string | undefined
    readonly stack: readonly string[]
    readonly blockedMs: number
    readonly verdict: Verdict
  }) => void
  /** A handler that blocked the service's own loop was unwound at the hard limit of its job, which has failed. */
  'loop.interrupted': (event: { readonly id: string; readonly task: string; readonly ranMs: number }) => void
  /** A thread does not answer, and its job has run for longer than its soft limit: told once for each job. */
  'thread.stuck': (
    event: OfThread & { readonly verdict: Verdict; readonly job: RunningJob; readonly evidence: Evidence },
  ) => void
  /** A thread or process was told to end and has not: it hangs in a native call, and its jobs run on. */
  'thread.hung': (event: OfThread & { readonly jobs: readonly RunningJob[] }) => void
  /** A thread or process has exited that nobody had told to end; the jobs that ran on it have failed. */
  'thread.died': (event: OfThread & { readonly jobs: readonly RunningJob[]; readonly error: Error }) => void
  /** A thread or process of a tier made way for another: it had reached a limit of `recycle`, or a stray acts in it. */
  'place.recycled': (event: Recycled) => void
  /**
   * A job that was there at `crashes` deaths of the service ran alone in a process. 'cleared': it ended there, as the
   * other events say. 'poison': it took `deaths` processes down, and is dead.
   */
  'job.tried': (
    event: OfJob & { readonly verdict: 'cleared' | 'poison'; readonly crashes: number; readonly deaths: number },
  ) => void
  /** No process can be started for the trial of such jobs: they wait. */
  'trial.postponed': (event: { readonly error: Error }) => void
  /**
   * A tier has a thread more or less, because jobs had waited for too long ('waiting'), runs far beyond its budget hold
   * all its threads ('held'), or nothing of that was for a while ('quiet'), or somebody has asked for it.
   */
  'place.resized': (event: Resized) => void
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
  /**
   * Its log is larger than 128 MiB, told again at each doubling: somebody reads the file in a transaction that does not end, and the
   * log grows until that is over.
   */
  'journal.overgrown': (event: { readonly logBytes: number }) => void
  /** The journal's thread has died; it is opened again, and nothing acknowledged is lost. */
  'journal.down': (event: { readonly error: Error }) => void
  /** Messages can be sent to a broker, and taken from it. */
  'broker.up': (event: { readonly link: string }) => void
  /** A broker cannot be used; it is tried again in `retryMs`. Jobs wait in the journal. */
  'broker.down': (event: { readonly link: string; readonly error: Error; readonly retryMs: number }) => void
  /** A broker takes nothing more, as without memory; it still delivers. */
  'broker.blocked': (event: { readonly link: string; readonly reason: string }) => void
  'broker.unblocked': (event: { readonly link: string }) => void
  /** Nothing can be taken from a queue of a broker; it is tried again in `retryMs`. */
  'queue.down': (event: {
    readonly link: string
    readonly queue: string
    readonly error: Error
    readonly retryMs: number
  }) => void
  'queue.up': (event: { readonly link: string; readonly queue: string }) => void
  /** What no broker holds yet is kept and sent again: new jobs, retries, jobs that others shall have. */
  'message.kept': (event: {
    readonly queue: string
    readonly because: 'unroutable' | 'refused' | 'unconfirmed'
    readonly messages: number
    readonly retryMs: number
    readonly error: Error
  }) => void
  /** A queue had what is no message of ours: it is among its dead letters. */
  'message.malformed': (event: { readonly queue: string; readonly error: Error }) => void
  /** An outcome is of no job that waits for it, or its node is gone; `error` says which, `id` is absent if it said none. */
  'outcome.dropped': (event: { readonly id: string | undefined; readonly error: Error }) => void
  /**
   * The process before had died: `available` jobs that it had claimed wait again, at their old place in the order, of
   * which `begun` had begun and are charged a crash. `suspects` were there at three deaths in a row and wait for their
   * trial. What somebody had wanted cancelled is told as `job.cancelled` instead: a start makes no job dead.
   * Told once, after the turn of the loop in which `createRuntime` has resolved, like everything that a start finds.
   */
  'runtime.recovered': (event: {
    readonly available: number
    readonly begun: number
    readonly suspects: number
  }) => void
  /** A node that is new, or that answers, is late or is gone now. */
  'node.status': (event: { readonly node: string; readonly status: NodeStatus }) => void
  /** Somebody has sent what is no message of the control of nodes; it was dropped. */
  'node.refused': (event: { readonly error: Error }) => void
  /**
   * Another node has asked this one to drain, with a grace or without: it begins to stop when all have heard of it. A
   * listener that calls `stop` says with which grace.
   */
  'node.drain': (event: { readonly graceMs: number | undefined }) => void
  /** Something of the runtime's own work failed and will be tried again. */
  'runtime.error': (event: { readonly error: Error }) => void
  /**
   * Too many threads hang: the runtime begins to stop when all have heard of it; a listener that calls `stop` says with
   * which grace. End the process by SIGKILL then, as `stopOnSignals` does.
   */
  'runtime.unfit': (event: { readonly error: Error }) => void
  /** The runtime cannot go on: every promise that waited was rejected with this. */
  'runtime.failed': (event: { readonly error: Error }) => void
  'runtime.stopping': (event: Record<string, never>) => void
  'runtime.stopped': (event: { readonly stuck: readonly string[] }) => void
}

export type RuntimeEvent = keyof RuntimeEvents
