import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Worker } from 'node:worker_threads'
import { EventEmitter } from 'eventemitter3'
import { assertNoLeak, leakCheck, resources } from './helpers/leak-check.ts'
import { nextEvent } from './helpers/next-event.ts'

describe('helpers of these tests', () => {
  it('notice a thread and a timer that stay alive', async (test) => {
    leakCheck(test)
    const before = resources()
    const worker = new Worker('setInterval(() => {}, 1_000)', { eval: true })
    const timer = setTimeout(() => {}, 10_000)
    await assert.rejects(assertNoLeak(before, 20), (error: assert.AssertionError) => {
      for (const kind of ['1 × Worker', '1 × Timeout']) assert.ok((error.actual as string[]).includes(kind))
      return true
    })
    clearTimeout(timer)
    await worker.terminate()
    await assertNoLeak(before)
  })

  it('wait for an event, or name the one that did not come', async (test) => {
    leakCheck(test)
    const emitter = new EventEmitter<{ 'job.done': (event: { readonly id: number }) => void }>()
    const second = nextEvent(emitter, 'job.done', { where: ({ id }) => id === 2 })
    emitter.emit('job.done', { id: 1 })
    emitter.emit('job.done', { id: 2 })
    assert.deepEqual(await second, { id: 2 })
    const third = nextEvent(emitter, 'job.done', { where: ({ id }) => id === 3, timeoutMs: 5 })
    emitter.emit('job.done', { id: 1 })
    await assert.rejects(third, { message: "no 'job.done' within 5 ms; 1 came that did not match" })
    assert.equal(emitter.listenerCount('job.done'), 0)
  })
})
