import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { prepareJob, type PreparedJob } from '../../lib/enqueue.ts'
import { keyIn, type LimitOptions, limitsOf } from '../../lib/limits.ts'
import { defineTask, taskManifest } from '../../lib/task.ts'

interface Input {
  readonly user: string | number
}

const user = (input: Input) => input.user

function partOf(options: LimitOptions<Input>, input: Input): string | undefined {
  return (
    prepareJob(defineTask<Input>({ name: 'task', ...options }), input, undefined, { now: () => 0 }) as PreparedJob
  ).extra?.part
}

describe('limits', () => {
  it('cross threads as numbers, without the functions that name keys', () => {
    const task = defineTask<Input>({
      name: 'task',
      concurrency: { limit: 2, by: user },
      rate: { limit: 10, perMs: 1_000 },
      fair: { by: (input) => input.user },
    })
    const { limits } = structuredClone(taskManifest(task))
    assert.deepEqual(limits, {
      concurrency: { limit: 2, by: 'c' },
      rate: { limit: 10, perMs: 1_000, burst: 0 },
      fair: { by: 'f' },
    })
  })

  it('that go by the same function have one key', () => {
    const { limits } = limitsOf({
      concurrency: { limit: 2, by: user },
      rate: { limit: 1, perMs: 1, by: user },
      fair: { by: user },
    })
    assert.deepEqual([limits?.concurrency?.by, limits?.rate?.by, limits?.fair?.by], ['c', 'c', 'c'])
  })

  it('are absent where none are given, and no key is named then', () => {
    assert.equal('limits' in taskManifest(defineTask<Input>({ name: 'task' })), false)
    assert.equal(partOf({}, { user: 'a' }), undefined)
    assert.equal(partOf({ concurrency: { limit: 2 } }, { user: 'a' }), undefined)
  })

  for (const [path, options] of [
    ['concurrency', { concurrency: null }],
    ['concurrency.limit', { concurrency: { limit: 0 } }],
    ['concurrency.by', { concurrency: { limit: 1, by: 'user' } }],
    ['concurrency.per', { concurrency: { limit: 1, per: 'user' } }],
    ['rate.limit', { rate: { limit: 1.5, perMs: 1 } }],
    ['rate.perMs', { rate: { limit: 1, perMs: 0 } }],
    ['rate.perMs', { rate: { limit: 1, perMs: 1e12 } }],
    ['rate.burst', { rate: { limit: 1, perMs: 1, burst: -1 } }],
    ['fair.by', { fair: {} }],
    ['maxWaiting', { maxWaiting: 5 }],
    ['maxWaiting.limit', { maxWaiting: { limit: 0, beyond: 'wait' } }],
    ['maxWaiting.beyond', { maxWaiting: { limit: 1 } }],
    ['useByMs', { useByMs: 0 }],
  ] as const) {
    it(`are refused where ${path} is no use: ${JSON.stringify(options)}`, () => {
      assert.throws(() => defineTask({ name: 'task', ...(options as object) }), { path, name: 'MillraceError' })
    })
  }
})

describe('the keys of a job', () => {
  it('are named at enqueue, equal for equal inputs and different for others', () => {
    const key = fc.oneof(
      fc.string({ maxLength: 128 }),
      fc.integer(),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
    )
    fc.assert(
      fc.property(key, key, (one, other) => {
        const of = (value: string | number) => partOf({ fair: { by: user } }, { user: value }) as string
        assert.equal(of(one), of(one))
        assert.equal(of(one) === of(other), one === other || JSON.stringify(one) === JSON.stringify(other))
        assert.equal(keyIn(of(one), 'f'), JSON.stringify(one))
      }),
    )
  })

  it('are not there in what was stored without them, or by somebody else', () => {
    for (const part of [null, '{}', 'null', '17', '{"x":1}', '{', ''])
      assert.equal(keyIn(part, 'c'), undefined, String(part))
  })

  for (const [what, by] of [
    ['throws', () => assert.fail('no such user')],
    ['returns nothing', () => undefined],
    ['returns an object', () => ({})],
    ['returns no number', () => Number.NaN],
    ['returns a promise', () => Promise.resolve('a')],
    ['returns a text that is too long', () => 'x'.repeat(129)],
  ] as const) {
    it(`refuse the enqueue where their function ${what}`, () => {
      assert.throws(() => partOf({ concurrency: { limit: 1, by: by as never } }, { user: 'a' }), {
        code: 'MILLRACE_INVALID_OPTION',
        path: 'concurrency.by',
      })
    })
  }
})
