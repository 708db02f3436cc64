import { type ErrorRecord, toErrorRecord } from '../../lib/error-record.ts'
import { MillraceError } from '../../lib/errors.ts'
import type { Outcome } from '../../lib/outcome.ts'
import type { Limits } from '../catalog.ts'

/** How attempts end that do not end themselves. */

export function hardLimitOutcome({ task, limits }: { readonly task: string; readonly limits: Limits }): Outcome {
  return failed(
    new MillraceError(
      'MILLRACE_HARD_LIMIT',
      `${task} ran into its hard limit; got over ${limits.hardLimitMs} ms, expected an end by then; ` +
        'end at the soft limit (context.signal, context.checkpoint), split the work, or raise hardLimitMs',
    ),
  )
}

/** Of an attempt on the service's own loop, which goes on without it. */
export function fencedOutcome(attempt: {
  readonly context: { readonly task: string }
  readonly limits: Limits
}): Outcome {
  return failed(
    new MillraceError(
      'MILLRACE_HARD_LIMIT',
      `${attempt.context.task} ran into its hard limit; got over ${attempt.limits.hardLimitMs} ms, expected an end by ` +
        'then; its promise cannot be stopped and may still act: pass context.signal on, or give it a tier',
    ),
  )
}

/** Left behind by a job that has ended: whoever ran meanwhile is not charged. */
export const NEIGHBOUR: Outcome = { type: 'interrupted', cause: 'neighbour' }

/** A job has ended its thread or process after its own end. */
export function lateExit(where: 'thread' | 'process'): ErrorRecord {
  return toErrorRecord(
    new MillraceError(
      where === 'thread' ? 'MILLRACE_THREAD_EXIT' : 'MILLRACE_PROCESS_EXIT',
      `the job has ended its ${where} by process.exit, after its own end; expected a handler that leaves ` +
        'nothing behind; take the exit out of it',
    ),
  )
}

/** Of a job on a lane's thread that was ended since its loop stood still, where nobody can tell who held it. */
export function stalledOutcome(limited: string): Outcome {
  return failed(
    new MillraceError(
      'MILLRACE_THREAD_EXIT',
      `the thread was ended while the job ran: its loop stood still when ${limited} came to its hard limit, and any of its ` +
        'jobs may have held it after an await; expected handlers that let the loop turn; look for long work on this lane, ' +
        'and give it a tier',
    ),
  )
}

/** How a process ended. */
export interface ProcessEnd {
  readonly code: number | null
  readonly signal: string | null
  /** What its guard saw when it ended it for its memory. */
  readonly memoryBytes: number | undefined
}

export function processEndOutcome(end: ProcessEnd, maxMemoryMb: number | undefined): Outcome {
  return failed(end.memoryBytes === undefined ? processExit(end) : outOfMemory(end.memoryBytes, maxMemoryMb))
}

function outOfMemory(bytes: number, maxMemoryMb: number | undefined): MillraceError {
  return new MillraceError(
    'MILLRACE_OUT_OF_MEMORY',
    `the process of the job needed too much memory; got ${Math.ceil(bytes / 2 ** 20)} MiB, expected at most ` +
      `${maxMemoryMb}; work on less at a time, or raise maxMemoryMb of the tier`,
  )
}

function processExit({ code, signal }: ProcessEnd): MillraceError {
  const why = endOf({ code, signal, memoryBytes: undefined })
  return new MillraceError(
    'MILLRACE_PROCESS_EXIT',
    `the process ended while the job ran; got ${why}, expected the handler to return or throw; ${hint(signal, code)}`,
    { details: { code, signal } },
  )
}

/** What V8 does when its heap is full; with exit codes of a shell. */
const ABORTS = ['SIGABRT', 'SIGTRAP', 'SIGILL', 134, 133, 132]

function hint(signal: string | null, code: number | null): string {
  if (ABORTS.includes(signal ?? code ?? 0)) {
    return 'a heap that is full ends like this, and so does native code that aborts: its words are on stderr'
  }
  if (signal === 'SIGKILL')
    return "somebody killed it: perhaps the kernel, for want of memory (look into the system's log)"
  return 'look for process.exit, or a crash in native code'
}

/** Why a process did not come to be ready. */
export function endedEarly(end: ProcessEnd): Error {
  return new Error(`a process ended before it was ready; got ${endOf(end)}`)
}

/** Why a process has ended that nobody had told to. */
export function endedUnasked(end: ProcessEnd): Error {
  return new Error(`a process has ended; got ${endOf(end)}, expected it to serve on`)
}

/** What killed its process twice, alone in it, kills any process. */
export function poisonOutcome(ends: readonly ProcessEnd[]): Outcome {
  const error = new MillraceError(
    'MILLRACE_POISON',
    `the job takes its process down: it was there at several deaths of the service, and ran alone in a process that died ` +
      `each time; got ${ends.map(endOf).join(' and ')}, expected a job that its process survives; mend the handler, then ` +
      'retry the job',
  )
  return { type: 'failed', error: toErrorRecord(error), retry: 'never' }
}

/** Like `SIGSEGV` or `exit code 7`. */
function endOf({ code, signal, memoryBytes }: ProcessEnd): string {
  if (memoryBytes !== undefined) return `${Math.ceil(memoryBytes / 2 ** 20)} MiB of memory`
  return signal ?? `exit code ${code}`
}

function failed(error: MillraceError): Outcome {
  return { type: 'failed', error: toErrorRecord(error), retry: 'by-policy' }
}
