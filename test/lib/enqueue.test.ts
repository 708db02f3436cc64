import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { z } from 'zod'
import { type PreparedJob, prepareJob, prepareReschedule } from '../../lib/enqueue.ts'
import type { StandardSchemaV1 } from '../../lib/schema.ts'
import { type AnyTask, defineTask, type EnqueueOptions, handle } from '../../lib/task.ts'

const NOW = 1_700_000_000_000
const task = defineTask<{ id: number }>({ name: 'a.b' })
const urgent = defineTask<{ id: number }>({ name: 'urgent', priority: 9 })

/** What a JavaScript caller may write, whom no compiler warns. */
function prepare(options?: unknown, of: Parameters<typeof prepareJob>[0] = task): PreparedJob {
  const job = prepareJob(of, { id: 1 }, options as EnqueueOptions | undefined, { now: () => NOW })
  assert.ok(!(job instanceof Promise))
  return job
}

describe('a job that is enqueued', () => {
  it('is a name and a text, and mostly nothing else', () => {
    assert.deepEqual(prepare(), { task: 'a.b', input: '{"id":1}', extra: null })
    assert.equal(prepare({}).extra, null)
    assert.equal(prepare({ priority: 4, delayMs: 0 }).extra, null)
  })

  it('has the priority of its task, unless it says another', () => {
    assert.deepEqual(prepare(undefined, urgent).extra, { priority: 9 })
    assert.deepEqual(prepare({ key: 'k' }, urgent).extra, { priority: 9, key: 'k' })
    assert.equal(prepare({ priority: 4 }, urgent).extra, null)
  })

  it('is due in whole milliseconds, never earlier than was asked', () => {
    assert.deepEqual(prepare({ delayMs: 0.25 }).extra, { dueAt: NOW + 1 })
    assert.deepEqual(prepare({ runAt: NOW + 5 }).extra, { dueAt: NOW + 5 })
    assert.deepEqual(prepare({ runAt: NOW + 0.4 }).extra, { dueAt: NOW + 1 })
    assert.deepEqual(prepareReschedule({ runAt: NOW + 0.4 }, NOW), { dueAt: NOW + 1 })
    assert.deepEqual(prepare({ expiresAt: NOW + 5.6 }).extra, { expiresAt: NOW + 5 }, 'and never starts later')
  })

  it('may be due until just before it expires, or have expired already where it is due at once', () => {
    const soon = { dueAt: NOW + 999, expiresAt: NOW + 1_000 }
    assert.deepEqual(prepare({ delayMs: 999, expiresAt: NOW + 1_000 }).extra, soon)
    assert.deepEqual(prepare({ runAt: NOW + 999, expiresAt: NOW + 1_000 }).extra, soon)
    assert.deepEqual(prepare({ expiresAt: NOW - 5 }).extra, { expiresAt: NOW - 5 })
    assert.deepEqual(prepare({ delayMs: 0, expiresAt: NOW - 5 }).extra, { expiresAt: NOW - 5 })
    const fresh = defineTask<{ id: number }>({ name: 'fresh', useByMs: 5 })
    const bounded = { dueAt: NOW + 60_000, expiresAt: NOW + 60_005, useByMs: 5 }
    assert.deepEqual(prepare({ delayMs: 60_000 }, fresh).extra, bounded, 'counted from when it may start')
  })

  it('has a key until it has ended, or for a window of whole milliseconds', () => {
    assert.deepEqual(prepare({ key: 'k' }).extra, { key: 'k' })
    assert.deepEqual(prepare({ key: { key: 'k', scope: 'unfinished' } }).extra, { key: 'k' })
    assert.deepEqual(prepare({ key: { key: 'k', scope: 1.5 } }).extra, { key: 'k', keyWindowMs: 2 })
    assert.deepEqual(prepare({ key: { key: 'k', throttleMs: 1.5 } }).extra, { key: 'k', keyWindowMs: 2 })
    const { dueAt, ...debounced } = prepare({ key: { key: 'k', debounceMs: 500 } }).extra as { dueAt: number }
    assert.deepEqual(
      [dueAt - (prepare({ delayMs: 1 }).extra?.dueAt as number), debounced],
      [499, { key: 'k', debounce: 'yes' }],
    )
    assert.deepEqual(prepare({ key: 'x'.repeat(512) }).extra, { key: 'x'.repeat(512) })
  })

  it('takes its policy over that of its task part by part, and stores it whole', () => {
    const { extra } = prepare({ retry: { attempts: 2 }, softLimitMs: 5, metadata: { user: '7' } })
    assert.deepEqual(JSON.parse(extra?.overrides ?? ''), {
      retry: { ...task.retry, attempts: 2 },
      softLimitMs: 5,
      metadata: { user: '7' },
    })
  })

  it('is as it was when it was enqueued, whatever becomes of the input while a schema takes its time', async () => {
    const later = (issues?: []): StandardSchemaV1<{ id: string }> => ({
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: async (value) => (issues ? { issues } : { value }) as never,
      },
    })
    const input = { id: 'as enqueued' }
    const job = prepareJob(defineTask({ name: 'a.b', input: later() }), input, undefined, { now: () => NOW })
    input.id = 'changed since'
    assert.equal((await job).input, '{"id":"as enqueued"}')
    const opaque = (task: AnyTask) => prepareJob(task, { id: () => 1 }, undefined, { now: () => NOW })
    await assert.rejects(async () => opaque(defineTask({ name: 'a.b', input: later() })), {
      code: 'MILLRACE_OPAQUE_INPUT',
    })
    await assert.rejects(async () => opaque(defineTask({ name: 'a.b', input: later([]) })), {
      code: 'MILLRACE_INPUT_INVALID',
    })
  })

  it('stores what it was given, and not what the schema makes of it', () => {
    const input = z.object({ width: z.string().regex(/^\d+$/).transform(Number) })
    const sized = defineTask({ name: 'sized', input, run: () => undefined })
    const job = prepareJob(sized, { width: '320' }, undefined, { now: () => NOW }) as PreparedJob
    assert.equal(job.input, '{"width":"320"}')
    assert.throws(() => prepareJob(sized, { width: 'wide' }, undefined, { now: () => NOW }), {
      code: 'MILLRACE_INPUT_INVALID',
      path: 'input.width',
    })
  })

  it('is what its caller has given also where the schema changes it in place', async () => {
    const defaulting = (answer: (value: unknown) => unknown): StandardSchemaV1<{ by: string; id?: number }> => ({
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value) => answer({ value: Object.assign(value as object, { id: 7 }) }) as never,
      },
    })
    for (const answer of [(result: unknown) => result, async (result: unknown) => result]) {
      const filled = defineTask({
        name: 'filled',
        input: defaulting(answer),
        concurrency: { limit: 1, by: ({ id }) => `${id}` },
        run: () => undefined,
      })
      const job = await prepareJob(filled, { by: 'me' }, undefined, { now: () => NOW })
      assert.equal(job.input, '{"by":"me"}')
      assert.match(JSON.stringify(job.extra?.part), /undefined/)
    }
  })

  it('waits for a schema that answers later', async () => {
    const schema: StandardSchemaV1<number> = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: async (value) => (value === 1 ? { value } : { issues: [{ message: 'only 1' }] }),
      },
    }
    const slow = defineTask({ name: 'slow', input: schema, run: () => undefined })
    assert.equal((await prepareJob(slow, 1, undefined, { now: () => NOW })).input, '1')
    await assert.rejects(async () => prepareJob(slow, 2, undefined, { now: () => NOW }), {
      code: 'MILLRACE_INPUT_INVALID',
    })
  })
})

describe('a job that is refused', () => {
  const bad: readonly (readonly [options: unknown, path: string, code?: string])[] = [
    [null, 'options'],
    [{ prio: 5 }, 'prio', 'MILLRACE_UNKNOWN_OPTION'],
    [{ priority: 10 }, 'priority'],
    [{ priority: null }, 'priority'],
    [{ delayMs: -1 }, 'delayMs'],
    [{ delayMs: '5' }, 'delayMs'],
    [{ delayMs: 1, runAt: NOW }, 'runAt'],
    [{ runAt: new Date(NOW) }, 'runAt'],
    [{ runAt: Number.POSITIVE_INFINITY }, 'runAt'],
    [{ expiresAt: -1 }, 'expiresAt'],
    [{ expiresAt: 8.64e15 }, 'expiresAt'],
    [{ key: '' }, 'key'],
    [{ key: null }, 'key'],
    [{ key: 5 }, 'key'],
    [{ key: 'x'.repeat(513) }, 'key'],
    [{ key: 'half a pair \ud800' }, 'key'],
    [{ key: { key: 'k', scop: 5 } }, 'key.scop', 'MILLRACE_UNKNOWN_OPTION'],
    [{ key: { key: 'k' } }, 'key.scope'],
    [{ key: { key: 'k', scope: -1 } }, 'key.scope'],
    [{ key: { key: 'k', throttleMs: -1 } }, 'key.throttleMs'],
    [{ key: { key: 'k', debounceMs: Number.NaN } }, 'key.debounceMs'],
    [{ key: { key: 'k', debounceMs: 1, scope: 'unfinished' } }, 'key.scope'],
    [{ key: { key: 'k', debounceMs: 1 }, delayMs: 5 }, 'key.debounceMs'],
    [{ key: { key: 'k', debounceMs: 1 }, delayMs: null }, 'key.debounceMs'],
    // It could do nothing but expire.
    [{ delayMs: 60_000, expiresAt: NOW + 1_000 }, 'delayMs'],
    [{ delayMs: 1_000, expiresAt: NOW + 1_000 }, 'delayMs'],
    [{ delayMs: 999.5, expiresAt: NOW + 1_000.5 }, 'delayMs'],
    [{ runAt: NOW + 60_000, expiresAt: NOW + 1_000 }, 'runAt'],
    [{ runAt: NOW - 1, expiresAt: NOW - 2 }, 'runAt'],
    [{ key: { key: 'k', debounceMs: 1_000 }, expiresAt: NOW + 1_000 }, 'key.debounceMs'],
    [{ retry: { attempts: 0 } }, 'retry.attempts'],
    [{ softLimitMs: Number.NaN }, 'softLimitMs'],
    [{ hardLimitMs: null }, 'hardLimitMs'],
    [{ hardLimitMs: 0 }, 'hardLimitMs'],
    [{ softLimitMs: 500, hardLimitMs: 200 }, 'hardLimitMs'],
    // Beside those of the task.
    [{ softLimitMs: 30_001 }, 'hardLimitMs'],
    [{ hardLimitMs: 19_999 }, 'hardLimitMs'],
    [{ softLimitMs: 2 ** 31 }, 'softLimitMs'],
    [[], 'options'],
    [{ metadata: null }, 'metadata'],
    [{ metadata: 'text' }, 'metadata'],
    [{ metadata: ['text'] }, 'metadata'],
    [{ metadata: new Map([['a', 'text']]) }, 'metadata'],
    [{ metadata: { a: 5 } }, 'metadata.a'],
    [{ metadata: { a: 'é'.repeat(10_000) } }, 'metadata'],
  ]
  it('says what a key may be where it is none', () => {
    assert.throws(() => prepare({ key: ['a'] }), { path: 'key', message: /got an array, expected 1 to 512 characters/ })
    assert.throws(() => prepare({ key: { key: 'k', scope: 'unfinshed' } }), {
      path: 'key.scope',
      message: /got "unfinshed", expected 'unfinished', or milliseconds/,
    })
  })

  for (const [options, path, code = 'MILLRACE_INVALID_OPTION'] of bad) {
    it(`says which option it was: ${JSON.stringify(options)?.slice(0, 60)}`, () => {
      assert.throws(() => prepare(options), { code, path })
    })
  }

  for (const stranger of [null, 'a.b', {}, { name: 'a.b' }, handle(task, () => undefined)]) {
    it(`is of no task: ${typeof stranger} ${JSON.stringify(stranger)?.slice(0, 40)}`, () => {
      assert.throws(() => prepare(undefined, stranger as never), { code: 'MILLRACE_INVALID_OPTION', path: 'task' })
    })
  }

  it('says which part of the input it was', () => {
    assert.throws(() => prepareJob(task, { id: 1n }, undefined, { now: () => NOW }), {
      code: 'MILLRACE_OPAQUE_INPUT',
      path: 'input.id',
    })
  })
})
