import assert from 'node:assert/strict'
import { it } from 'node:test'
import { defineTask } from '../../lib/task.ts'
import { testRuntime } from '../../runtime/testing/index.ts'

const kept = defineTask({ name: 'kept', keepResultMs: 60_000, run: (_input: null) => 'done' })

it('what is asked of a kept success names the only way that is left', async () => {
  await using runtime = await testRuntime({ tasks: [kept] })
  const job = await runtime.enqueue(kept, null)
  await runtime.drain()
  const refused = {
    code: 'MILLRACE_WRONG_STATE',
    message: /a job that is succeeded, expected [^;]*; enqueue another one$/,
  }
  await assert.rejects(job.retry(), refused)
  await assert.rejects(job.reschedule({ delayMs: 1 }), refused)
})
