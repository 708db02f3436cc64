import { MillraceError, nearest } from './errors.ts'

/** Ten years: no duration may be longer, so that a mistaken unit is found at once. */
export const TEN_YEARS_MS = 10 * 366 * 24 * 3_600_000

/** A timer of Node cannot wait longer. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** Refuses keys that mean nothing here, with the one that was probably meant. `prefix` begins paths, as in `journal.`. */
export function refuseUnknown(options: object, known: readonly string[], prefix: string): void {
  refuseNoObject(options, prefix === '' ? 'options' : prefix.slice(0, -1))
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue
    const near = nearest(key, known)
    throw new MillraceError(
      'MILLRACE_UNKNOWN_OPTION',
      `there is no option ${prefix}${key}; expected one of ${known.join(', ')}` +
        (near === undefined ? '; take it out' : `; did you mean ${prefix}${near}?`),
      { path: `${prefix}${key}` },
    )
  }
}

/** Refuses what has no keys, or only indices: spread or taken apart it would be as good as nothing. */
export function refuseNoObject(options: object, path: string): void {
  if (typeof options === 'object' && options !== null && !Array.isArray(options)) return
  throw invalidOption(path, options, 'an object')
}

/** Refuses what is no object of entries by names that are anybody's choice. */
export function refuseNoNames(named: object, path: string): void {
  if (typeof named === 'object' && named !== null && !Array.isArray(named)) return
  throw invalidOption(path, named, 'an object with an entry for each name')
}

/** For a value that cannot be used: `expected` says what can. */
export function invalidOption(path: string, got: unknown, expected: string): MillraceError {
  return new MillraceError(
    'MILLRACE_INVALID_OPTION',
    `the option ${path} cannot be used; got ${shown(got)}, expected ${expected}`,
    { path },
  )
}

export function oneOf<T extends string>(value: T, values: readonly T[], path: string): T {
  if (values.includes(value)) return value
  throw invalidOption(path, value, values.join(' or '))
}

export function wholeNumber(value: number, least: number, most: number, path: string): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw invalidOption(path, value, `an integer from ${least} to ${most}`)
}

/** Milliseconds that a timer can wait. */
export function timerMs(ms: number, path: string): number {
  return wholeNumber(ms, 1, LONGEST_TIMER_MS, path)
}

/** Milliseconds, fractions allowed. */
export function duration(ms: number, path: string): number {
  if (typeof ms === 'number' && ms >= 0 && ms <= TEN_YEARS_MS) return ms
  throw invalidOption(path, ms, 'milliseconds from 0 to ten years')
}

/** A value in an error message: enough to recognise it by, and no more. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 80))
  if (typeof value === 'function') return 'a function'
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' && value !== null ? 'an object' : String(value)
}
