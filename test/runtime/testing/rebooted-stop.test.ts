import assert from 'node:assert/strict'
import { it } from 'node:test'
import { defineTask } from '../../../lib/task.ts'
import { testRuntime } from '../../../runtime/testing/index.ts'

const told = defineTask({ name: 'told', run: (input: { n: number }) => input.n })

it('a stop after a stop and a reboot is a stop of its own', async () => {
  const runtime = await testRuntime({ tasks: [told] })
  await runtime.stop()
  await runtime.reboot()
  let stopping = 0
  runtime.on('runtime.stopping', () => stopping++)
  await runtime.enqueue(told, { n: 1 })
  const first = runtime.stop()
  assert.equal(stopping, 1)
  await Promise.all([first, runtime.stop()])
  assert.equal(stopping, 1, 'again it is the same one')
  await assert.rejects(runtime.enqueue(told, { n: 2 }), { code: 'MILLRACE_STOPPING' })
  await runtime.reboot()
  assert.equal((await runtime.enqueued(told)).length, 1)
  await runtime.stop()
  assert.equal(stopping, 2)
})
