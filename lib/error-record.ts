import { type ErrorCode, errorCodes, MillraceError } from './errors.ts'
import type { Json } from './json.ts'

/** Whatever was thrown, as data: a structured clone loses codes, fields and classes, and dies of functions. */
export interface ErrorRecord {
  readonly name: string
  readonly message: string
  readonly code?: string
  readonly stack?: string
  readonly cause?: ErrorRecord
  /** Own fields that are plain data and do not look like secrets. */
  readonly fields?: Readonly<Record<string, Json>>
}

const MAX_BYTES = 16 * 1024
const MAX_CAUSES = 5
const MAX_MESSAGE = 2_048
const MAX_STACK = 6_144
const MAX_FIELDS = 2_048
const SECRET = /password|token|secret|authorization|cookie/i
const OWN = new Set(['name', 'message', 'stack', 'code', 'cause'])

/**
 * Never throws, whatever it is given: values with throwing getters, proxies and cycles included. At most 16 KiB as JSON:
 * long texts and causes share what there is.
 */
export function toErrorRecord(thrown: unknown): ErrorRecord {
  for (let share = 1; ; share /= 2) {
    const made = record(thrown, 0, share)
    if (Buffer.byteLength(JSON.stringify(made)) <= MAX_BYTES) return made
  }
}

function record(thrown: unknown, depth: number, share: number): ErrorRecord {
  const [messageLength, stackLength] = depth === 0 ? [MAX_MESSAGE, MAX_STACK] : [512, 1_024]
  if (typeof thrown !== 'object' || thrown === null)
    return { name: 'Thrown', message: clip(shown(thrown), messageLength * share) }
  const code = textOf(thrown, 'code')
  const stack = textOf(thrown, 'stack')
  const cause = read(thrown, 'cause')
  const fields = depth === 0 ? fieldsOf(thrown, MAX_FIELDS * share) : undefined
  return {
    name: clip(textOf(thrown, 'name') ?? 'Thrown', 128),
    message: clip(textOf(thrown, 'message') ?? shown(thrown), messageLength * share),
    ...(code !== undefined && { code: clip(code, 128) }),
    ...(stack !== undefined && { stack: clip(stack, stackLength * share) }),
    ...(cause !== undefined && depth < MAX_CAUSES && { cause: record(cause, depth + 1, share) }),
    ...(fields !== undefined && { fields }),
  }
}

function read(object: object, key: string): unknown {
  try {
    return (object as Record<string, unknown>)[key]
  } catch {
    // A getter or a proxy that throws has nothing to tell.
    return undefined
  }
}

function textOf(object: object, key: string): string | undefined {
  const value = read(object, key)
  if (typeof value === 'string') return value
  return typeof value === 'number' ? String(value) : undefined
}

function shown(value: unknown): string {
  try {
    if (typeof value !== 'object' || value === null) return String(value)
    const json = JSON.stringify(value) ?? 'an object'
    return SECRET.test(json) ? 'an object with something secret in it' : json
  } catch {
    return 'a value that cannot be shown'
  }
}

function fieldsOf(object: object, most: number): Record<string, Json> | undefined {
  const fields: Record<string, Json> = {}
  let left = most
  for (const key of keysOf(object)) {
    if (OWN.has(key) || SECRET.test(key) || key === '__proto__') continue
    const json = plain(read(object, key))
    if (json === undefined || SECRET.test(json)) continue
    left -= key.length + json.length
    if (left < 0) break
    fields[key] = JSON.parse(json) as Json
  }
  return Object.keys(fields).length === 0 ? undefined : fields
}

function keysOf(object: object): string[] {
  try {
    return Object.keys(object)
  } catch {
    return []
  }
}

function plain(value: unknown): string | undefined {
  if (typeof value === 'function' || typeof value === 'symbol') return undefined
  try {
    return JSON.stringify(value)
  } catch {
    return undefined
  }
}

function clip(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, Math.max(0, most - 1))}…`
}

/** An error that looks like the one that was recorded; Millrace's own come back as `MillraceError`. */
export function fromErrorRecord(source: ErrorRecord): Error {
  const cause = source.cause === undefined ? undefined : fromErrorRecord(source.cause)
  const error = isOwn(source)
    ? ownError(source, cause)
    : new Error(source.message, cause === undefined ? {} : { cause })
  if (source.stack !== undefined) error.stack = source.stack
  if (error instanceof MillraceError) return error
  Object.defineProperty(error, 'name', { value: source.name, configurable: true, writable: true })
  if (source.code !== undefined) Object.assign(error, { code: source.code })
  for (const [key, value] of Object.entries(source.fields ?? {})) {
    Object.defineProperty(error, key, { value, configurable: true, enumerable: true, writable: true })
  }
  return error
}

function isOwn({ name, code }: ErrorRecord): boolean {
  return name === 'MillraceError' && code !== undefined && Object.hasOwn(errorCodes, code)
}

function ownError(source: ErrorRecord, cause: Error | undefined): MillraceError {
  const { path, details } = (source.fields ?? {}) as { path?: string; details?: Record<string, unknown> }
  const error = new MillraceError(source.code as ErrorCode, '', {
    ...(cause !== undefined && { cause }),
    ...(path !== undefined && { path }),
    ...(details !== undefined && { details }),
  })
  error.message = source.message
  return error
}
