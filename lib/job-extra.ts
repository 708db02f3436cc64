import { MillraceError } from './errors.ts'
import { type JobExtra, type JobOverrides, parseJobId } from './job.ts'
import { checkedPart } from './limits.ts'
import { duration, invalidOption, refuseUnknown, TEN_YEARS_MS, timerMs, wholeNumber } from './options.ts'
import { defaultRetry, type RetryOptions, type RetryPolicy, retryPolicy } from './retry.ts'
import { checkedVersion } from './version.ts'

/** The rare parts of a job: how each is checked where a caller says it, and how they are read back from a text. */

const MAX_KEY = 512
const MAX_METADATA_BYTES = 16_384

/** What a caller may say of one job, where it differs from its task. */
interface OverrideOptions {
  readonly retry?: RetryOptions
  readonly softLimitMs?: number
  readonly hardLimitMs?: number
  readonly keepResultMs?: number
  readonly metadata?: Readonly<Record<string, string>>
  /** No option of a caller: what its task says. */
  readonly version?: number | undefined
}

const OVERRIDE_KEYS = ['id', 'retry', 'softLimitMs', 'hardLimitMs', 'keepResultMs', 'metadata', 'version'] as const
const EXTRA_KEYS = [
  'priority',
  'dueAt',
  'expiresAt',
  'useByMs',
  'key',
  'keyWindowMs',
  'debounce',
  'overrides',
  'part',
] as const

/** `base` fills in what the retry options leave out; `undefined` where nothing is overridden. */
export function checkedOverrides(options: OverrideOptions, base: RetryPolicy): JobOverrides | undefined {
  const { retry, softLimitMs, hardLimitMs, keepResultMs, metadata, version } = options
  const overrides: JobOverrides = {
    ...(retry !== undefined && { retry: retryPolicy(retry, base, 'retry') }),
    ...(softLimitMs !== undefined && { softLimitMs: timerMs(softLimitMs, 'softLimitMs') }),
    ...(hardLimitMs !== undefined && { hardLimitMs: timerMs(hardLimitMs, 'hardLimitMs') }),
    ...(keepResultMs !== undefined && { keepResultMs: wholeNumber(keepResultMs, 1, TEN_YEARS_MS, 'keepResultMs') }),
    ...(metadata !== undefined && { metadata: checkedMetadata(metadata) }),
    ...(version !== undefined && { version: checkedVersion(version) }),
  }
  for (const _ in overrides) return overrides
  return undefined
}

/** Half a pair of surrogates has no bytes of its own: two keys that differ in it would be one in the journal. */
export function checkedKey(key: unknown): string {
  if (typeof key === 'string' && key.length > 0 && key.length <= MAX_KEY && !/\p{Surrogate}/u.test(key)) return key
  throw invalidOption('key', key, `1 to ${MAX_KEY} characters of well-formed text`)
}

export function checkedPriority(priority: number): number {
  return wholeNumber(priority, 0, 9, 'priority')
}

/** In whole milliseconds, and never earlier than was asked. */
export function checkedStart(at: number, path: string): number {
  return Math.ceil(checkedInstant(at, path))
}

/** In whole milliseconds, and never later. */
export function checkedEnd(at: number, path: string): number {
  return Math.floor(checkedInstant(at, path))
}

/** Epoch ms that a date can be made of. */
export function checkedInstant(at: number, path: string): number {
  if (typeof at === 'number' && Number.isFinite(at) && at >= 0 && at < 8.64e15) return at
  throw invalidOption(path, at, 'epoch milliseconds')
}

export function checkedMetadata(metadata: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  if (typeof metadata !== 'object' || metadata === null || Object.getPrototypeOf(metadata) !== Object.prototype) {
    throw invalidOption('metadata', metadata, 'texts by name in a plain object')
  }
  for (const [name, value] of Object.entries(metadata)) {
    if (typeof value !== 'string') throw invalidOption(`metadata.${name}`, value, 'a string')
  }
  if (Buffer.byteLength(JSON.stringify(metadata)) > MAX_METADATA_BYTES) {
    throw invalidOption('metadata', 'over 16 KiB', 'at most 16 KiB as JSON')
  }
  return metadata
}

/** Reads the JSON of a `JobExtra` that somebody else has written; throws `MILLRACE_PAYLOAD_CORRUPT`. */
export function readExtra(text: string): JobExtra {
  return read(text, 'the options of a job', (extra: JobExtra) => {
    refuseUnknown(extra, EXTRA_KEYS, '')
    const { priority, dueAt, expiresAt, useByMs, key, keyWindowMs, debounce, overrides, part } = extra
    if (overrides !== undefined) readOverrides(overrides)
    if (debounce !== undefined && debounce !== 'yes') throw invalidOption('debounce', debounce, "'yes'")
    return {
      ...(priority !== undefined && { priority: checkedPriority(priority) }),
      ...(dueAt !== undefined && { dueAt: checkedStart(dueAt, 'dueAt') }),
      ...(expiresAt !== undefined && { expiresAt: checkedEnd(expiresAt, 'expiresAt') }),
      ...(useByMs !== undefined && { useByMs: duration(useByMs, 'useByMs') }),
      ...(key !== undefined && { key: checkedKey(key) }),
      ...(keyWindowMs !== undefined && { keyWindowMs: wholeNumber(keyWindowMs, 0, TEN_YEARS_MS, 'keyWindowMs') }),
      ...(debounce !== undefined && { debounce }),
      ...(overrides !== undefined && { overrides }),
      ...(part !== undefined && { part: checkedPart(part) }),
    }
  })
}

/** The version of a job's input, from the JSON of its overrides, if it has any; throws as `readOverrides` does. */
export function inputVersionOf(overrides: string | undefined): number {
  return overrides === undefined ? 1 : (readOverrides(overrides).version ?? 1)
}

/** Reads the JSON of `JobOverrides`; throws `MILLRACE_PAYLOAD_CORRUPT`. */
export function readOverrides(text: string): JobOverrides {
  return read(
    text,
    'what a job says differently from its task',
    (overrides: OverrideOptions & Pick<JobOverrides, 'id'>) => {
      refuseUnknown(overrides, OVERRIDE_KEYS, '')
      const { id } = overrides
      if (id !== undefined && (typeof id !== 'string' || parseJobId(id) === undefined)) {
        throw invalidOption('id', id, 'the id of a job')
      }
      return { ...(id !== undefined && { id }), ...checkedOverrides(overrides, defaultRetry) }
    },
  )
}

function read<T, R>(text: unknown, what: string, check: (value: T) => R): R {
  try {
    if (typeof text !== 'string') throw invalidOption('overrides', text, 'a text')
    return check(JSON.parse(text) as T)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new MillraceError(
      'MILLRACE_PAYLOAD_CORRUPT',
      `${what} cannot be read: ${why}; look at who else writes to the journal`,
      { cause },
    )
  }
}
