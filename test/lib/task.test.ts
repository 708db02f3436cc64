import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { z } from 'zod'
import {
  type AnyTask,
  defineTask,
  discard,
  handle,
  isDiscard,
  isSnooze,
  lazy,
  snooze,
  taskManifest,
} from '../../lib/task.ts'
import { refusal } from '../helpers/refusal.ts'

type Options = Parameters<typeof defineTask>[0]

/** What a JavaScript caller may write, whom no compiler warns. */
function defineUnchecked(options: unknown): AnyTask {
  return defineTask(options as Options)
}

describe('defineTask', () => {
  it('fills in every default', () => {
    const task = defineTask({ name: 'photo.thumbnail', run: () => 1 })
    const { retry, ...rest } = taskManifest(task)
    assert.deepEqual(rest, {
      name: 'photo.thumbnail',
      place: { type: 'tier', name: 'default', pinned: false },
      softLimitMs: 20_000,
      hardLimitMs: 30_000,
      priority: 4,
    })
    assert.equal(retry.attempts, 5)
    assert.deepEqual(retry.backoff, { type: 'exponential', firstMs: 1_000, maxMs: 3_600_000, jitter: 'full' })
  })

  it('pins a task to the tier or lane that it names', () => {
    assert.deepEqual(defineTask({ name: 'a', tier: 'default' }).place, { type: 'tier', name: 'default', pinned: true })
    assert.deepEqual(defineTask({ name: 'a', lane: 'network' }).place, { type: 'lane', name: 'network', pinned: true })
  })

  it('keeps what was said', () => {
    const options = { keepResultMs: 1_000, keepHistory: { forMs: 2_000, max: 3 }, keepEndedMs: 4_000 }
    const task = defineTask({
      name: 'a',
      ...options,
      priority: 0,
      softLimitMs: 5,
      hardLimitMs: 5,
      retry: { attempts: 1 },
    })
    const { retry, place: _place, ...rest } = taskManifest(task)
    assert.deepEqual(rest, { name: 'a', ...options, priority: 0, softLimitMs: 5, hardLimitMs: 5 })
    assert.equal(retry.attempts, 1)
  })

  it('keeps retry.when apart from the policy, which must cross to other threads', () => {
    const when = (error: unknown) => error instanceof RangeError
    const task = defineTask({ name: 'a', retry: { attempts: 2, when } })
    assert.equal(task.retryWhen, when)
    assert.ok(!('when' in task.retry))
  })

  it('cannot be changed afterwards', () => {
    const task = defineTask({ name: 'a' })
    assert.throws(() => Object.assign(task, { name: 'b' }), TypeError)
    assert.throws(() => Object.assign(task.place, { name: 'b' }), TypeError)
  })

  for (const name of ['a', '0', 'photo.share', 'a_b-c.d', 'a'.repeat(128)]) {
    it(`accepts the name ${name.slice(0, 20)} of ${name.length} characters`, () => {
      assert.equal(defineTask({ name }).name, name)
    })
  }

  for (const name of ['', 'Photo', '.a', '-a', '_a', 'a b', 'a/b', 'ä', 'a'.repeat(129), 'a\n', 5, undefined, null]) {
    it(`refuses the name ${JSON.stringify(name)?.slice(0, 20)}`, () => {
      assert.throws(() => defineUnchecked({ name }), refusal('MILLRACE_INVALID_OPTION', 'name', 'got', 'expected'))
    })
  }

  const refused: readonly (readonly [object, string, string])[] = [
    [{ tier: 'fast', lane: 'network' }, 'lane', 'or neither'],
    [{ tier: '' }, 'tier', 'the name of a tier'],
    [{ tier: 'Fast' }, 'tier', 'the name of a tier'],
    [{ lane: 5 }, 'lane', 'the name of a lane'],
    [{ lane: null }, 'lane', 'got null'],
    [{ tier: null }, 'tier', 'got null'],
    [{ softLimitMs: 0 }, 'softLimitMs', 'got 0'],
    [{ softLimitMs: 1.5 }, 'softLimitMs', 'got 1.5'],
    [{ softLimitMs: '5' }, 'softLimitMs', 'got "5"'],
    [{ hardLimitMs: Number.NaN }, 'hardLimitMs', 'got NaN'],
    [{ hardLimitMs: Number.POSITIVE_INFINITY }, 'hardLimitMs', 'got Infinity'],
    [{ hardLimitMs: 2 ** 31 }, 'hardLimitMs', 'got 2147483648'],
    [{ hardLimitMs: 19_999 }, 'hardLimitMs', 'at least softLimitMs, which is 20000'],
    [{ softLimitMs: 30_001 }, 'hardLimitMs', 'at least softLimitMs, which is 30001'],
    [{ priority: -1 }, 'priority', 'from 0 to 9'],
    [{ priority: 10 }, 'priority', 'from 0 to 9'],
    [{ priority: null }, 'priority', 'from 0 to 9'],
    [{ keepResultMs: 0 }, 'keepResultMs', 'got 0'],
    [{ keepResultMs: 1e15 }, 'keepResultMs', 'got 1000000000000000'],
    [{ keepEndedMs: -1 }, 'keepEndedMs', 'got -1'],
    [{ keepHistory: 5 }, 'keepHistory', 'an object'],
    [{ keepHistory: { forMs: 5 } }, 'keepHistory.max', 'got undefined'],
    [{ keepHistory: { max: 5 } }, 'keepHistory.forMs', 'got undefined'],
    [{ keepHistory: { forMs: 5, max: 0 } }, 'keepHistory.max', 'got 0'],
    [{ retry: 3 }, 'retry', 'got 3, expected an object'],
    [{ retry: 0 }, 'retry', 'an object'],
    [{ retry: true }, 'retry', 'an object'],
    [{ retry: false }, 'retry', 'an object'],
    [{ retry: null }, 'retry', 'got null'],
    [{ retry: [] }, 'retry', 'an object'],
    [{ retry: { when: 'always' } }, 'retry.when', 'a function'],
    [{ retry: { attempts: 0 } }, 'retry.attempts', 'attempts'],
    [{ run: 'work' }, 'run', 'a function'],
    [{ input: {} }, 'input', 'Standard Schema'],
    [{ input: null }, 'input', 'Standard Schema'],
    [{ output: () => true }, 'output', 'Standard Schema'],
  ]
  for (const [options, path, word] of refused) {
    it(`refuses ${inspect(options)} with the path ${path}`, () => {
      assert.throws(() => defineUnchecked({ name: 'a', ...options }), refusal('MILLRACE_INVALID_OPTION', path, word))
    })
  }

  it('refuses an option that it does not know, and names the nearest', () => {
    const misspelled = { name: 'a', softLimitMS: 5 }
    const expected = refusal('MILLRACE_UNKNOWN_OPTION', 'softLimitMS', 'did you mean softLimitMs?')
    assert.throws(() => defineUnchecked(misspelled), expected)
  })

  it('refuses an unknown option inside of one with its whole path', () => {
    const options = { name: 'a', keepHistory: { forMs: 5, max: 5, maxx: 5 } }
    assert.throws(
      () => defineUnchecked(options),
      refusal('MILLRACE_UNKNOWN_OPTION', 'keepHistory.maxx', 'mean keepHistory.max?'),
    )
  })

  for (const options of [undefined, null, 'photo.thumbnail']) {
    it(`refuses ${options} in place of its options`, () => {
      assert.throws(() => defineUnchecked(options), refusal('MILLRACE_INVALID_OPTION', 'options', 'an object'))
    })
  }

  it('accepts limits exactly where the hard one is not below the soft one', () => {
    const limit = fc.integer({ min: 1, max: 100 })
    fc.assert(
      fc.property(limit, limit, (softLimitMs, hardLimitMs) => {
        const define = () => defineTask({ name: 'a', softLimitMs, hardLimitMs })
        if (hardLimitMs < softLimitMs) assert.throws(define, refusal('MILLRACE_INVALID_OPTION', 'hardLimitMs'))
        else assert.equal(define().hardLimitMs, hardLimitMs)
      }),
    )
  })

  it('keeps schemas, those of libraries whose schemas are functions too', () => {
    const schema = z.object({ file: z.string() })
    const callable = Object.assign(() => undefined, { '~standard': schema['~standard'] })
    assert.equal(defineTask({ name: 'a', input: schema }).input, schema)
    assert.equal(defineUnchecked({ name: 'a', output: callable }).output, callable as never)
  })
})

describe('taskManifest', () => {
  it('can be cloned to another thread, while the task itself cannot', () => {
    const task = defineTask({ name: 'a', retry: { when: () => true }, run: () => 1, output: z.number() })
    assert.deepEqual(structuredClone(taskManifest(task)), taskManifest(task))
    assert.throws(() => structuredClone(task), { name: 'DataCloneError' })
  })
})

describe('snooze and discard', () => {
  it('are told from results, and from look-alikes', () => {
    assert.ok(isSnooze(snooze(5)))
    assert.ok(isDiscard(discard('late')))
    assert.ok(!isSnooze(discard('late')))
    assert.ok(!isDiscard(snooze(5)))
    for (const result of [{ delayMs: 5 }, { reason: 'late' }, null, undefined, 5, () => 5]) {
      assert.ok(!isSnooze(result) && !isDiscard(result))
    }
  })

  it('carry whole milliseconds and the reason', () => {
    assert.equal(snooze(0).delayMs, 0)
    assert.equal(snooze(1.2).delayMs, 2)
    assert.equal(discard('late').reason, 'late')
  })

  for (const ms of [-1, Number.NaN, Number.POSITIVE_INFINITY, 1e15, '5', undefined]) {
    it(`refuses to snooze for ${ms}`, () => {
      assert.throws(
        () => snooze(ms as number),
        refusal('MILLRACE_INVALID_OPTION', 'snooze', `got ${typeof ms === 'string' ? JSON.stringify(ms) : ms}`),
      )
    })
  }

  it('refuses to discard without a reason', () => {
    assert.throws(() => discard(''), refusal('MILLRACE_INVALID_OPTION', 'discard'))
    assert.throws(() => discard(undefined as never), refusal('MILLRACE_INVALID_OPTION', 'discard', 'got undefined'))
  })
})

describe('handle', () => {
  const deliver = defineTask<{ photo: string }, number>({ name: 'feed.deliver' })

  it('gives the function of a handler at once', () => {
    const run = async () => 5
    assert.equal(handle(deliver, run).load(), run)
  })

  it('loads a lazy handler only when it is asked for', async () => {
    let loads = 0
    const run = async () => 5
    const handler = handle(
      deliver,
      lazy(async () => {
        loads++
        return { default: run }
      }),
    )
    assert.equal(loads, 0)
    assert.equal(await handler.load(), run)
    assert.equal(loads, 1)
  })

  it('rejects when a lazy module has no function as its default export', async () => {
    const handler = handle(
      deliver,
      lazy(async () => ({ default: 'work' as never })),
    )
    await assert.rejects(
      async () => handler.load(),
      refusal('MILLRACE_TASKS_MODULE', undefined, 'feed.deliver', 'got "work"'),
    )
  })

  it('rejects, and does not throw, when a lazy loader throws', async () => {
    const broken = () => {
      throw new RangeError('no module')
    }
    const loading = handle(deliver, lazy(broken)).load()
    assert.ok(loading instanceof Promise)
    await assert.rejects(loading, RangeError)
  })

  it('refuses what is no task, no function and no lazy handler', () => {
    const wrong = { name: 'feed.deliver' } as unknown as typeof deliver
    assert.throws(() => handle(wrong, async () => 5), refusal('MILLRACE_INVALID_OPTION', 'handle', 'defineTask'))
    assert.throws(() => handle(deliver, 5 as never), refusal('MILLRACE_INVALID_OPTION', 'handle(feed.deliver)'))
    assert.throws(() => lazy('./report.js' as never), refusal('MILLRACE_INVALID_OPTION', 'lazy', 'a function'))
  })
})
