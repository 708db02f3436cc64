import type { Clock } from './clock.ts'
import type { MillraceError } from './errors.ts'
import { DEFAULT_PRIORITY, type JobExtra } from './job.ts'
import { checkedEnd, checkedKey, checkedOverrides, checkedPriority, checkedStart } from './job-extra.ts'
import { partOf } from './limits.ts'
import { duration, invalidOption, refuseUnknown } from './options.ts'
import { encodePayload } from './payload.ts'
import { parseWith, type StandardSchemaV1 } from './schema.ts'
import { type AnyTask, type EnqueueOptions, isTask, timeLimitsOf } from './task.ts'

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
  clock: Pick<Clock, 'now'>,
): PreparedJob | Promise<PreparedJob> {
  refuseStranger(task)
  // The clock is not read for a job that says nothing of time.
  const now = options === undefined && task.useByMs === undefined ? 0 : clock.now()
  const extra = extraOf(task, options, now)
  const schema = task.input
  return schema === undefined ? encoded(task, input, extra) : checked(schema, input, () => encoded(task, input, extra))
}

/**
 * The job as it was before the schema has seen its input: some put defaults into what they are given, and until one that
 * answers later has done so its caller may change it as well. What does not fit is told of before what cannot be encoded.
 */
function checked(schema: StandardSchemaV1, input: unknown, encode: () => PreparedJob) {
  const take = asFound(encode)
  const parsed = parseWith(schema, input, 'input', 'input')
  return parsed instanceof Promise ? parsed.then(take) : take()
}

/** Does it now; what came of it, an error too, is for later. */
function asFound<T>(run: () => T): () => T {
  try {
    const value = run()
    return () => value
  } catch (error) {
    return () => {
      throw error
    }
  }
}

/** Throws `MILLRACE_INVALID_OPTION` for what is no task: a handler, a name, something that only looks like one. */
export function refuseStranger(task: AnyTask): void {
  if (!isTask(task)) throw invalidOption('task', task, 'a task made by defineTask')
}

function encoded(task: AnyTask, input: unknown, extra: JobExtra | null): PreparedJob {
  const prepared = { task: task.name, input: encodePayload(input, 'input'), extra }
  if (task.limitKeys === undefined) return prepared
  return { ...prepared, extra: { ...extra, part: partOf(task.limitKeys, input) } }
}

function extraOf(task: AnyTask, options: EnqueueOptions | undefined, now: number): JobExtra | null {
  if (options === undefined) return plainExtraOf(task, now)
  refuseUnknown(options, OPTION_KEYS, '')
  const { key, priority = task.priority } = options
  const keyed = key === undefined ? undefined : keyOf(key, now)
  const dueAt = keyed?.dueAt ?? dueAtOf(options, now)
  if (keyed?.dueAt !== undefined && (options.delayMs !== undefined || options.runAt !== undefined)) {
    throw invalidOption(
      'key.debounceMs',
      keyed.dueAt - now,
      'no debounceMs together with delayMs or runAt: it is the delay',
    )
  }
  if (options.softLimitMs !== undefined || options.hardLimitMs !== undefined) {
    const { softLimitMs = task.softLimitMs, hardLimitMs = task.hardLimitMs } = options
    timeLimitsOf({ softLimitMs, hardLimitMs })
  }
  const overrides = checkedOverrides({ ...options, version: task.version }, task.retry)
  const extra: JobExtra = {
    ...(priority !== DEFAULT_PRIORITY && { priority: checkedPriority(priority) }),
    ...(dueAt !== undefined && { dueAt }),
    ...expiryOf(task, options, dueAt ?? now),
    ...keyed,
    ...(overrides !== undefined && { overrides: JSON.stringify(overrides) }),
  }
  refuseLate(options, extra)
  for (const _ in extra) return extra
  return null
}

/** One that may start only when it may not any more could do nothing but expire. */
function refuseLate(options: EnqueueOptions, { dueAt }: JobExtra): void {
  const { delayMs, runAt, expiresAt, key } = options
  if (dueAt === undefined || expiresAt === undefined || dueAt < checkedEnd(expiresAt, 'expiresAt')) return
  const expected = `a time before ${expiresAt}, its expiresAt, after which it does not start; put it earlier, or that later`
  if (delayMs !== undefined) throw invalidOption('delayMs', delayMs, expected)
  if (runAt !== undefined) throw invalidOption('runAt', runAt, expected)
  throw invalidOption('key.debounceMs', (key as { readonly debounceMs?: number }).debounceMs, expected)
}

function plainExtraOf(task: AnyTask, now: number): JobExtra | null {
  const { priority, useByMs, version } = task
  if (priority === DEFAULT_PRIORITY && useByMs === undefined && version === undefined) return null
  return {
    ...(priority !== DEFAULT_PRIORITY && { priority }),
    ...expiryOf(task, {}, now),
    ...(version !== undefined && { overrides: JSON.stringify({ version }) }),
  }
}

/** Whichever is earlier: what the job says, or what its task does. */
function expiryOf({ useByMs }: AnyTask, { expiresAt }: EnqueueOptions, mayStartAt: number) {
  const at = expiresAt === undefined ? undefined : checkedEnd(expiresAt, 'expiresAt')
  if (useByMs === undefined) return at === undefined ? {} : { expiresAt: at }
  return { expiresAt: Math.min(at ?? Number.POSITIVE_INFINITY, mayStartAt + useByMs), useByMs }
}

/** What `reschedule` takes; `delayMs` and `runAt` exclude each other. */
export interface RescheduleOptions {
  /** Epoch ms; now or earlier means at once. */
  readonly runAt?: number
  /** 0 means at once. */
  readonly delayMs?: number
  /** 0 to 9. */
  readonly priority?: number
  /**
   * Replaces the input. It is checked and its limit keys are named as at enqueue, where this process knows the task: it has
   * enqueued jobs of it, or a lane on its own loop has loaded it. Elsewhere the keys stay, and the schema is asked where the
   * job runs.
   */
  readonly input?: unknown
}

/** A change of a waiting job as it goes to the journal: only what is to be changed. */
export interface Reschedule {
  readonly dueAt?: number
  readonly rank?: number
  readonly input?: string
  /** The keys of that input, where they are known. */
  readonly part?: string
  /** Where it has another bound with its new time. */
  readonly expiresAt?: number
}

export function prepareReschedule(options: RescheduleOptions, now: number): Reschedule {
  refuseUnknown(options, ['runAt', 'delayMs', 'priority', 'input'], '')
  const { runAt, delayMs, priority, input } = options
  if (runAt !== undefined && delayMs !== undefined) throw bothTimes(runAt)
  return {
    ...(delayMs !== undefined && { dueAt: now + Math.ceil(duration(delayMs, 'delayMs')) }),
    ...(runAt !== undefined && { dueAt: checkedStart(runAt, 'runAt') }),
    ...(priority !== undefined && { rank: 9 - checkedPriority(priority) }),
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
  return runAt === undefined ? undefined : checkedStart(runAt, 'runAt')
}

/** The key of a job, and with `debounceMs` when it is due by it. */
function keyOf(key: NonNullable<EnqueueOptions['key']>, now: number): Partial<JobExtra> & { key: string } {
  if (typeof key !== 'object' || key === null || Array.isArray(key)) return { key: checkedKey(key) }
  refuseUnknown(key, ['key', 'scope', 'throttleMs', 'debounceMs'], 'key.')
  const { scope, throttleMs, debounceMs } = key as { scope?: unknown; throttleMs?: number; debounceMs?: number }
  const text = checkedKey(key.key)
  const said = [scope, throttleMs, debounceMs].filter((each) => each !== undefined)
  if (said.length !== 1) {
    throw invalidOption('key.scope', scope, 'one of key.scope, key.throttleMs and key.debounceMs, and no other')
  }
  if (scope === 'unfinished') return { key: text }
  if (debounceMs !== undefined) {
    return { key: text, debounce: 'yes', dueAt: now + Math.max(1, Math.ceil(duration(debounceMs, 'key.debounceMs'))) }
  }
  if (throttleMs !== undefined) return { key: text, keyWindowMs: Math.ceil(duration(throttleMs, 'key.throttleMs')) }
  if (typeof scope !== 'number') {
    throw invalidOption('key.scope', scope, "'unfinished', or milliseconds from 0 to ten years")
  }
  return { key: text, keyWindowMs: Math.ceil(duration(scope, 'key.scope')) }
}
