import { MillraceError, type ErrorCode } from '../../lib/errors.ts'
import { type Address, withoutSecrets } from './address.ts'

const ACCESS_REFUSED = 403
const NOT_FOUND = 404
const LOCKED = 405
const PRECONDITION_FAILED = 406
const NOT_ALLOWED = 530

const REFUSALS: readonly unknown[] = [ACCESS_REFUSED, NOT_ALLOWED]
const WRONG_QUEUES: readonly unknown[] = [NOT_FOUND, LOCKED, PRECONDITION_FAILED]

/** What the driver or the broker said, as an error of ours without passwords: `what` is what was being done. */
export function failure(what: string, cause: unknown, addresses: readonly Address[]): MillraceError {
  if (cause instanceof MillraceError) return cause
  const said = withoutSecrets(cause instanceof Error ? cause.message : String(cause), addresses)
  const code = codeOf(cause, said)
  return new MillraceError(code, `${what}: ${said}; ${ADVICE[code]}`, { cause: copyOf(cause, said) })
}

export function lost(what: string, details: string): MillraceError {
  return new MillraceError('MILLRACE_BROKER_LOST', `${what}: ${details}; ${ADVICE.MILLRACE_BROKER_LOST}`)
}

type Code = Extract<ErrorCode, 'MILLRACE_BROKER_LOST' | 'MILLRACE_BROKER_REFUSED' | 'MILLRACE_BROKER_QUEUE'>

const ADVICE: Readonly<Record<Code, string>> = {
  MILLRACE_BROKER_LOST: 'it is tried again by itself, so see whether the broker runs and can be reached from here',
  MILLRACE_BROKER_REFUSED: 'expected a user who may configure, write and read; see its login and permissions',
  MILLRACE_BROKER_QUEUE: 'make it as expected, or delete it once it is empty (docs/rabbitmq.md has all arguments)',
}

function codeOf(cause: unknown, said: string): Code {
  const { code } = (cause ?? {}) as { readonly code?: unknown }
  if (REFUSALS.includes(code) || /ACCESS[_-]REFUSED|NOT[_-]ALLOWED/.test(said)) return 'MILLRACE_BROKER_REFUSED'
  if (/timed out|timeout/i.test(said)) return 'MILLRACE_BROKER_LOST'
  return WRONG_QUEUES.includes(code) ? 'MILLRACE_BROKER_QUEUE' : 'MILLRACE_BROKER_LOST'
}

/** Of a driver's error only what is known to be harmless: some carry what they were given, passwords included. */
function copyOf(cause: unknown, said: string): unknown {
  if (!(cause instanceof Error)) return said
  const copy = new Error(said)
  copy.name = cause.name
  return copy
}
