import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { echo, laneEcho } from '../fixtures/tasks.ts'
import { startRuntime } from '../helpers/start-runtime.ts'

describe('idle', () => {
  it('resolves when nothing runs and every settle is committed and told', async (test) => {
    const runtime = await startRuntime(test)
    let succeeded = 0
    runtime.on('job.succeeded', () => succeeded++)
    let enqueued = 0
    for (let round = 0; round < 200; round++) {
      const inputs = Array.from({ length: 1 + ((round * 37) % 500) }, (_, value) => ({ value }))
      enqueued += (await runtime.enqueueMany(round % 2 === 0 ? echo : laneEcho, inputs)).enqueued
      await runtime.idle()
      assert.equal(succeeded, enqueued, `in round ${round}`)
    }
  })
})
