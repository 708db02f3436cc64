import { DEFAULT_PRIORITY, type JobExtra, type JobOverrides } from './job.ts'
import type { MillraceError } from './errors.ts'
import { duration, invalidOption, refuseUnknown, TEN_YEARS_MS, wholeNumber } from './options.ts'
import { encodePayload } from './payload.ts'
import { retryPolicy } from './retry.ts'
import { parseWith } from './schema.ts'
import type { AnyTask, EnqueueOptions } from './task.ts'

/** A job as it goes to the journal: its input as one string, and its rare parts. */
export interface PreparedJob {
  readonly task: string
  readonly input: string
  readonly extra: JobExtra | null
}

const OPTION_KEYS = [
  'delayMs',
  'runAt',
  'priority',
  'key',
  'expiresAt',
  'retry',
  'softLimitMs',
  'hardLimitMs',
  'keepResultMs',
  'metadata',
] as const

/**
 * Checks and encodes what a caller enqueues; with a schema that answers later it is a promise, else it is done at once.
 * Whatever it refuses, it refuses before anything is written.
 */
export function prepareJob(
  task: AnyTask,
  input: unknown,
  options: EnqueueOptions | undefined,
  now: number,
): PreparedJob | Promise<PreparedJob> {
  const extra = extraOf(task, options, now)
  const schema = task.input
  if (schema !== undefined) {
    const parsed = parseWith(schema, input, 'input', 'input')
    if (parsed instanceof Promise) return parsed.then(() => encoded(task, input, extra))
  }
  return encoded(task, input, extra)
}

function encoded(task: AnyTask, input: unknown, extra: JobExtra | null): PreparedJob {
  return { task: task.name, input: encodePayload(input, 'input'), extra }
}

function extraOf(task: AnyTask, options: EnqueueOptions | undefined, now: number): JobExtra | null {
  if (options === undefined) return task.priority === DEFAULT_PRIORITY ? null : { priority: task.priority }
  refuseUnknown(options, OPTION_KEYS, '')
  const { key, priority = task.priority } = options
  const dueAt = dueAtOf(options, now)
  const overrides = overridesOf(task, options)
  const extra: JobExtra = {
    ...(priority !== DEFAULT_PRIORITY && { priority: wholeNumber(priority, 0, 9, 'priority') }),
    ...(dueAt !== undefined && { dueAt }),
    ...(options.expiresAt !== undefined && { expiresAt: instant(options.expiresAt, 'expiresAt') }),
    ...(key !== undefined && keyOf(key)),
    ...(overrides !== undefined && { overrides: JSON.stringify(overrides) }),
  }
  for (const _ in extra) return extra
  return null
}

/** What `reschedule` takes; `delayMs` and `runAt` exclude each other. */
export interface RescheduleOptions {
  /** Epoch ms; now or earlier means at once. */
  readonly runAt?: number
  /** 0 means at once. */
  readonly delayMs?: number
  /** 0 to 9. */
  readonly priority?: number
  /** Replaces the input. */
  readonly input?: unknown
}

/** A change of a waiting job as it goes to the journal: only what is to be changed. */
export interface Reschedule {
  readonly dueAt?: number
  readonly rank?: number
  readonly input?: string
}

export function prepareReschedule(options: RescheduleOptions, now: number): Reschedule {
  refuseUnknown(options, ['runAt', 'delayMs', 'priority', 'input'], '')
  const { runAt, delayMs, priority, input } = options
  if (runAt !== undefined && delayMs !== undefined) throw bothTimes(runAt)
  return {
    ...(delayMs !== undefined && { dueAt: now + Math.ceil(duration(delayMs, 'delayMs')) }),
    ...(runAt !== undefined && { dueAt: instant(runAt, 'runAt') }),
    ...(priority !== undefined && { rank: 9 - wholeNumber(priority, 0, 9, 'priority') }),
    ...(input !== undefined && { input: encodePayload(input, 'input') }),
  }
}

function bothTimes(runAt: number): MillraceError {
  return invalidOption('runAt', runAt, 'no runAt together with delayMs: one of them')
}

function dueAtOf(options: EnqueueOptions, now: number): number | undefined {
  const { delayMs, runAt } = options as { delayMs?: number; runAt?: number }
  if (delayMs !== undefined && runAt !== undefined) {
    throw bothTimes(runAt)
  }
  if (delayMs !== undefined) return delayMs === 0 ? undefined : now + Math.ceil(duration(delayMs, 'delayMs'))
  return runAt === undefined ? undefined : instant(runAt, 'runAt')
}

function keyOf(key: NonNullable<EnqueueOptions['key']> | null): { key: string; keyWindowMs?: number } {
  if (key === null) throw invalidOption('key', key, '1 to 512 characters')
  const text = typeof key === 'string' ? key : key.key
  if (typeof text !== 'string' || text.length === 0 || text.length > 512) {
    throw invalidOption('key', text, '1 to 512 characters')
  }
  if (typeof key === 'string' || key.scope === 'unfinished') return { key: text }
  return { key: text, keyWindowMs: Math.ceil(duration(key.scope, 'key.scope')) }
}

function overridesOf(task: AnyTask, options: EnqueueOptions): JobOverrides | undefined {
  const { retry, softLimitMs, hardLimitMs, keepResultMs, metadata } = options
  const overrides: JobOverrides = {
    ...(retry !== undefined && { retry: retryPolicy(retry, task.retry, 'retry') }),
    ...(softLimitMs !== undefined && { softLimitMs: duration(softLimitMs, 'softLimitMs') }),
    ...(hardLimitMs !== undefined && { hardLimitMs: duration(hardLimitMs, 'hardLimitMs') }),
    ...(keepResultMs !== undefined && { keepResultMs: wholeNumber(keepResultMs, 1, TEN_YEARS_MS, 'keepResultMs') }),
    ...(metadata !== undefined && { metadata: checkedMetadata(metadata) }),
  }
  for (const _ in overrides) return overrides
  return undefined
}

function checkedMetadata(metadata: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  if (typeof metadata !== 'object' || metadata === null) throw invalidOption('metadata', metadata, 'texts by name')
  for (const [name, value] of Object.entries(metadata)) {
    if (typeof value !== 'string') throw invalidOption(`metadata.${name}`, value, 'a string')
  }
  if (Buffer.byteLength(JSON.stringify(metadata)) > 16_384)
    throw invalidOption('metadata', 'over 16 KiB', 'less than 16 KiB')
  return metadata
}

function instant(at: number, path: string): number {
  if (typeof at === 'number' && Number.isFinite(at) && at >= 0 && at < 8.64e15) return Math.round(at)
  throw invalidOption(path, at, 'epoch milliseconds')
}
