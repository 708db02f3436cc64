import { type ErrorCode, MillraceError } from '../../lib/errors.ts'

/** What the process ends with; docs/cli.md lists them. */
export const exitCodes = {
  ok: 0,
  /** It ran, and something did not go well: jobs failed, a job was not found, the doctor found damage. */
  failed: 1,
  usage: 2,
  journal: 3,
  broker: 4,
  /** A run that has stopped before its end, so that lines may have no outcome yet: the same command goes on. */
  incomplete: 5,
  internal: 70,
  interrupted: 130,
  terminated: 143,
  /** By itself, since nothing else ends threads that hang in native calls. */
  killed: 137,
} as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

const USAGE: ReadonlySet<ErrorCode> = new Set([
  'MILLRACE_CLI',
  'MILLRACE_INVALID_OPTION',
  'MILLRACE_UNKNOWN_OPTION',
  'MILLRACE_UNKNOWN_TASK',
  'MILLRACE_DUPLICATE_TASK',
  'MILLRACE_TASKS_MODULE',
  'MILLRACE_NESTED_RUNTIME',
])

const FAILED: ReadonlySet<ErrorCode> = new Set(['MILLRACE_JOB_NOT_FOUND', 'MILLRACE_WRONG_STATE', 'MILLRACE_KEY_TAKEN'])

const INCOMPLETE: ReadonlySet<ErrorCode> = new Set(['MILLRACE_PLACE_STOPPED', 'MILLRACE_ZOMBIES'])

const JOURNAL = /^MILLRACE_(?:JOURNAL_|DISK_FULL|SQLITE_|OUTCOME_UNKNOWN)/

const BROKER = /^MILLRACE_(?:BROKER_|NO_CONTROL)/

/** The exit code of a command that an error has ended. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof MillraceError) {
    if (USAGE.has(error.code)) return exitCodes.usage
    if (FAILED.has(error.code)) return exitCodes.failed
    if (INCOMPLETE.has(error.code)) return exitCodes.incomplete
    if (JOURNAL.test(error.code)) return exitCodes.journal
    if (BROKER.test(error.code)) return exitCodes.broker
    return exitCodes.internal
  }
  return String((error as { code?: unknown } | null)?.code).startsWith('SQLITE_')
    ? exitCodes.journal
    : exitCodes.internal
}
