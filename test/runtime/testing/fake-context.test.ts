import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import { z } from 'zod'
import { defineTask, discard, handle, lazy } from '../../../lib/task.ts'
import { fakeContext, perform } from '../../../runtime/testing/index.ts'

const deliver = defineTask<{ photo: string; cursor?: number }, { delivered: number }>({ name: 'feed.deliver' })
const deliverHandler = handle(deliver, async ({ photo, cursor = 0 }, context) => {
  context.progress({ cursor })
  context.log.info('delivering', { photo })
  context.checkpoint()
  if (cursor < 1) await context.enqueue(deliver, { photo, cursor: cursor + 1 }, { priority: 2 })
  await context.enqueue(deliver, { photo: 'now' }, { now: true })
  return { delivered: 10 }
})

describe('fakeContext', () => {
  it('shows what a handler has enqueued, told and logged', async () => {
    const context = fakeContext({ attempt: 3, metadata: { user: 'ada' }, now: 1_000 })
    assert.deepEqual(await perform(deliverHandler, { photo: 'p1' }, context), { delivered: 10 })
    assert.deepEqual(context.enqueued, [
      { task: 'feed.deliver', input: { photo: 'now' }, commits: 'now', options: null },
      { task: 'feed.deliver', input: { photo: 'p1', cursor: 1 }, commits: 'with success', options: { priority: 2 } },
    ])
    assert.deepEqual(context.progressed, [{ cursor: 0 }])
    assert.deepEqual(context.logged, [{ at: 1_000, level: 'info', message: 'delivering', fields: { photo: 'p1' } }])
    assert.deepEqual([context.attempt, context.metadata], [3, { user: 'ada' }])
  })

  it('aborts as a place would', async () => {
    const context = fakeContext()
    assert.equal(context.signal.aborted, false)
    context.abort()
    assert.equal(context.signal.aborted, true)
    await assert.rejects(perform(deliverHandler, { photo: 'p1' }, context), { code: 'MILLRACE_SOFT_LIMIT' })
    const cancelled = fakeContext()
    cancelled.abort('cancel')
    assert.throws(() => cancelled.checkpoint(), { code: 'MILLRACE_JOB_CANCELLED' })
  })

  it('refuses options it does not know, and impossible attempts', () => {
    assert.throws(() => fakeContext({ attempts: 2 } as never), { code: 'MILLRACE_UNKNOWN_OPTION' })
    assert.throws(() => fakeContext().abort('no reason' as never), { code: 'MILLRACE_INVALID_OPTION', path: 'reason' })
    assert.throws(() => fakeContext({ attempt: 0 }), { code: 'MILLRACE_INVALID_OPTION', path: 'attempt' })
  })

  for (const [options, path] of [
    [{ metadata: 5 }, 'metadata'],
    [{ metadata: null }, 'metadata'],
    [{ metadata: { user: 5 } }, 'metadata.user'],
    [{ now: 'x' }, 'now'],
    [{ now: Number.NaN }, 'now'],
    [{ now: 1e300 }, 'now'],
    [{ task: 5 }, 'task'],
    [{ task: null }, 'task'],
    [{ task: 'No Task' }, 'task'],
  ] as const) {
    it(`refuses ${inspect(options)} at once`, () => {
      assert.throws(() => fakeContext(options as never), { code: 'MILLRACE_INVALID_OPTION', path })
    })
  }
})

describe('perform', () => {
  it('passes input and result through schemas and codec, as a runtime would', async () => {
    const grow = defineTask({
      name: 'grow',
      input: z.object({ width: z.number().default(320) }),
      run: ({ width }) => ({ width, left: [1, 2] }),
    })
    assert.deepEqual(await perform(grow, {}), { width: 320, left: [1, 2] })
    await assert.rejects(perform(grow, { width: 'x' } as never), { code: 'MILLRACE_INPUT_INVALID' })
    const opaque = defineTask({ name: 'opaque', run: (_input: null) => ({ at: new Date() }) as never })
    await assert.rejects(perform(opaque, null), { code: 'MILLRACE_OPAQUE_OUTPUT', path: 'output.at' })
    await assert.rejects(perform(deliverHandler, { photo: () => 1 } as never), { code: 'MILLRACE_OPAQUE_INPUT' })
  })

  it('throws what the handler throws, loads what is lazy, and gives back a discard', async () => {
    class Gone extends Error {}
    const failing = handle(deliver, () => {
      throw new Gone('no such photo')
    })
    await assert.rejects(perform(failing, { photo: 'p' }), Gone)
    const late = handle(
      deliver,
      lazy(async () => ({ default: () => ({ delivered: 1 }) })),
    )
    assert.deepEqual(await perform(late, { photo: 'p' }), { delivered: 1 })
    const never = handle(deliver, () => discard('nobody follows'))
    assert.deepEqual(await perform(never, { photo: 'p' }), discard('nobody follows'))
  })

  it('needs no input for a task that has none', async () => {
    const nightly = defineTask({ name: 'nightly', run: (_input: void, { attempt }) => attempt })
    assert.equal(await perform(nightly), 1)
    assert.equal(await perform(nightly, undefined, fakeContext({ attempt: 2 })), 2)
  })

  it('refuses a contract without work', async () => {
    await assert.rejects(async () => perform(deliver, { photo: 'p' }), { code: 'MILLRACE_INVALID_OPTION' })
  })
})
