import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { describe, it } from 'node:test'
import { Worker } from 'node:worker_threads'
import { until } from '../../helpers/until.ts'
import { kernelThread, processorTimeOf } from '../../../runtime/places/readings.ts'

const skip = existsSync('/proc/thread-self') ? false : 'this system has no /proc'

describe('what is read of a thread from outside', () => {
  it('is the time that it had a processor', { skip }, () => {
    const thread = kernelThread()
    assert.equal(thread, process.pid, 'the main thread has the number of its process')
    const before = processorTimeOf(thread)
    const endsAt = performance.now() + 200
    while (performance.now() < endsAt);
    const after = processorTimeOf(thread)
    const ranMs = (after?.processorMs ?? 0) - (before?.processorMs ?? 0)
    const queuedMs = (after?.queuedMs ?? 0) - (before?.queuedMs ?? 0)
    assert.equal(after?.state, 'ready')
    assert.ok(ranMs > 0 && ranMs <= 300 && ranMs + queuedMs > 100, `${ranMs} ms, queued ${queuedMs} ms`)
  })

  it('is of that thread alone', { skip }, async () => {
    const url = new URL('../../../runtime/places/readings.js', import.meta.url).href
    const worker = new Worker(
      `import(${JSON.stringify(url)}).then(({ kernelThread }) => {
         const { parentPort } = require('node:worker_threads')
         parentPort.postMessage(kernelThread())
         parentPort.on('message', () => {})
       })`,
      { eval: true },
    )
    const thread = await new Promise<number>((resolve) => void worker.once('message', resolve))
    assert.ok(thread !== process.pid && (processorTimeOf(thread)?.processorMs ?? 0) > 0)
    await until(
      'it waits for a message',
      () => processorTimeOf(thread)?.state,
      (state) => state === 'asleep',
    )
    await worker.terminate()
  })

  it('is nothing where there is no such thread', () => {
    assert.equal(processorTimeOf(undefined), undefined)
    assert.equal(processorTimeOf(2 ** 30), undefined)
  })
})
