import { z } from 'zod'
import type { Context } from '../../lib/context.ts'
import { type AnyTask, defineTask, type EnqueueArguments, type EnqueueOptions, type OutputOf } from '../../lib/task.ts'
import { holds, type Same } from './same.ts'

declare const context: Context
/** As a runtime declares it. */
declare function enqueue<T extends AnyTask>(task: T, ...rest: EnqueueArguments<T>): Promise<OutputOf<T>>

const thumbnail = defineTask({
  name: 'photo.thumbnail',
  run: async (input: { file: string; width?: number }, _context) => ({ bytes: input.file.length }),
})
const nightly = defineTask({ name: 'report.nightly', run: async () => 'done' })
const maybe = defineTask<{ since: number } | undefined, void>({ name: 'report.maybe' })
const share = defineTask({
  name: 'photo.share',
  input: z.object({ at: z.coerce.date<string>(), tries: z.number().default(3) }),
  run: async (input) => input.at.getTime(),
})

export async function accepted(tasks: readonly AnyTask[]): Promise<void> {
  const result = await enqueue(thumbnail, { file: 'a.jpg' })
  holds<Same<typeof result, { bytes: number }>>()
  await enqueue(thumbnail, { file: 'a.jpg', width: 320 }, { priority: 9, key: 'a' })
  await enqueue(nightly)
  await enqueue(nightly, undefined, { delayMs: 60_000 })
  await enqueue(nightly, undefined, { runAt: 1_800_000_000_000, expiresAt: 1_900_000_000_000 })
  await enqueue(maybe)
  await enqueue(maybe, { since: 5 })
  await enqueue(share, { at: '2030-01-01' })
  await enqueue(share, { at: '2030-01-01', tries: 1 }, { retry: { attempts: 2 }, softLimitMs: 5, hardLimitMs: 10 })
  await enqueue(thumbnail, { file: 'a' }, { key: { key: 'a', scope: 'unfinished' }, metadata: { from: 'web' } })
  await enqueue(thumbnail, { file: 'a' }, { key: { key: 'a', scope: 3_600_000 } })
  await enqueue(thumbnail, { file: 'a' }, { key: { key: 'a', debounceMs: 500 } })
  await enqueue(thumbnail, { file: 'a' }, { key: { key: 'a', throttleMs: 500 } })
  // @ts-expect-error A key says how long it is taken.
  await enqueue(thumbnail, { file: 'a' }, { key: { key: 'a' } })
  const child = await context.enqueue(thumbnail, { file: 'a' }, { now: true, key: 'a' })
  holds<Same<typeof child, { readonly id: string }>>()
  // Tasks of all types stand in one list.
  const all: AnyTask[] = [...tasks, thumbnail, nightly, maybe, share]
  console.log(all.length)
}

export async function refused(options: EnqueueOptions): Promise<void> {
  // @ts-expect-error: a wrong type
  await enqueue(thumbnail, { file: 5 })
  // @ts-expect-error: nothing of what is needed
  await enqueue(thumbnail, {})
  // @ts-expect-error: no input
  await enqueue(thumbnail)
  // @ts-expect-error: more than the task knows
  await enqueue(thumbnail, { file: 'a', height: 5 })
  // @ts-expect-error: an input for a task that has none
  await enqueue(nightly, { since: 5 })
  // @ts-expect-error: what the handler gets, not what is stored
  await enqueue(share, { at: new Date(0) })
  // @ts-expect-error: two instants for one start
  await enqueue(nightly, undefined, { delayMs: 5, runAt: 5 })
  // @ts-expect-error: misspelled
  await enqueue(nightly, undefined, { delay: 5 })
  // @ts-expect-error: no such priority
  await enqueue(nightly, undefined, { priority: 10 })
  // @ts-expect-error: text only
  await enqueue(nightly, undefined, { metadata: { attempt: 5 } })
  // @ts-expect-error: `now` means something in a handler only
  await enqueue(nightly, undefined, { now: true })
  // @ts-expect-error: not a task
  await enqueue({ name: 'report.nightly' }, 5)
  // @ts-expect-error: progress is stored as JSON
  context.progress(new Date(0))
  // @ts-expect-error: a child gives its id and no result
  await (await context.enqueue(nightly, undefined, options)).result()
}
