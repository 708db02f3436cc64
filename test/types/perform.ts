import { type AnyTask, defineTask, type Discard, handle, type Snooze } from '../../runtime/index.ts'
import { type FakeContext, perform } from '../../runtime/testing/index.ts'
import { holds, type Same } from './same.ts'

declare const context: FakeContext

const thumbnail = defineTask({ name: 'photo.thumbnail', run: (input: { file: string }) => input.file.length })
const nightly = defineTask({ name: 'report.nightly', run: async () => 'done' })
const maybe = defineTask<{ since: number } | undefined, void>({ name: 'report.maybe' })
const maybeHandler = handle(maybe, () => {})

/** A task is performed with what it is enqueued with. */
export async function accepted(): Promise<void> {
  const length = await perform(thumbnail, { file: 'a' })
  holds<Same<typeof length, number | Snooze | Discard>>()
  await perform(thumbnail, { file: 'a' }, context)
  const done = await perform(nightly)
  holds<Same<typeof done, string | Snooze | Discard>>()
  await perform(nightly, undefined, context)
  await perform(maybeHandler)
  await perform(maybeHandler, { since: 5 }, context)
}

export async function refused(any: AnyTask): Promise<void> {
  // @ts-expect-error: no input
  await perform(thumbnail)
  // @ts-expect-error: a wrong one
  await perform(thumbnail, { file: 5 })
  // @ts-expect-error: an input for a task that has none
  await perform(nightly, { since: 5 })
  // @ts-expect-error: no context
  await perform(nightly, undefined, { attempt: 2 })
  // @ts-expect-error: nobody knows what it needs
  await perform(any)
}
