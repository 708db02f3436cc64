import { z } from 'zod'
import { defineTask, type Task } from '../../lib/task.ts'
import { holds, type Same } from './same.ts'

interface Upload {
  readonly user: string
  readonly album: number
}

// The functions that name keys are given the input, wherever its type comes from.
const contract = defineTask<Upload>({ name: 'contract', concurrency: { limit: 2, by: (input) => input.user } })
holds<Same<typeof contract, Task<Upload, void>>>()

const inferred = defineTask({
  name: 'inferred',
  run: async (input: Upload, { attempt }) => input.album + attempt,
  concurrency: { limit: 2, by: (input) => input.user },
  rate: { limit: 100, perMs: 1_000, by: ({ album }) => album },
  fair: { by: ({ user }) => user },
})
holds<Same<typeof inferred, Task<Upload, number>>>()

// What is enqueued, not what a schema makes of it.
defineTask({
  name: 'parsed',
  input: z.object({ at: z.string().transform((text) => Number(text)) }),
  run: async () => undefined,
  fair: {
    by: (input) => {
      holds<Same<typeof input, { at: string }>>()
      return input.at
    },
  },
})

defineTask<Upload>({ name: 'keyless', concurrency: { limit: 2 }, rate: { limit: 1, perMs: 1_000, burst: 5 } })

// @ts-expect-error A key is a text or a number.
defineTask<Upload>({ name: 'bad-key', fair: { by: () => true } })

// @ts-expect-error There is no such input.
defineTask<Upload>({ name: 'bad-input', fair: { by: ({ tenant }) => tenant } })

// @ts-expect-error Fairness is always by something.
defineTask<Upload>({ name: 'unfair', fair: {} })
