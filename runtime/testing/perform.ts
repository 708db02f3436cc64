import type { Context } from '../../lib/context.ts'
import { prepareJob } from '../../lib/enqueue.ts'
import { invalidOption } from '../../lib/options.ts'
import { decodePayload, encodePayload } from '../../lib/payload.ts'
import { parseWith } from '../../lib/schema.ts'
import {
  type AnyTask,
  type Discard,
  type EnqueueArguments,
  type Handler,
  handlerOf,
  isDiscard,
  isSnooze,
  type OutputOf,
  type Snooze,
  type TaskHandler,
} from '../../lib/task.ts'
import { fakeContext } from './fake-context.ts'

/**
 * Calls a handler by itself, without a journal: with its input as it would arrive, and its result as it would be
 * stored, both through the codec and the task's schemas. What the handler throws is thrown as it is.
 */
export async function perform<T extends AnyTask>(
  work: T | TaskHandler<T>,
  ...rest: EnqueueArguments<T, Context>
): Promise<OutputOf<T> | Snooze | Discard> {
  const { task, load } = handlerOf(work) ?? refuse(work)
  const [input, context = fakeContext({ task: task.name })] = rest as [unknown, Context?]
  const stored = decodePayload((await prepareJob(task, input, undefined, { now: () => 0 })).input)
  const parsed = task.input === undefined ? stored : await parseWith(task.input, stored, 'input', 'input')
  const run = (await load()) as Handler<unknown, unknown>
  const result = await run(parsed, context)
  if (isSnooze(result) || isDiscard(result)) return result
  const output = task.output === undefined ? result : await parseWith(task.output, result, 'output', 'output')
  return decodePayload(encodePayload(output, 'output')) as OutputOf<T>
}

function refuse(work: unknown): never {
  throw invalidOption('work', work, 'a task with its own run, or what handle() has returned')
}
