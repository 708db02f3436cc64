import { MillraceError } from '../../../lib/errors.ts'
import type { InputLine } from './input-lines.ts'

/** The JSON value of a line; throws for one that is none, or that another value would take the place of. */
export function parsed({ text, encoding }: InputLine): unknown {
  if (encoding === 'other') {
    throw new MillraceError(
      'MILLRACE_INPUT_INVALID',
      `the line is no text in UTF-8; got ${JSON.stringify(text.slice(0, 40))} when read as such; convert the file, with iconv`,
    )
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new MillraceError(
      'MILLRACE_INPUT_INVALID',
      `the line is no JSON; got ${JSON.stringify(text.slice(0, 40))}, expected one JSON value; ${(error as Error).message}`,
      { cause: error },
    )
  }
  const changed = changedInteger(text)
  if (changed === undefined) return value
  throw new MillraceError(
    'MILLRACE_OPAQUE_INPUT',
    `the line has an integer that no number of JavaScript is; got ${changed.slice(0, 40)}, which would become ` +
      `${Number(changed)}; pass it as a string: ${JSON.stringify(changed.slice(0, 40))}`,
  )
}

/** Shorter ones are always exact. */
const MAY_CHANGE = /\d{16}/

/** Strings are looked at as a whole, so that digits in them are none. */
const STRING_OR_NUMBER = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g

/** The first integer of a JSON text that would be another one as a number. */
function changedInteger(text: string): string | undefined {
  if (!MAY_CHANGE.test(text)) return undefined
  for (const [token] of text.matchAll(STRING_OR_NUMBER)) {
    if (/^-?\d{16,}$/.test(token) && !isExact(token)) return token
  }
  return undefined
}

function isExact(integer: string): boolean {
  const value = Number(integer)
  // What is no finite number is refused as such.
  return Number.isSafeInteger(value) || !Number.isFinite(value) || BigInt(value) === BigInt(integer)
}
