import { breakerPolicy } from './breaker.ts'
import {
  type AnyTask,
  type Discard,
  type Handler,
  type HandlerOf,
  type KeepHistory,
  type Snooze,
  type Task,
  type TaskManifest,
  type TaskPlace,
  type TaskSettings,
} from './context.ts'
import { MillraceError } from './errors.ts'
import { DEFAULT_PRIORITY, type Priority } from './job.ts'
import type { InputCheck, OutputCheck } from './json.ts'
import { isOfKind, kind } from './kind.ts'
import { type LimitOptions, limitsOf, maxWaitingOf } from './limits.ts'
import { invalidOption, refuseUnknown, shown, TEN_YEARS_MS, timerMs, wholeNumber } from './options.ts'
import { defaultRetry, retryPolicy } from './retry.ts'
import type { StandardSchemaV1 } from './schema.ts'
import { type VersionOptions, versionOf } from './version.ts'

export { discard, isDiscard, isSnooze, snooze } from './context.ts'
export type {
  AnyTask,
  AroundHook,
  ChildEnqueueOptions,
  Discard,
  EnqueueArguments,
  EnqueueOptions,
  Handler,
  HandlerOf,
  InputOf,
  JobKey,
  KeepHistory,
  OutputOf,
  ParsedOf,
  Returned,
  Snooze,
  Task,
  TaskManifest,
  TaskPlace,
  TaskSettings,
  ThreadHook,
} from './context.ts'

type AnyHandler = Handler<never, unknown>

/** What the compiler says where nothing tells it the type of the input: annotate the first parameter of `run`. */
export type AnnotateTheInputOfRun = () => unknown

type Annotated<Parsed> = unknown extends Parsed ? AnnotateTheInputOfRun : unknown

type VoidIfUnknown<T> = unknown extends T ? void : T

/** What is left as a result: a handler that only ever snoozes or discards has none. */
type Kept<Output> = Exclude<Output, Snooze | Discard>

/** What `defineTask` takes. */
export type TaskOptions<Input, Result, Parsed, Output> = TaskSettings &
  LimitOptions<NoInfer<Input>> &
  VersionOptions<NoInfer<Input>> & {
    /** Any Standard Schema. What is stored is the input; what the handler gets is what the schema makes of it. */
    readonly input?: StandardSchemaV1<Input, Parsed>
    /** Any Standard Schema that accepts its own output. What is stored is what it makes of the result. */
    readonly output?: StandardSchemaV1<unknown, Output>
    /** The work, where it is small enough to stand beside its contract; else see `handle`. */
    readonly run?: Handler<Parsed, Result> & Handler<Parsed, NoInfer<Output>> & Annotated<Parsed>
  }

/**
 * Defines a task: `defineTask<Input, Output>({ name })` is a contract whose work is attached by `handle`;
 * with `run`, or with schemas, the types are inferred.
 *
 * A task that enqueues itself or its siblings needs a contract and `handle`: a result cannot be inferred through a
 * reference to its own task. Throws `MILLRACE_INVALID_OPTION` or `MILLRACE_UNKNOWN_OPTION`, with the option's path.
 */
// One signature for all forms: among overloads a wrong option is reported against each of them.
export function defineTask<Parsed, Result = void, Input = Parsed, Output = Result>(
  options: TaskOptions<Input, Result, Parsed, Output> & InputCheck<Input> & OutputCheck<Kept<Output>>,
): Task<VoidIfUnknown<Input>, Kept<Output>, VoidIfUnknown<Parsed>> {
  return defined(options as UncheckedOptions) as Task<VoidIfUnknown<Input>, Kept<Output>, VoidIfUnknown<Parsed>>
}

/** The handler of a task that stands apart from it; made by `handle`, exported by a tasks module. */
export interface TaskHandler<out T extends AnyTask = AnyTask> extends LoadableHandler {
  readonly [kind]: 'handler'
  readonly task: T
}

/** A task, and how to get at its work. */
export interface LoadableHandler {
  readonly task: AnyTask
  /** The function itself, or a promise of it where it is lazy; each call of a lazy one asks its loader again. */
  load(): AnyHandler | Promise<AnyHandler>
}

/** A task with its function, ready to run. */
export interface LoadedHandler {
  readonly task: AnyTask
  readonly run: AnyHandler
}

/** A handler whose module is imported when its first job comes; made by `lazy`. */
export interface LazyHandler<out H extends AnyHandler> {
  readonly [kind]: 'lazy'
  load(): Promise<{ readonly default: H }>
}

/**
 * Names a handler by its module: `lazy(() => import('./report.js'))`, whose default export is the handler.
 * A heavy module is then loaded only in threads that run such a job.
 */
export function lazy<H extends AnyHandler>(load: () => Promise<{ readonly default: H }>): LazyHandler<H> {
  return Object.freeze({ [kind]: 'lazy', load: callable('lazy', load) } as const)
}

/** Attaches the work to a contract. Export what it returns from a tasks module; nothing is registered anywhere. */
export function handle<T extends AnyTask>(task: T, handler: HandlerOf<T> | LazyHandler<HandlerOf<T>>): TaskHandler<T> {
  if (!isTask(task)) throw invalidOption('handle', task, 'a task made by defineTask, then its handler')
  if (!isLazy(handler)) callable(`handle(${task.name})`, handler)
  const load = isLazy(handler) ? async () => defaultOf(await handler.load(), task) : () => handler
  return Object.freeze({ [kind]: 'handler', task, load } as const)
}

/** Whether `value` was made by `defineTask`, of this copy of the package or another. */
export function isTask(value: unknown): value is AnyTask {
  return isOfKind(value, 'task')
}

/** Whether a task may have this name. */
export function isTaskName(name: unknown): boolean {
  return typeof name === 'string' && TASK_NAME.test(name)
}

/** A name that a task may have; throws for any other one. */
export function checkedTaskName(name: unknown, path: string): string {
  if (isTaskName(name)) return name as string
  throw invalidOption(path, name, 'lower-case letters, digits, dots, underscores and dashes, at most 128')
}

function isLazy<H extends AnyHandler>(value: H | LazyHandler<H>): value is LazyHandler<H> {
  return isOfKind(value, 'lazy')
}

function defaultOf<H>(module: { readonly default: H }, task: AnyTask): H {
  if (typeof module.default === 'function') return module.default
  throw new MillraceError(
    'MILLRACE_TASKS_MODULE',
    `the lazy handler of ${task.name} cannot be used; got ${shown(module.default)} as its module's default export, ` +
      'expected a function; export the handler as default',
  )
}

/** The part of a task that can cross to another thread. */
export function taskManifest(task: AnyTask): TaskManifest {
  const {
    input: _input,
    output: _output,
    retryWhen: _retryWhen,
    limitKeys: _limitKeys,
    upgrade: _upgrade,
    [work]: _work,
    [kind]: _kind,
    ...manifest
  } = task as WorkingTask
  return manifest
}

/** What does the work of a task that has it beside its contract, or of a handler; `undefined` for anything else. */
export function handlerOf(value: unknown): LoadableHandler | undefined {
  if (isOfKind(value, 'handler')) return value as TaskHandler
  if (!isTask(value)) return undefined
  const { [work]: run } = value as WorkingTask
  return run === undefined ? undefined : { task: value, load: () => run }
}

interface WorkingTask extends AnyTask {
  readonly [kind]?: 'task'
  readonly [work]?: AnyHandler
}

type UncheckedOptions = TaskSettings &
  LimitOptions<never> &
  VersionOptions<unknown> & {
    readonly input?: StandardSchemaV1
    readonly output?: StandardSchemaV1
    readonly run?: AnyHandler
  }

/** Where a task that says nothing runs, until its run times are known. */
const DEFAULT_TIER = 'default'
const DEFAULT_SOFT_LIMIT_MS = 20_000
const DEFAULT_HARD_LIMIT_MS = 30_000

const TASK_NAME = /^[a-z0-9][a-z0-9._-]{0,127}$/
const PLACE_NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/

const OPTIONS = [
  'name',
  'tier',
  'lane',
  'softLimitMs',
  'hardLimitMs',
  'retry',
  'priority',
  'keepResultMs',
  'keepHistory',
  'keepEndedMs',
  'concurrency',
  'rate',
  'fair',
  'maxWaiting',
  'useByMs',
  'version',
  'upgrade',
  'local',
  'breaker',
  'input',
  'output',
  'run',
] as const satisfies readonly (keyof UncheckedOptions)[]

const work: unique symbol = Symbol.for('millrace.work')

function defined(options: UncheckedOptions): AnyTask {
  refuseUnknown(options, OPTIONS, '')
  const { name, priority = DEFAULT_PRIORITY, keepResultMs, keepEndedMs, keepHistory, input, output, run } = options
  const { when, ...retry } = retryOf(options)
  const { limits, keys } = limitsOf(options)
  const { maxWaiting, useByMs, local, breaker } = options
  if (local !== undefined && local !== true) throw invalidOption('local', local, 'true, or nothing')
  const task: AnyTask = {
    name: checkedTaskName(name, 'name'),
    place: placeOf(options),
    ...timeLimitsOf(options),
    priority: wholeNumber(priority, 0, 9, 'priority') as Priority,
    retry: retryPolicy(retry, defaultRetry, 'retry'),
    ...(when !== undefined && { retryWhen: callable('retry.when', when) }),
    ...(keepResultMs !== undefined && { keepResultMs: retention('keepResultMs', keepResultMs) }),
    ...(keepEndedMs !== undefined && { keepEndedMs: retention('keepEndedMs', keepEndedMs) }),
    ...(keepHistory !== undefined && { keepHistory: historyOf(keepHistory) }),
    ...(limits !== undefined && { limits }),
    ...(maxWaiting !== undefined && { maxWaiting: maxWaitingOf(maxWaiting, 'maxWaiting') }),
    ...(useByMs !== undefined && { useByMs: retention('useByMs', useByMs) }),
    ...(local !== undefined && { local }),
    ...(breaker !== undefined && { breaker: breakerPolicy(breaker) }),
    ...(keys !== undefined && { limitKeys: keys }),
    ...versionOf(options),
    ...(input !== undefined && { input: schema('input', input) }),
    ...(output !== undefined && { output: schema('output', output) }),
  }
  return Object.freeze({ ...task, [kind]: 'task', ...(run !== undefined && { [work]: callable('run', run) }) })
}

/** Refused before it is taken apart, after which a number is as good as nothing. */
function retryOf({ retry = {} }: UncheckedOptions): NonNullable<TaskSettings['retry']> {
  refuseUnknown(retry, ['attempts', 'backoff', 'giveUpOn', 'when'], 'retry.')
  return retry
}

function placeOf({ tier, lane }: UncheckedOptions): TaskPlace {
  if (tier !== undefined && lane !== undefined) {
    throw invalidOption('lane', lane, `no lane beside the tier ${shown(tier)}: one of them, or neither`)
  }
  const named = lane === undefined ? tier : lane
  const name = named === undefined ? DEFAULT_TIER : named
  const type = lane === undefined ? 'tier' : 'lane'
  if (typeof name !== 'string' || !PLACE_NAME.test(name)) {
    throw invalidOption(type, name, `the name of a ${type}: lower-case letters, digits, dots, underscores and dashes`)
  }
  return Object.freeze({ type, name, pinned: named !== undefined })
}

/** The limits of a task, or of one job of it; throws where the hard one is below the soft one. */
export function timeLimitsOf({
  softLimitMs = DEFAULT_SOFT_LIMIT_MS,
  hardLimitMs = DEFAULT_HARD_LIMIT_MS,
}: Pick<UncheckedOptions, 'softLimitMs' | 'hardLimitMs'>) {
  const limits = {
    softLimitMs: timerMs(softLimitMs, 'softLimitMs'),
    hardLimitMs: timerMs(hardLimitMs, 'hardLimitMs'),
  }
  if (limits.hardLimitMs >= limits.softLimitMs) return limits
  throw invalidOption('hardLimitMs', hardLimitMs, `at least softLimitMs, which is ${softLimitMs}; say both`)
}

function historyOf(keepHistory: KeepHistory): KeepHistory {
  refuseUnknown(keepHistory, ['forMs', 'max'], 'keepHistory.')
  return Object.freeze({
    forMs: retention('keepHistory.forMs', keepHistory.forMs),
    max: wholeNumber(keepHistory.max, 1, 1_000_000, 'keepHistory.max'),
  })
}

function retention(path: string, ms: number): number {
  return wholeNumber(ms, 1, TEN_YEARS_MS, path)
}

function callable<F>(path: string, value: F): F {
  if (typeof value === 'function') return value
  throw invalidOption(path, value, 'a function')
}

function schema(path: string, value: StandardSchemaV1): StandardSchemaV1 {
  // Schemas of some libraries are functions.
  const standard = (value as Partial<StandardSchemaV1> | null)?.['~standard']
  if (standard?.version === 1 && typeof standard.validate === 'function') return value
  throw invalidOption(path, value, 'a schema of a library that implements Standard Schema (zod, valibot, arktype)')
}
