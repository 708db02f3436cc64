import { isUtf8 } from 'node:buffer'
import type { ErrorRecord } from './error-record.ts'
import { MillraceError } from './errors.ts'
import { shown } from './options.ts'

// How what a broker delivers is read: anybody may have put it there, so nothing of it is taken as it is.

export type Fields = Readonly<Record<string, unknown>>

/** No line of a message's own is longer; a longer one is not even parsed. */
export const MOST_LINE_BYTES = 256 * 1024
const MOST_CAUSES = 8
export const NEWLINE = 0x0a

export function malformed(path: string, got: unknown, expected: string): MillraceError {
  return new MillraceError(
    'MILLRACE_MESSAGE_MALFORMED',
    `a message is no message of ours; its ${path} is ${shown(got)}, expected ${expected}; look at who else writes to the queue`,
    { path },
  )
}

/** The lines of a body, as bytes; a last line without an end is one too. */
export function* linesOf(body: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at <= body.length; ) {
    const end = body.indexOf(NEWLINE, at)
    yield body.subarray(at, end < 0 ? body.length : end)
    if (end < 0) return
    at = end + 1
  }
}

export function textOf(bytes: Uint8Array, path: string): string {
  if (!isUtf8(bytes)) throw malformed(path, `${bytes.length} bytes`, 'well-formed UTF-8')
  return bufferOf(bytes).toString()
}

/** The line of JSON that a body begins with, and the text behind it, without a slice: there is one body for each job. */
export function headedText(body: Uint8Array, path: string, restPath: string): readonly [line: Fields, rest: string] {
  const end = body.indexOf(NEWLINE)
  if (end < 0) throw malformed('body', 'a single line', 'a line of JSON, and what belongs to it behind it')
  refuseLong(end, path)
  if (!isUtf8(body)) {
    throw malformed(isUtf8(body.subarray(0, end)) ? restPath : path, `${body.length} bytes`, 'well-formed UTF-8')
  }
  const text = bufferOf(body)
  return [fieldsIn(text.toString('utf8', 0, end), path), text.toString('utf8', end + 1)]
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

export function fieldsOf(line: Uint8Array, path: string): Fields {
  refuseLong(line.length, path)
  return fieldsIn(textOf(line, path), path)
}

function refuseLong(bytes: number, path: string): void {
  if (bytes > MOST_LINE_BYTES) throw malformed(path, `${bytes} bytes`, `at most ${MOST_LINE_BYTES}`)
}

function fieldsIn(line: string, path: string): Fields {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    throw malformed(path, `${line.length} characters`, 'a line of JSON')
  }
  return objectOf(value, path)
}

export function objectOf(value: unknown, path: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields
  throw malformed(path, value, 'an object')
}

export function matching(value: unknown, pattern: RegExp, path: string): string {
  if (typeof value === 'string' && pattern.test(value)) return value
  throw malformed(path, value, `a text like ${String(pattern)}`)
}

export function shortText(value: unknown, most: number, path: string): string {
  if (typeof value === 'string' && value.length <= most) return value
  throw malformed(path, value, `a text of at most ${most} characters`)
}

export function wholeFrom(value: unknown, least: number, most: number, path: string): number {
  if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) return value as number
  throw malformed(path, value, `an integer from ${least} to ${most}`)
}

export function oneOf<T extends string>(value: unknown, known: readonly T[], path: string): T {
  if (known.includes(value as T)) return value as T
  throw malformed(path, value, `one of ${known.join(', ')}`)
}

/** Only what an error record has, each part bounded. */
export function errorOf(value: unknown, path: string, depth = 0): ErrorRecord {
  if (depth > MOST_CAUSES) throw malformed(path, 'more causes', `at most ${MOST_CAUSES}`)
  const { name, message, code, stack, cause, fields } = objectOf(value, path)
  return {
    name: shortText(name, 1_024, `${path}.name`),
    message: shortText(message, 65_536, `${path}.message`),
    ...(code !== undefined && { code: shortText(code, 1_024, `${path}.code`) }),
    ...(stack !== undefined && { stack: shortText(stack, 65_536, `${path}.stack`) }),
    ...(cause !== undefined && { cause: errorOf(cause, `${path}.cause`, depth + 1) }),
    ...(fields !== undefined && { fields: objectOf(fields, `${path}.fields`) as ErrorRecord['fields'] & object }),
  }
}
