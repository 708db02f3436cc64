import { z } from 'zod'
import type { Context } from '../../lib/context.ts'
import {
  defineTask,
  type Discard,
  discard,
  type InputOf,
  type OutputOf,
  type ParsedOf,
  type Returned,
  type Snooze,
  snooze,
  type Task,
} from '../../lib/task.ts'
import { holds, type Same } from './same.ts'

interface Followers {
  readonly author: string
  readonly cursor?: number
}

// A contract takes its types from the caller.
const deliver = defineTask<Followers, { delivered: number }>({ name: 'feed.deliver', tier: 'feed' })
holds<Same<typeof deliver, Task<Followers, { delivered: number }>>>()

const nightly = defineTask({ name: 'report.nightly' })
holds<Same<typeof nightly, Task<void, void>>>()

const notify = defineTask<{ user: string }>({ name: 'user.notify', lane: 'network' })
holds<Same<typeof notify, Task<{ user: string }, void>>>()

// With `run` they are inferred, and the context is typed without a word.
const thumbnail = defineTask({
  name: 'photo.thumbnail',
  async run(input: { file: string; width: number }, context) {
    holds<Same<typeof context, Context>>()
    return { bytes: input.width }
  },
})
holds<Same<typeof thumbnail, Task<{ file: string; width: number }, { bytes: number }>>>()

const arrow = defineTask({ name: 'arrow', run: (input: string, { attempt }) => input.repeat(attempt) })
holds<Same<typeof arrow, Task<string, string>>>()

const inputless = defineTask({ name: 'inputless', run: async () => 5 })
holds<Same<typeof inputless, Task<void, number>>>()

const contextOnly = defineTask({ name: 'context-only', run: (_: void, context) => context.jobId })
holds<Same<typeof contextOnly, Task<void, string>>>()

const explicit = defineTask<Followers, number>({ name: 'explicit', run: async (input) => input.cursor ?? 0 })
holds<Same<typeof explicit, Task<Followers, number>>>()

// Interfaces and unions are as good as type literals.
const either = defineTask({ name: 'either', run: (_: Followers | readonly string[], _context) => undefined })
holds<Same<InputOf<typeof either>, Followers | readonly string[]>>()

// A result does not contain what only steers the job.
const steering = defineTask({
  name: 'steering',
  async run(input: { left: number }, _context) {
    if (input.left > 2) return snooze(1_000)
    if (input.left > 1) return discard('nothing left')
    return { done: true }
  },
})
holds<Same<OutputOf<typeof steering>, { done: boolean }>>()
type Result<R> = Exclude<Awaited<R>, Snooze | Discard>
holds<Same<Result<Returned<{ done: boolean }>>, { done: boolean }>>()

// A schema's input is what is enqueued, its output what the handler gets.
const share = defineTask({
  name: 'photo.share',
  lane: 'network',
  input: z.object({ url: z.string(), at: z.coerce.date<string>(), tries: z.number().default(3) }),
  run: async (input, { signal }) => {
    const moment: Date = input.at
    return signal.aborted ? moment.getTime() : input.tries
  },
})
holds<Same<InputOf<typeof share>, { url: string; at: string; tries?: number | undefined }>>()
holds<Same<ParsedOf<typeof share>, { url: string; at: Date; tries: number }>>()
holds<Same<OutputOf<typeof share>, number>>()

const checked = defineTask({ name: 'checked', input: z.object({ n: z.number() }), output: z.object({ m: z.number() }) })
holds<Same<typeof checked, Task<{ n: number }, { m: number }, { n: number }>>>()

const counted = defineTask({
  name: 'counted',
  output: z.object({ words: z.number() }),
  run: (input: { text: string }, _context) => (input.text === '' ? discard('empty') : { words: 1 }),
})
holds<Same<typeof counted, Task<{ text: string }, { words: number }>>>()

// A result may also be what the handler itself knows nothing of: it is looked at when it is stored.
defineTask({ name: 'passing-on', run: async (text: string): Promise<unknown> => JSON.parse(text) })

// An input without a type says nothing to its callers.
// @ts-expect-error: the input is not annotated
defineTask({ name: 'x', run: (input) => void input })
// @ts-expect-error: the input is not annotated, whether it is used or not
defineTask({ name: 'x', run: (_input) => 1 })
// @ts-expect-error: nor beside a context
defineTask({ name: 'x', run: (_input, context) => context.jobId })
// @ts-expect-error: nor as a method
defineTask({ name: 'x', async run(_input, _context) {} })

// A place is one place.
// @ts-expect-error: a tier with a lane
defineTask({ name: 'x', tier: 'fast', lane: 'network', run: (_: string) => 1 })
// @ts-expect-error: in a contract too
defineTask<string, void>({ name: 'x', tier: 'fast', lane: 'network' })

// What cannot be stored is no input.
// @ts-expect-error: a Date
defineTask({ name: 'x', run: (_: Date) => 1 })
// @ts-expect-error: a Date inside
defineTask({ name: 'x', run: (_: { when?: Date }) => 1 })
// @ts-expect-error: a Date inside of a contract's input
defineTask<{ when: Date }, void>({ name: 'x' })
// @ts-expect-error: a Map
defineTask({ name: 'x', run: (_: { sizes: Map<string, number> }, _context) => 1 })
// @ts-expect-error: a function
defineTask<{ done: () => void }, void>({ name: 'x' })
// @ts-expect-error: a schema whose input is a Date
defineTask({ name: 'x', input: z.object({ when: z.date() }), run: (input) => input.when.getTime() })

// Nor a result.
// @ts-expect-error: a Date
defineTask({ name: 'x', run: (_: string) => new Date(0) })
// @ts-expect-error: a Set in a promise
defineTask({ name: 'x', run: async () => new Set([1]) })
// @ts-expect-error: a bigint of a contract
defineTask<string, bigint>({ name: 'x' })

// A handler keeps to its task's output.
// @ts-expect-error: the schema says a number
defineTask({ name: 'x', output: z.object({ m: z.number() }), run: async (_: string) => ({ m: 'one' }) })
// @ts-expect-error: the contract says a number
defineTask<string, number>({ name: 'x', run: async (input) => input })

// Options are known by name and type.
// @ts-expect-error: misspelled
defineTask({ name: 'x', softLimitMS: 1_000 })
// @ts-expect-error: no such priority
defineTask({ name: 'x', priority: 10 })
// @ts-expect-error: both bounds are needed
defineTask({ name: 'x', keepHistory: { max: 10 } })
// @ts-expect-error: a name is needed
defineTask({ tier: 'fast' })

// The values that steer a job are made by their functions only.
// @ts-expect-error: a look-alike
export const forgedSnooze: Snooze = { delayMs: 5 }
// @ts-expect-error: a look-alike
export const forgedDiscard: Discard = { reason: 'because' }

// A handler that only ever discards has no result.
const onlyDiscards = defineTask({ name: 'only.discards', run: (_input: null) => discard('always') })
holds<Same<OutputOf<typeof onlyDiscards>, never>>()

// An older input is anything; what is made of it is the task's input.
const versioned = defineTask({
  name: 'versioned',
  version: 2,
  upgrade(input, fromVersion) {
    holds<Same<typeof input, unknown>>()
    holds<Same<typeof fromVersion, number>>()
    return { url: String(input) }
  },
  run: (input: { url: string }, _context) => input.url.length,
})
holds<Same<typeof versioned, Task<{ url: string }, number>>>()
defineTask<{ url: string }>({ name: 'x', version: 2, upgrade: (input) => ({ url: String(input) }) })
defineTask({
  name: 'x',
  version: 2,
  input: z.object({ at: z.coerce.date<string>() }),
  upgrade: (input) => ({ at: String(input) }),
  run: (input) => input.at.getTime(),
})
// @ts-expect-error: not the task's input
defineTask<{ url: string }>({ name: 'x', version: 2, upgrade: (input) => ({ uri: String(input) }) })
defineTask({
  name: 'x',
  version: 2,
  input: z.object({ at: z.coerce.date<string>() }),
  // @ts-expect-error: what the schema takes, not what it makes
  upgrade: (input) => ({ at: new Date(String(input)) }),
  run: (input) => input.at.getTime(),
})
// @ts-expect-error: an older input is not known to be anything
defineTask<{ url: string }>({ name: 'x', version: 2, upgrade: (input) => ({ url: input.url }) })
// @ts-expect-error: nor comes it later
defineTask<{ url: string }>({ name: 'x', version: 2, upgrade: async (input) => ({ url: String(input) }) })
