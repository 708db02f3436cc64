import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Outcome } from '../../../lib/outcome.ts'
import { defineTask, type LoadedHandler } from '../../../lib/task.ts'
import { runAttempt } from '../../../runtime/places/attempt.ts'
import { AttemptContext } from '../../../runtime/places/attempt-context.ts'

const task = defineTask<null, unknown>({ name: 'work' })
const child = defineTask<number, void>({ name: 'child' })

function contextOf(): AttemptContext {
  let lastNumber = 1
  return new AttemptContext(
    {
      journal: 'abcdef',
      now: () => 0,
      takeNumber: () => ++lastNumber,
      abortOf: () => undefined,
      isGivenUp: () => false,
      progress() {},
      enqueueNow: () => Promise.resolve(),
    },
    { number: 1, task: 'work', attempt: 1, overrides: null, slot: 0, generation: 0 },
  )
}

/** What an attempt of a handler comes to that does this. */
function outcomeOf(run: (context: AttemptContext) => unknown, context = contextOf()): Outcome | Promise<Outcome> {
  const handler = { task, run: () => run(context) } as unknown as LoadedHandler
  return runAttempt(handler, [], 'null', context)
}

describe('what a handler returns', () => {
  it('may be a promise of another make, whatever its then returns', async () => {
    const foreign = {
      // oxlint-disable-next-line unicorn/no-thenable -- what is tested here
      then(resolve: (value: number) => void) {
        setImmediate(resolve, 7)
        return 'not a promise'
      },
    }
    const outcome = outcomeOf(() => foreign)
    assert.ok(outcome instanceof Promise)
    assert.deepEqual(await outcome, { type: 'succeeded', output: '7' })
  })

  it('counts once, however often it calls back', async () => {
    const fickle = {
      // oxlint-disable-next-line unicorn/no-thenable -- what is tested here
      then(resolve: (value: number) => void, reject: (error: unknown) => void) {
        resolve(1)
        resolve(2)
        reject(new Error('too late'))
      },
    }
    assert.deepEqual(await outcomeOf(() => fickle), { type: 'succeeded', output: '1' })
  })
})

describe('a child', () => {
  it('goes along with a handler that neither waits for it nor for anything', () => {
    const outcome = outcomeOf((context) => void context.enqueue(child, 5))
    assert.ok(!(outcome instanceof Promise) && outcome.type === 'succeeded')
    assert.deepEqual(
      outcome.children?.map(({ task: name, input }) => [name, input]),
      [['child', '5']],
    )
  })

  it('is refused once the attempt has ended, since nothing could bring it along', async () => {
    const context = contextOf()
    await outcomeOf((own) => own.enqueue(child, 1), context)
    context.end()
    await assert.rejects(context.enqueue(child, 2), {
      code: 'MILLRACE_WRONG_STATE',
      message: /the attempt of job abcdef-1 has ended, so that its child child cannot commit with it; expected .*await/,
    })
    await context.enqueue(child, 3, { now: true })
    assert.equal(context.children?.length, 1)
  })
})
