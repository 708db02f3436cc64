import type { Context } from '../../lib/context.ts'
import { defineTask, discard, type HandlerOf, handle, lazy, snooze } from '../../lib/task.ts'
import { holds, type Same } from './same.ts'

interface Page {
  readonly photo: string
  readonly author: string
  readonly cursor?: number
}

const deliver = defineTask<Page, { delivered: number }>({ name: 'feed.deliver', tier: 'feed' })
const notify = defineTask<{ user: string }, void>({ name: 'user.notify', lane: 'network' })
const publish = defineTask<{ photo: string; author: string }, { pages: string[] }>({ name: 'photo.publish' })
const thumbnail = defineTask({ name: 'photo.thumbnail', run: async (input: { file: string }) => input.file.length })

declare function followers(author: string, cursor?: number): Promise<{ ids: string[]; cursor?: number }>

// With contracts apart from handlers a task goes on with itself and hands out to its siblings, and what it returns may
// depend on what they answered. With `run` beside the contract the compiler calls that circular.
export const deliverHandler = handle(deliver, async (input, context) => {
  holds<Same<typeof input, Page>>()
  holds<Same<typeof context, Context>>()
  const page = await followers(input.author, input.cursor)
  for (const user of page.ids) await context.enqueue(notify, { user }, { key: `${input.photo}:${user}` })
  if (page.cursor !== undefined) await context.enqueue(deliver, { ...input, cursor: page.cursor })
  return { delivered: page.ids.length }
})

export const publishHandler = handle(publish, async (input, context) => {
  const first = await context.enqueue(deliver, input, { now: true, key: input.photo })
  const second = await context.enqueue(thumbnail, { file: input.photo })
  return { pages: [first.id, second.id] }
})

// A handler may steer its job, answer at once, or stand in a module of its own.
handle(notify, () => snooze(60_000))
handle(notify, (input) => (input.user === '' ? discard('nobody') : undefined))
const apart: HandlerOf<typeof deliver> = async (input) => ({ delivered: input.photo.length })
handle(deliver, apart)
handle(
  deliver,
  lazy(async () => ({ default: apart })),
)
handle(
  deliver,
  lazy(async () => ({
    default: async (page: Page, _context: Context) => ({ delivered: page.photo.length }),
    other: 1,
  })),
)

// @ts-expect-error: a wrong result
handle(deliver, async () => ({ delivered: 'all' }))
// @ts-expect-error: no result
handle(deliver, async () => {})
// @ts-expect-error: a result where the contract says none
handle(notify, async () => 5)
// @ts-expect-error: a wrong input
handle(deliver, async (input: { photo: number }) => ({ delivered: input.photo }))
const lazyText = lazy(async () => ({ default: async (_: Page) => 'all' }))
// @ts-expect-error: a lazy handler with a wrong result
handle(deliver, lazyText)
// @ts-expect-error: a lazy module without a default export
lazy(async () => ({ handler: apart }))
// @ts-expect-error: no handler
handle(deliver)
// @ts-expect-error: not a task
handle({ name: 'feed.deliver' }, apart)

export const wrongSuccessor = handle(deliver, async (input, context) => {
  // @ts-expect-error: the cursor is a number
  await context.enqueue(deliver, { ...input, cursor: 'next' })
  return { delivered: 0 }
})
