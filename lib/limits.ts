import { MillraceError } from './errors.ts'
import { duration, invalidOption, refuseUnknown, shown, wholeNumber } from './options.ts'
import type { RateLimit } from './rate-meter.ts'

/** Names the key of a job: a small pure function of its input, called once, where the job is enqueued. */
export type KeyOf<Input> = (input: Input) => string | number

/** What a task says of how its jobs share what there is. */
export interface LimitOptions<Input> {
  /** How many jobs may run at once: of the whole task, or for each value of `by`. */
  readonly concurrency?: { readonly limit: number; readonly by?: KeyOf<Input> }
  /**
   * How many jobs may start in any `perMs`, evenly spread: of the whole task, or for each value of `by`. After a pause up
   * to `burst` (default 0) may start at once besides, so that no window has more than both together.
   */
  readonly rate?: {
    readonly limit: number
    readonly perMs: number
    readonly by?: KeyOf<Input>
    readonly burst?: number
  }
  /** Whoever has had less run time is next, however many jobs others have. */
  readonly fair?: { readonly by: KeyOf<Input> }
}

/** How many jobs of a task may wait in the journal, and what becomes of the next one. */
export interface MaxWaiting {
  readonly limit: number
  /** 'reject': its enqueue rejects with `MILLRACE_OVERLOADED`. 'wait': it resolves when there is room. */
  readonly beyond: 'reject' | 'wait'
}

/** Which of a task's keys a limit goes by: options with the same function have the same key. */
export type KeyName = 'c' | 'r' | 'f'

/** What a task's jobs share, as plain data. Without `by` it is one for all of them. */
export interface PartLimits {
  readonly concurrency?: { readonly limit: number; readonly by?: KeyName }
  readonly rate?: RateLimit & { readonly by?: KeyName }
  readonly fair?: { readonly by: KeyName }
  /** What its place lets run, of all its tasks together. */
  readonly place?: PlaceLimits & { readonly name: string }
}

/** What all tasks of a place share. */
export interface PlaceLimits {
  /** Jobs at once. */
  readonly concurrency?: number
  readonly rate?: RateLimit
}

/** What the options of a place say of that; the keys of jobs are an affair of their tasks. */
export interface PlaceLimitOptions {
  readonly concurrency?: { readonly limit: number }
  readonly rate?: { readonly limit: number; readonly perMs: number; readonly burst?: number }
}

export function placeLimitsOf(options: PlaceLimitOptions, path: string): PlaceLimits {
  refuseUnknown(options, ['concurrency', 'rate'], `${path}.`)
  for (const name of ['concurrency', 'rate'] as const) {
    const by = (options[name] as { readonly by?: unknown } | undefined)?.by
    if (by !== undefined) throw invalidOption(`${path}.${name}.by`, by, 'no key: give the limit by key to the tasks')
  }
  const { concurrency, rate } = limitsOf(options, `${path}.`).limits ?? {}
  return Object.freeze({
    ...(concurrency !== undefined && { concurrency: concurrency.limit }),
    ...(rate !== undefined && { rate }),
  })
}

/** A function that names a key, and the option that it was given in. */
export interface NamedKey {
  readonly path: string
  readonly of: KeyOf<never>
}

export type LimitKeys = Readonly<Partial<Record<KeyName, NamedKey>>>

export function maxWaitingOf(option: MaxWaiting, path: string): MaxWaiting {
  refuseUnknown(option, ['limit', 'beyond'], `${path}.`)
  const { limit, beyond } = option
  if (beyond !== 'reject' && beyond !== 'wait') throw invalidOption(`${path}.beyond`, beyond, "'reject' or 'wait'")
  return Object.freeze({ limit: wholeNumber(limit, 1, MOST_WAITING, `${path}.limit`), beyond })
}

const MOST = 1_000_000
const MOST_WAITING = 1e9
const KEY_LENGTH = 128
const NAMES: readonly KeyName[] = ['c', 'r', 'f']
const KEY_PATHS = ['concurrency.by', 'rate.by', 'fair.by'] as const
const DAY_MS = 24 * 3_600_000

/** Checks the options, and takes apart what crosses threads and what cannot. */
export function limitsOf(
  options: LimitOptions<never>,
  prefix = '',
): { readonly limits?: PartLimits; readonly keys?: LimitKeys } {
  const { concurrency, rate, fair } = options
  const keys: Partial<Record<KeyName, NamedKey>> = {}
  const limits: PartLimits = {
    ...(concurrency !== undefined && { concurrency: concurrencyOf(concurrency, keys, prefix) }),
    ...(rate !== undefined && { rate: rateOf(rate, keys, prefix) }),
    ...(fair !== undefined && { fair: fairOf(fair, keys) }),
  }
  if (Object.keys(limits).length === 0) return {}
  return { limits: Object.freeze(limits), ...(Object.keys(keys).length > 0 && { keys: Object.freeze(keys) }) }
}

type Keys = Partial<Record<KeyName, NamedKey>>
type KeyPath = (typeof KEY_PATHS)[number]

function concurrencyOf(option: NonNullable<LimitOptions<never>['concurrency']>, keys: Keys, prefix: string) {
  refuseUnknown(option, ['limit', 'by'], `${prefix}concurrency.`)
  const { limit, by } = option
  return {
    limit: wholeNumber(limit, 1, MOST, `${prefix}concurrency.limit`),
    ...nameOf('c', by, 'concurrency.by', keys),
  }
}

function rateOf(option: NonNullable<LimitOptions<never>['rate']>, keys: Keys, prefix: string) {
  refuseUnknown(option, ['limit', 'perMs', 'by', 'burst'], `${prefix}rate.`)
  const { limit, perMs, by, burst = 0 } = option
  const path = `${prefix}rate.perMs`
  if (duration(perMs, path) < 1) throw invalidOption(path, perMs, 'at least 1 ms')
  if (perMs > 31 * DAY_MS) throw invalidOption(path, perMs, 'at most 31 days')
  return {
    limit: wholeNumber(limit, 1, MOST, `${prefix}rate.limit`),
    perMs,
    burst: wholeNumber(burst, 0, MOST, `${prefix}rate.burst`),
    ...nameOf('r', by, 'rate.by', keys),
  }
}

function fairOf(option: NonNullable<LimitOptions<never>['fair']>, keys: Keys): { readonly by: KeyName } {
  refuseUnknown(option, ['by'], 'fair.')
  const { by } = nameOf('f', option.by, 'fair.by', keys)
  if (by === undefined) throw invalidOption('fair.by', option.by, 'a function of the input: (input) => input.tenant')
  return { by }
}

/** The same function is evaluated once, and its limits wait for one another in one place. */
function nameOf(name: KeyName, by: KeyOf<never> | undefined, path: KeyPath, keys: Keys): { readonly by?: KeyName } {
  if (by === undefined) return {}
  if (typeof by !== 'function') throw invalidOption(path, by, 'a function of the input: (input) => input.tenant')
  const same = (Object.keys(keys) as KeyName[]).find((each) => keys[each]?.of === by)
  if (same !== undefined) return { by: same }
  keys[name] = { path, of: by }
  return { by: name }
}

/** The keys of a job as they are stored with it: equal texts for equal keys. */
export function partOf(keys: LimitKeys, input: unknown): string {
  const part: Partial<Record<KeyName, string | number>> = {}
  for (const name of NAMES) {
    const key = keys[name]
    if (key !== undefined) part[name] = keyOf(key, input)
  }
  return JSON.stringify(part)
}

function keyOf({ path, of }: NamedKey, input: unknown): string | number {
  const key = called(path, of as KeyOf<unknown>, input)
  if (isKey(key)) return key
  throw invalidOption(
    path,
    key,
    `a function that returns a finite number or a text of at most ${KEY_LENGTH} characters`,
  )
}

/** Whether an input was refused since a function of its task names no key for it. */
export function isUnnamedKey({ code, path }: MillraceError): boolean {
  return code === 'MILLRACE_INVALID_OPTION' && KEY_PATHS.some((each) => each === path)
}

function called(path: string, of: KeyOf<unknown>, input: unknown): unknown {
  try {
    return of(input)
  } catch (cause) {
    throw new MillraceError(
      'MILLRACE_INVALID_OPTION',
      `the option ${path} cannot be used; it threw ${shown(cause instanceof Error ? cause.message : cause)}, expected a ` +
        'key for every input; let it return one for this input too',
      { path, cause },
    )
  }
}

/** A part that somebody else has named: what `partOf` may have returned. */
export function checkedPart(part: unknown): string {
  if (typeof part === 'string' && isPart(part)) return part
  throw invalidOption('part', part, 'the keys of a job as JSON, as its task names them')
}

function isPart(text: string): boolean {
  const part = JSON.parse(text) as unknown
  if (typeof part !== 'object' || part === null || Array.isArray(part) || JSON.stringify(part) !== text) return false
  return Object.entries(part).every(([name, key]) => NAMES.includes(name as KeyName) && isKey(key))
}

function isKey(key: unknown): key is string | number {
  // -0 is the same key as 0, also in JSON.
  if (typeof key === 'number') return Number.isFinite(key)
  return typeof key === 'string' && key.length <= KEY_LENGTH
}

/** The key of a part under a name, as text; `undefined` where the job was stored without it. */
export function keyIn(part: string | null, name: KeyName): string | undefined {
  if (part === null) return undefined
  try {
    const key = (JSON.parse(part) as Partial<Record<KeyName, unknown>> | null)?.[name]
    return key === undefined ? undefined : JSON.stringify(key)
  } catch {
    // Somebody else has written it: it is a job without that key.
    return undefined
  }
}
