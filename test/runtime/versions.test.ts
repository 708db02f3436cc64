import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { defineTask, type MillraceError } from '../../runtime/index.ts'
import { greet } from '../fixtures/versioned-tasks.ts'
import { nextEvent } from '../helpers/next-event.ts'
import { scratchFolder } from '../helpers/scratch.ts'
import { startRuntime } from '../helpers/start-runtime.ts'

/** The same tasks as in the fixture, as services of other versions know them. */
const upgrade = (input: unknown) => input as never
const greets = {
  1: defineTask<string, string>({ name: 'greet', keepResultMs: 60_000 }),
  2: defineTask<{ name: string | number }, string>({ name: 'greet', version: 2, upgrade, keepResultMs: 60_000 }),
  4: defineTask<{ no: string }, string>({ name: 'greet', version: 4, upgrade, keepResultMs: 60_000 }),
}
const plains = {
  1: defineTask<string, string>({ name: 'plain' }),
  2: defineTask<readonly string[], string>({ name: 'plain', version: 2, upgrade }),
  9: defineTask<string, string>({ name: 'plain', version: 9, upgrade }),
}

const tasks = new URL('../fixtures/versioned-tasks.js', import.meta.url)

describe('the version of a task', () => {
  it('has inputs of older versions upgraded before the schema sees them', async (t) => {
    const runtime = await startRuntime(t, { tasks })
    const first = await runtime.enqueue(greets[1], 'Ada Lovelace')
    const second = await runtime.enqueue(greets[2], { name: 'Mary Somerville' }, { metadata: { a: 'b' } })
    assert.equal(await first.result({ timeoutMs: 10_000 }), 'hello Ada Lovelace')
    assert.equal(await second.result({ timeoutMs: 10_000 }), 'hello Mary Somerville')
  })

  it('is remembered with the job, so that an input of its own version is left alone', async (t) => {
    const runtime = await startRuntime(t, { tasks })
    const old = await runtime.enqueue(plains[1], 'x')
    const present = await runtime.enqueue(plains[2], ['y'])
    assert.equal(await old.result({ timeoutMs: 10_000 }), 'x of 1')
    assert.equal(await present.result({ timeoutMs: 10_000 }), 'y')
  })

  it('is what another input is checked for, where this process knows the task in that version', async (t) => {
    const runtime = await startRuntime(t, { tasks })
    const later = { delayMs: 600_000 }
    const old = await runtime.enqueue(greets[1], 'Ada Lovelace', later)
    const present = await runtime.enqueue(greet, { given: 'Mary', family: 'Somerville' }, later)
    await assert.rejects(present.reschedule({ input: { given: 'Ada' } }), {
      name: 'MillraceError',
      code: 'MILLRACE_INPUT_INVALID',
      path: 'input.family',
    })
    assert.deepEqual((await present.record()).input, { given: 'Mary', family: 'Somerville' })
    await present.reschedule({ input: { given: 'Ada', family: 'Byron' }, delayMs: 0 })
    await old.reschedule({ input: 'Augusta King', delayMs: 0 })
    assert.equal(await present.result({ timeoutMs: 10_000 }), 'hello Ada Byron')
    assert.equal(await old.result({ timeoutMs: 10_000 }), 'hello Augusta King')
  })

  it('is not asked of a task that this process has only run on threads, until it runs', async (t) => {
    const file = join(scratchFolder(), 'jobs.db')
    const before = await startRuntime(t, { tasks, journal: { file } })
    const input = { given: 'Mary', family: 'Somerville' }
    const { id } = await before.enqueue(greet, input, { delayMs: 600_000 })
    await before.stop()
    const lanes = { network: { threads: 1 } }
    const job = (await startRuntime(t, { tasks, lanes, journal: { file } })).job(id)
    await job.reschedule({ input: { given: 'Ada' }, delayMs: 0 })
    await assert.rejects(job.result({ timeoutMs: 10_000 }), { code: 'MILLRACE_INPUT_INVALID' })
    assert.equal((await job.record()).state, 'dead')
  })

  it('is that of the last input where a debounced job was put off', async (t) => {
    const runtime = await startRuntime(t, { tasks })
    const [up, down] = ['up', 'down'].map((key) => ({ key: { key, debounceMs: 1_000 } }))
    const first = await runtime.enqueue(plains[1], 'old', up)
    await runtime.enqueue(plains[2], ['new'], up)
    const second = await runtime.enqueue(plains[2], ['new'], { ...down, metadata: { a: 'b' } })
    await runtime.enqueue(plains[1], 'old', down)
    assert.equal(await first.result({ timeoutMs: 10_000 }), 'new')
    assert.equal(await second.result({ timeoutMs: 10_000 }), 'old of 1')
  })

  it('makes a job dead whose input cannot be upgraded, at once', async (t) => {
    const runtime = await startRuntime(t, { tasks })
    const job = await runtime.enqueue(greets[2], { name: 5 })
    await assert.rejects(job.result({ timeoutMs: 10_000 }), (error: MillraceError) => {
      assert.equal(error.code, 'MILLRACE_INPUT_INVALID')
      assert.match(error.message, /from version 2 to 3: there is no name in it/)
      return true
    })
    assert.equal((await job.record()).attempts, 1)
  })

  for (const [where, newer, input] of [
    ['a thread', greets[4], { no: 'field that is known here' }],
    ['the loop', plains[9], 'x'],
  ] as const) {
    it(`lets a job that is too new for ${where} wait, uncharged, and says why`, async (t) => {
      const runtime = await startRuntime(t, { tasks })
      const snoozed = nextEvent(runtime, 'job.snoozed')
      const job = await runtime.enqueue(newer as (typeof greets)[4], input as never)
      await snoozed
      const record = await job.record()
      assert.equal(record.state, 'scheduled')
      assert.equal(record.attempts, 0)
      assert.ok((record.dueAt as number) - record.createdAt >= 30_000)
      assert.match(record.history[0]?.log?.[0]?.message ?? '', /has version \d, which is too new/)
    })
  }
})
