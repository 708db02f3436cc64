import type { ErrorRecord } from '../../lib/error-record.ts'
import { invalidOption } from '../../lib/options.ts'

/** Names a backoff that `retry.backoff: { type: 'custom', name }` refers to; returns milliseconds. */
export type CustomBackoff = (attempt: number, error: ErrorRecord) => number

/** By name; what they return is looked at when they are called. */
export function backoffsOf(backoffs: Readonly<Record<string, CustomBackoff>>): ReadonlyMap<string, CustomBackoff> {
  for (const [name, backoff] of Object.entries(backoffs)) {
    if (typeof backoff === 'function') continue
    throw invalidOption(`backoffs.${name}`, backoff, 'a function that returns milliseconds')
  }
  return new Map(Object.entries(backoffs))
}
