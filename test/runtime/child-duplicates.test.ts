import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inProcess, keyed, onLane, onThread } from '../fixtures/keyed-tasks.ts'
import { startRuntime } from '../helpers/start-runtime.ts'

const SOON = { timeout: 20_000 }

function start(test: { after(clean: () => unknown): unknown }) {
  return startRuntime(test, {
    tasks: new URL('../fixtures/keyed-tasks.js', import.meta.url),
    tiers: { default: { threads: 1 }, heavy: { processes: 1 } },
  })
}

describe('a child whose key another job has', () => {
  for (const [where, parent] of Object.entries({
    'on a thread': onThread,
    'on a lane': onLane,
    'in a process': inProcess,
  })) {
    it(`gets the id of that one from an attempt ${where} that commits it at once`, SOON, async (test) => {
      const runtime = await start(test)
      const { id } = await runtime.enqueue(keyed, { value: 0, waits: 'yes' }, { key: 'k' })
      const ids = await (await runtime.enqueue(parent, { key: 'k', commits: 'now', waits: 'yes' })).result()
      assert.deepEqual(ids, [id, id])
    })
  }

  it('leads to that one when it commits with the success of its parent, whatever is asked', SOON, async (test) => {
    const runtime = await start(test)
    const parent = await runtime.enqueue(onThread, { key: 'k', commits: 'with success', waits: 'yes' })
    const [first, second] = await parent.result()
    const handle = runtime.job(second)
    assert.equal((await handle.record()).id, first)
    assert.equal((await runtime.explain(second)).id, first)
    const result = handle.result()
    assert.notEqual(await handle.cancel(), 'ended')
    await assert.rejects(result, { code: 'MILLRACE_JOB_CANCELLED' })
    await handle.retry()
    assert.notEqual((await runtime.job(first).record()).state, 'cancelled')
    assert.notEqual(await handle.cancel(), 'ended')
    await assert.rejects(handle.result(), { code: 'MILLRACE_JOB_CANCELLED' })
    await handle.remove()
    await assert.rejects(runtime.job(first).record(), { code: 'MILLRACE_JOB_NOT_FOUND' })
  })

  it('has the result of that one', SOON, async (test) => {
    const runtime = await start(test)
    const parent = await runtime.enqueue(onThread, { key: 'k', commits: 'with success', waits: 'no' })
    const ids = await parent.result()
    for (const id of ids) assert.equal(await runtime.job(id).result(), 1)
    assert.equal(await runtime.job(ids[1]).cancel(), 'ended')
  })

  it('is put off with that one', SOON, async (test) => {
    const runtime = await start(test)
    const { id } = await runtime.enqueue(keyed, { value: 0, waits: 'no' }, { key: 'k', delayMs: 600_000 })
    const parent = await runtime.enqueue(onThread, { key: 'k', commits: 'with success', waits: 'no' })
    const [child] = await parent.result()
    await runtime.job(child).reschedule({ delayMs: 1_200_000 })
    const { dueAt, createdAt } = await runtime.job(id).record()
    assert.ok((dueAt as number) - createdAt > 900_000)
  })
})
