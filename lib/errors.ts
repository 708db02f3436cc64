import { kind } from './kind.ts'

/** Every code with its meaning in one sentence; `docs/errors.md` says more, and a test keeps the two equal. */
export const errorCodes = {
  MILLRACE_INVALID_OPTION: 'An option has a value that cannot be used.',
  MILLRACE_UNKNOWN_OPTION: 'There is no option of this name.',
  MILLRACE_OPAQUE_INPUT: 'An input is not a self-contained JSON value.',
  MILLRACE_OPAQUE_OUTPUT: 'A result, a progress value or log fields are not self-contained JSON values.',
  MILLRACE_PAYLOAD_CORRUPT: 'A stored payload cannot be decoded.',
  MILLRACE_INPUT_INVALID: "An input does not fit the task's schema.",
  MILLRACE_OUTPUT_INVALID: "A result does not fit the task's schema.",
  MILLRACE_UNKNOWN_TASK: 'No tasks module handles this task.',
  MILLRACE_DUPLICATE_TASK: 'Two handlers have the same task name.',
  MILLRACE_UNKNOWN_PLACE: 'A task names a tier or lane that the runtime does not have.',
  MILLRACE_TASKS_MODULE: 'A tasks module cannot be imported or used.',
  MILLRACE_NESTED_RUNTIME: 'A runtime was started in a thread of a runtime.',
  MILLRACE_PLACE_STOPPED: 'A place has given up.',
  MILLRACE_JOB_NOT_FOUND: 'The journal has no row for this job.',
  MILLRACE_RESULT_NOT_KEPT: 'The job has ended and its result is not kept.',
  MILLRACE_RESULT_TIMEOUT: 'The job has not ended in the time that was given.',
  MILLRACE_JOB_FAILED: 'The job is dead after its last attempt.',
  MILLRACE_JOB_CANCELLED: 'The job was cancelled.',
  MILLRACE_JOB_DISCARDED: 'The handler has discarded the job.',
  MILLRACE_JOB_EXPIRED: 'The job could not start before its expiresAt.',
  MILLRACE_WRONG_STATE: 'The job is in a state in which this cannot be done.',
  MILLRACE_KEY_TAKEN: 'Another job has the key.',
  MILLRACE_SOFT_LIMIT: 'The attempt has run for its soft limit.',
  MILLRACE_HARD_LIMIT: 'The attempt has run for its hard limit and was ended.',
  MILLRACE_THREAD_EXIT: 'The thread ended while the job ran.',
  MILLRACE_PROCESS_EXIT: 'The process ended while the job ran.',
  MILLRACE_OUT_OF_MEMORY: 'The process of the job needed more memory than it may have.',
  MILLRACE_ZOMBIES: 'Too many threads hang in native calls: the runtime drains.',
  MILLRACE_POISON: 'The job has taken the process down.',
  MILLRACE_TRIAL_POSTPONED: 'No process can be started for the trial of suspects.',
  MILLRACE_TOO_MANY_CHILDREN: 'An attempt enqueues more than fits into one commit.',
  MILLRACE_ENQUEUE_MANY: 'enqueueMany stopped before its end; what was enqueued stays.',
  MILLRACE_OVERLOADED: 'A task or its place has as many jobs waiting as it may have.',
  MILLRACE_NO_OUTCOME: 'A job went to a broker and its outcome has not come back in time.',
  MILLRACE_STOPPING: 'The runtime stops and takes nothing new.',
  MILLRACE_DRAINING: 'The runtime stops and the grace is over.',
  MILLRACE_JOURNAL_LOCKED: 'The journal has another owner.',
  MILLRACE_JOURNAL_LOST: 'Another process has taken the journal over.',
  MILLRACE_JOURNAL_CORRUPT: 'The journal is damaged.',
  MILLRACE_JOURNAL_TAIL_LOST: 'Commits that had been acknowledged are missing from the journal.',
  MILLRACE_JOURNAL_VERSION: 'The journal is of a version that cannot be used here.',
  MILLRACE_JOURNAL_UNSAFE_FILE: 'A file of the journal is a link or belongs to somebody else.',
  MILLRACE_JOURNAL_FILESYSTEM: 'The journal is on a file system without reliable locks.',
  MILLRACE_JOURNAL_IO: 'The journal could not read or write.',
  MILLRACE_DISK_FULL: 'The journal cannot grow.',
  MILLRACE_OUTCOME_UNKNOWN: 'It is not known whether something was committed.',
  MILLRACE_SQLITE_VERSION: 'The SQLite that was loaded can corrupt its log.',
  MILLRACE_SQLITE_DRIVER: 'The SQLite driver cannot be loaded here.',
  MILLRACE_FOREIGN_SQLITE: 'A database was opened by another copy of SQLite.',
  MILLRACE_BROKER_CLOSED: 'The broker was closed.',
  MILLRACE_BROKER_LOST: 'The broker cannot be reached, or its connection was lost.',
  MILLRACE_BROKER_TIMEOUT: 'The broker has not answered in time.',
  MILLRACE_BROKER_REFUSED: 'The broker has refused a message, a login or a permission.',
  MILLRACE_BROKER_QUEUE: 'A queue of the broker is not as it has to be.',
  MILLRACE_BROKER_SILENT: 'The broker delivers nothing although its queue is not empty.',
  MILLRACE_BROKER_CLIENT: 'The client package for the broker is missing or too old.',
  MILLRACE_MESSAGE_INVALID: 'A message is not one that a broker can take.',
  MILLRACE_MESSAGE_MALFORMED: 'A queue had what is no message of ours.',
  MILLRACE_NO_CONTROL: 'There is no broker over which nodes could be asked.',
  MILLRACE_OUTCOME_LATE: 'An outcome is of no job that waits for it.',
  MILLRACE_OUTCOME_UNROUTABLE: 'The node that has a job is gone: its outcome reaches nobody.',
  MILLRACE_ROLE: 'The role of the runtime rules this out.',
  MILLRACE_CLI: 'The command line was used wrongly.',
} as const

/** Stable: a code is never renamed or given another meaning. */
export type ErrorCode = keyof typeof errorCodes

export interface ErrorDetails {
  readonly cause?: unknown
  /** Where the offending value is, like `input.user.tags[3]`. */
  readonly path?: string
  readonly details?: Readonly<Record<string, unknown>>
}

/** Every error of Millrace's own. The message says what happened, what was expected and what to do. */
export class MillraceError extends Error {
  readonly code: ErrorCode
  declare readonly path?: string
  declare readonly details?: Readonly<Record<string, unknown>>

  constructor(code: ErrorCode, message: string, { cause, path, details }: ErrorDetails = {}) {
    super(`${code}: ${message}`, cause === undefined ? undefined : { cause })
    this.name = 'MillraceError'
    this.code = code
    if (path !== undefined) this.path = path
    if (details !== undefined) this.details = details
  }
}

/** Thrown by a handler: the job is dead at once, since another attempt would only fail again. */
export class PermanentError extends Error {
  /** Not an own field: it is neither shown nor recorded. */
  get [kind](): 'permanent-error' {
    return 'permanent-error'
  }

  constructor(message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.name = 'PermanentError'
  }
}

/** The candidate that a misspelt word most likely means; `undefined` if none is near. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined
  let least = Math.max(2, Math.floor(word.length / 3)) + 1
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase())
    if (distance < least) {
      least = distance
      best = candidate
    }
  }
  return best
}

/** Levenshtein's, in one row. */
function editDistance(a: string, b: string): number {
  const row = Array.from({ length: b.length + 1 }, (_, at) => at)
  for (let i = 1; i <= a.length; i++) {
    let diagonal = row[0] as number
    row[0] = i
    for (let j = 1; j <= b.length; j++) {
      const above = row[j] as number
      const change = diagonal + (a[i - 1] === b[j - 1] ? 0 : 1)
      row[j] = Math.min(above + 1, (row[j - 1] as number) + 1, change)
      diagonal = above
    }
  }
  return row[b.length] as number
}
