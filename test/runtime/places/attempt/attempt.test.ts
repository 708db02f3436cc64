import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { PermanentError } from '../../../../lib/errors.ts'
import type { Outcome } from '../../../../lib/outcome.ts'
import { type AnyTask, defineTask, type LoadedHandler } from '../../../../lib/task.ts'
import type { StandardSchemaV1 } from '../../../../lib/schema.ts'
import { runAttempt } from '../../../../runtime/places/attempt/attempt.ts'
import { AttemptContext } from '../../../../runtime/places/attempt/attempt-context.ts'

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
      enqueueNow: (_task, number) => Promise.resolve(number),
    },
    { number: 1, task: 'work', attempt: 1, overrides: null, slot: 0, generation: 0 },
  )
}

/** What an attempt of a handler comes to that does this. */
function outcomeOf(
  run: (context: AttemptContext) => unknown,
  context = contextOf(),
  of: AnyTask = task,
): Outcome | Promise<Outcome> {
  const handler = { task: of, run: () => run(context) } as unknown as LoadedHandler
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

  it("is checked by the task's schema also where it is nothing", async () => {
    const validate = (value: unknown) => (value === undefined ? { issues: [{ message: 'want a number' }] } : { value })
    const output: StandardSchemaV1<number> = { '~standard': { version: 1, vendor: 'test', validate } as never }
    const strict = defineTask({ name: 'strict', output })
    const outcome = await outcomeOf(() => undefined, contextOf(), strict)
    assert.ok(outcome.type === 'failed')
    assert.deepEqual([outcome.error.code, outcome.retry], ['MILLRACE_OUTPUT_INVALID', 'never'])
  })

  it('may be whatever throws when it is looked at', async () => {
    const hostile = new Proxy(
      {},
      {
        get(_target, name) {
          if (name === 'then') return undefined
          throw new Error('do not look')
        },
      },
    )
    assert.equal((await outcomeOf(async () => hostile)).type, 'failed')
  })
})

describe('a PermanentError', () => {
  it('rules out another attempt, whichever copy of the package has made it', async () => {
    const { href } = new URL('../../../../lib/errors.js', import.meta.url)
    const other = (await import(`${href}?copy`)) as typeof import('../../../../lib/errors.ts')
    assert.notEqual(other.PermanentError, PermanentError)
    for (const Permanent of [PermanentError, other.PermanentError]) {
      const outcome = await outcomeOf(() => {
        throw new Permanent('for good')
      })
      assert.ok(outcome.type === 'failed')
      assert.deepEqual([outcome.retry, outcome.error.fields], ['never', undefined])
    }
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

  it('is refused where it is not clear when it shall commit', async () => {
    const now = 'yes' as unknown as true
    await assert.rejects(contextOf().enqueue(child, 1, { now }), { code: 'MILLRACE_INVALID_OPTION', path: 'now' })
  })

  for (const options of [5_000, true, null, [], 'later']) {
    it(`is refused with ${JSON.stringify(options)} for its options, instead of enqueued without`, async () => {
      const context = contextOf()
      await assert.rejects(context.enqueue(child, 1, options as never), {
        code: 'MILLRACE_INVALID_OPTION',
        path: 'options',
      })
      assert.equal(context.children, undefined)
    })
  }
})
