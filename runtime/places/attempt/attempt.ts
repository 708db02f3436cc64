import { type ErrorRecord, toErrorRecord } from '../../../lib/error-record.ts'
import { isOfKind } from '../../../lib/kind.ts'
import type { Outcome } from '../../../lib/outcome.ts'
import { decodePayload, encodePayload } from '../../../lib/payload.ts'
import { parseWith } from '../../../lib/schema.ts'
import {
  type AnyTask,
  type AroundHook,
  type Handler,
  isDiscard,
  isSnooze,
  type LoadedHandler,
} from '../../../lib/task.ts'
import { upgraded } from '../../../lib/version.ts'
import type { AttemptContext } from './attempt-context.ts'
import type { Handlers } from './handlers.ts'
import { tooNewOutcome } from './job-version.ts'

/** The outcome of nearly every job: a success that leaves nothing to store. */
export const PLAIN_SUCCESS: Outcome = { type: 'succeeded', output: '' }

/**
 * Runs a handler once: decode, parse, call, encode. Whatever is thrown, `null` too, becomes an outcome as data; nothing
 * escapes. It answers without a promise when the handler does.
 */
export function runAttempt(
  handler: LoadedHandler,
  around: readonly AroundHook[],
  input: string,
  context: AttemptContext,
): Outcome | Promise<Outcome> {
  try {
    const later = tooNewOutcome(handler.task, context)
    if (later !== undefined) return later
    const work = around.length === 0 && isPlain(handler.task) ? plain : wrapped
    const result = work(handler, around, decodePayload(input), context)
    if (!isThenable(result)) return succeeded(handler, result, context)
    // A thenable of somebody else's may call back twice, or return anything from its own `then`.
    return Promise.resolve(result).then(
      (value) => succeeded(handler, value, context),
      (error: unknown) => failed(handler, error, context),
    )
  } catch (error) {
    return failed(handler, error, context)
  }
}

/** Runs a handler so that what it leaves behind can be told from others'. */
export type Attribute = <T>(context: AttemptContext, run: () => T) => T

/** `runAttempt` of the handler of a job, loaded first where it is lazy. */
export function callHandler(
  handlers: Handlers,
  input: string,
  context: AttemptContext,
  attribute: Attribute,
): Outcome | Promise<Outcome> {
  const handler = handlers.loaded(context.task)
  const run = (loaded: LoadedHandler) => attribute(context, () => runAttempt(loaded, handlers.around, input, context))
  return handler instanceof Promise ? handler.then(run, failure) : run(handler)
}

type Work = (handler: LoadedHandler, around: readonly AroundHook[], input: unknown, context: AttemptContext) => unknown

function isPlain({ input, upgrade }: AnyTask): boolean {
  return input === undefined && upgrade === undefined
}

const plain: Work = (handler, _around, input, context) => called(handler, input, context)

/** A handler that does not return holds the loop that others share: it has to be known whose it is. */
function called({ run }: LoadedHandler, input: unknown, context: AttemptContext): unknown {
  const { calls } = context
  if (calls === undefined) return (run as Handler<unknown, unknown>)(input, context)
  calls.enter(context.slot)
  try {
    return (run as Handler<unknown, unknown>)(input, context)
  } finally {
    calls.leave()
  }
}

const wrapped: Work = async (handler, around, input, context) => {
  const { task } = handler
  const current = upgraded(task, input, context.version)
  const parsed = task.input === undefined ? current : await parseWith(task.input, current, 'input', 'input')
  const next = (at: number): Promise<unknown> => {
    const hook = around[at]
    if (hook !== undefined) return Promise.resolve(hook(context, () => next(at + 1)))
    return Promise.resolve(called(handler, parsed, context))
  }
  return next(0)
}

function isThenable(value: unknown): value is Promise<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}

function succeeded(handler: LoadedHandler, result: unknown, context: AttemptContext): Outcome | Promise<Outcome> {
  const schema = handler.task.output
  const isBare = result === undefined && context.children === undefined && context.lines === undefined
  if (isBare && schema === undefined) return PLAIN_SUCCESS
  const log = logOf(context)
  if (isSnooze(result)) return { type: 'snoozed', delayMs: result.delayMs, ...log }
  if (isDiscard(result)) return { type: 'discarded', reason: result.reason, ...log }
  if (schema !== undefined) return checked(handler, result, context)
  return encoded(handler, result, context)
}

async function checked(handler: LoadedHandler, result: unknown, context: AttemptContext): Promise<Outcome> {
  try {
    return encoded(handler, await parseWith(handler.task.output as never, result, 'output', 'output'), context)
  } catch (error) {
    return failed(handler, error, context)
  }
}

function encoded(handler: LoadedHandler, result: unknown, context: AttemptContext): Outcome {
  try {
    const { children } = context
    const output = encodePayload(result, 'output')
    return { type: 'succeeded', output, ...(children !== undefined && { children }), ...logOf(context) }
  } catch (error) {
    return failed(handler, error, context)
  }
}

/** Of what went wrong besides the handler, as a lazy one whose module does not load: the next attempt may find it mended. */
export function failure(error: unknown): Outcome {
  return { type: 'failed', error: toErrorRecord(error), retry: 'by-policy' }
}

/** Errors that another attempt would only meet again. */
const PERMANENT_CODES = new Set(['MILLRACE_INPUT_INVALID', 'MILLRACE_OPAQUE_OUTPUT', 'MILLRACE_OUTPUT_INVALID'])

function failed(handler: LoadedHandler, thrown: unknown, context: AttemptContext): Outcome {
  const { abortReason } = context
  if (abortReason === 'drain') return { type: 'interrupted', cause: 'drain' }
  if (abortReason === 'cancel') return { type: 'cancelled', ...logOf(context) }
  const error = toErrorRecord(thrown)
  return { type: 'failed', error, retry: mayRetry(handler, thrown, error), ...logOf(context) }
}

function mayRetry(handler: LoadedHandler, thrown: unknown, { code }: ErrorRecord): 'by-policy' | 'never' {
  if (isOfKind(thrown, 'permanent-error')) return 'never'
  if (code !== undefined && PERMANENT_CODES.has(code)) return 'never'
  const when = handler.task.retryWhen
  if (when === undefined) return 'by-policy'
  try {
    return when(thrown) ? 'by-policy' : 'never'
  } catch {
    // A predicate that fails has not ruled anything out.
    return 'by-policy'
  }
}

function logOf(context: AttemptContext) {
  return context.lines === undefined ? {} : { log: context.lines }
}
