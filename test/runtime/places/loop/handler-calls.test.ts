import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { defineTask } from '../../../../lib/task.ts'
import { testRuntime } from '../../../../runtime/testing/index.ts'

describe('runtime.enqueue', () => {
  it('warns once when a handler of the loop calls it, and does what it is told', async () => {
    const child = defineTask({ name: 'child', run(_input: null) {} })
    const parent = defineTask({
      name: 'parent',
      lane: 'network',
      async run(_input: null) {
        await runtime.enqueue(child, null)
      },
    })
    await using runtime = await testRuntime({ tasks: [child, parent] })
    let succeeded = 0
    runtime.on('job.succeeded', () => succeeded++)
    const warnings: NodeJS.ErrnoException[] = []
    const listener = (warning: NodeJS.ErrnoException) => void warnings.push(warning)
    process.on('warning', listener)
    const warned = once(process, 'warning')
    for (let at = 0; at < 3; at++) await runtime.enqueue(parent, null)
    await runtime.drain()
    await warned
    process.off('warning', listener)
    assert.equal(succeeded, 6)
    assert.deepEqual(
      warnings.map(({ code }) => code),
      ['MILLRACE_ENQUEUE_IN_ATTEMPT'],
    )
    assert.match(String(warnings[0]?.message), /handler of parent calls runtime\.enqueue/)
  })
})
