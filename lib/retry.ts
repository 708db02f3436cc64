import type { ErrorRecord } from './error-record.ts'
import { duration, invalidOption, refuseUnknown } from './options.ts'

/** How long to wait before the next attempt. */
export type Backoff =
  /** firstMs, twice that, four times, … at most maxMs. */
  | {
      readonly type: 'exponential'
      readonly firstMs: number
      readonly maxMs: number
      /** 'full' (default): anything from 0 to the delay, so that what failed together does not come back together. */
      readonly jitter?: 'full' | 'none'
    }
  | { readonly type: 'fixed'; readonly delayMs: number; readonly jitter?: 'full' | 'none' }
  /** One delay for each attempt; the last one is repeated. */
  | { readonly type: 'list'; readonly delaysMs: readonly number[] }
  /** A function of the runtime's option `backoffs`. */
  | { readonly type: 'custom'; readonly name: string }

/** The plain-data part of a retry policy. */
export interface RetryPolicy {
  /** Attempts in all, the first included. */
  readonly attempts: number
  readonly backoff: Backoff
  /** Error codes after which there is no other attempt. */
  readonly giveUpOn?: readonly string[]
}

/** What a user writes: what is left out is taken from the task, or from the default; of a backoff if that is of its type. */
export interface RetryOptions {
  readonly attempts?: number
  readonly backoff?:
    | Backoff
    | (Omit<Extract<Backoff, { type: 'exponential' }>, 'firstMs' | 'maxMs'> & {
        readonly firstMs?: number
        readonly maxMs?: number
      })
  readonly giveUpOn?: readonly string[]
}

export const defaultBackoff = { type: 'exponential', firstMs: 1_000, maxMs: 3_600_000, jitter: 'full' } as const

export const defaultRetry: RetryPolicy = { attempts: 5, backoff: defaultBackoff }

/** More would be infinity, and 0 times that no number. */
const MAX_DOUBLINGS = 1_000

const BACKOFF_KEYS = {
  exponential: ['type', 'firstMs', 'maxMs', 'jitter'],
  fixed: ['type', 'delayMs', 'jitter'],
  list: ['type', 'delaysMs'],
  custom: ['type', 'name'],
} as const

/** Checks options and fills them in from `base`; `path` begins the paths of errors. */
export function retryPolicy(options: RetryOptions = {}, base: RetryPolicy = defaultRetry, path = 'retry'): RetryPolicy {
  refuseUnknown(options, ['attempts', 'backoff', 'giveUpOn'], `${path}.`)
  const { attempts = base.attempts, giveUpOn = base.giveUpOn } = options
  if (!Number.isInteger(attempts) || attempts < 1 || attempts > 1_000) {
    throw invalidOption(`${path}.attempts`, attempts, 'an integer from 1 to 1,000')
  }
  if (giveUpOn !== undefined && !(Array.isArray(giveUpOn) && giveUpOn.every((code) => typeof code === 'string'))) {
    throw invalidOption(`${path}.giveUpOn`, giveUpOn, 'a list of error codes')
  }
  const backoff =
    options.backoff === undefined ? base.backoff : checkedBackoff(options.backoff, base.backoff, `${path}.backoff`)
  return { attempts, backoff, ...(giveUpOn !== undefined && { giveUpOn }) }
}

function checkedBackoff(backoff: NonNullable<RetryOptions['backoff']>, base: Backoff, path: string): Backoff {
  if (!Object.hasOwn(BACKOFF_KEYS, backoff?.type)) {
    throw invalidOption(`${path}.type`, backoff?.type, "one of 'exponential', 'fixed', 'list' and 'custom'")
  }
  refuseUnknown(backoff, BACKOFF_KEYS[backoff.type], `${path}.`)
  if ('jitter' in backoff && backoff.jitter !== undefined && backoff.jitter !== 'full' && backoff.jitter !== 'none') {
    throw invalidOption(`${path}.jitter`, backoff.jitter, "'full' or 'none'")
  }
  switch (backoff.type) {
    case 'exponential':
      return exponential(backoff, base.type === 'exponential' ? base : defaultBackoff, path)
    case 'fixed':
      duration(backoff.delayMs, `${path}.delayMs`)
      return { type: 'fixed', delayMs: backoff.delayMs, ...jitterOf(backoff, base.type === 'fixed' ? base : {}) }
    case 'list':
      if (!Array.isArray(backoff.delaysMs) || backoff.delaysMs.length === 0) {
        throw invalidOption(`${path}.delaysMs`, backoff.delaysMs, 'at least one delay in ms')
      }
      backoff.delaysMs.forEach((delay, at) => duration(delay, `${path}.delaysMs[${at}]`))
      return backoff
    case 'custom':
      if (typeof backoff.name !== 'string' || backoff.name === '') {
        throw invalidOption(`${path}.name`, backoff.name, "a name from the runtime's option backoffs")
      }
      return backoff
  }
}

interface Jittered {
  readonly jitter?: 'full' | 'none' | undefined
}

/** One that is given as `undefined` is left out, as everywhere. */
function jitterOf(given: Jittered, base: Jittered): { readonly jitter?: 'full' | 'none' } {
  const jitter = given.jitter ?? base.jitter
  return jitter === undefined ? {} : { jitter }
}

/** A bound that is given alone moves the other one with it, which nobody wrote beside it. */
function exponential(
  given: Extract<NonNullable<RetryOptions['backoff']>, { type: 'exponential' }>,
  base: Extract<Backoff, { type: 'exponential' }>,
  path: string,
): Backoff {
  const { firstMs, maxMs } = given
  if (firstMs !== undefined) duration(firstMs, `${path}.firstMs`)
  if (maxMs !== undefined) duration(maxMs, `${path}.maxMs`)
  if (firstMs !== undefined && maxMs !== undefined && maxMs < firstMs) {
    throw invalidOption(`${path}.maxMs`, maxMs, `at least firstMs, ${firstMs}`)
  }
  return {
    ...base,
    ...jitterOf(given, base),
    firstMs: firstMs ?? Math.min(base.firstMs, maxMs ?? base.maxMs),
    maxMs: maxMs ?? Math.max(base.maxMs, firstMs ?? base.firstMs),
  }
}

/** Backoffs by the name that policies refer to. They never throw; what is not there or returns nothing is the default one. */
export interface CustomBackoffs {
  get(name: string): ((attempt: number, error: ErrorRecord) => number | undefined) | undefined
}

/**
 * How long to wait after attempt `attempt` (1-based) has failed, in whole ms; `undefined` when there is no other one.
 * Full jitter: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 */
export function retryDelayMs(
  policy: RetryPolicy,
  attempt: number,
  random: () => number,
  customs: CustomBackoffs,
  error: ErrorRecord,
): number | undefined {
  if (attempt >= policy.attempts) return undefined
  if (givesUpOn(policy, error)) return undefined
  return Math.ceil(delayOf(policy.backoff, attempt, random, customs, error))
}

/** Whether the policy rules out another attempt after this error, whichever it was. */
export function givesUpOn({ giveUpOn }: RetryPolicy, { code }: ErrorRecord): boolean {
  return code !== undefined && giveUpOn?.includes(code) === true
}

function delayOf(
  backoff: Backoff,
  attempt: number,
  random: () => number,
  customs: CustomBackoffs,
  error: ErrorRecord,
): number {
  switch (backoff.type) {
    case 'exponential': {
      const delayMs = Math.min(backoff.maxMs, backoff.firstMs * 2 ** Math.min(attempt - 1, MAX_DOUBLINGS))
      return jittered(delayMs, backoff.jitter, random)
    }
    case 'fixed':
      return jittered(backoff.delayMs, backoff.jitter ?? 'none', random)
    case 'list':
      return backoff.delaysMs[Math.min(attempt, backoff.delaysMs.length) - 1] as number
    case 'custom':
      return customs.get(backoff.name)?.(attempt, error) ?? delayOf(defaultBackoff, attempt, random, customs, error)
  }
}

function jittered(delayMs: number, jitter: 'full' | 'none' | undefined, random: () => number): number {
  return jitter === 'none' ? delayMs : random() * delayMs
}
