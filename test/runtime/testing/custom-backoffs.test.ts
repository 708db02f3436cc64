import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { defineTask } from '../../../lib/task.ts'
import { testRuntime } from '../../../runtime/testing/index.ts'

const HOUR_MS = 3_600_000

const patient = defineTask({
  name: 'patient',
  retry: { attempts: 3, backoff: { type: 'custom', name: 'patient' } },
  run(_input: null, context) {
    if (context.attempt < 3) throw new Error('not yet')
    return context.attempt
  },
})

const backoffs = { patient: (attempt: number) => attempt * HOUR_MS }

describe('custom backoffs in a test', () => {
  for (const [what, options] of [
    ['given as an option', { tasks: [patient], backoffs }],
    ['exported by the module of the tasks', { tasks: { patient, backoffs } }],
    ['given as an option, whatever the module exports', { tasks: { patient, backoffs: 5 }, backoffs }],
  ] as const) {
    it(`decide when a retry comes, also after a reboot: ${what}`, async () => {
      await using runtime = await testRuntime(options)
      const { id } = await runtime.enqueue(patient, null)
      await runtime.drain()
      assert.equal((await runtime.job(id).record()).dueAt, runtime.now + HOUR_MS)
      runtime.crash()
      await runtime.reboot()
      await runtime.advance(HOUR_MS)
      assert.equal((await runtime.job(id).record()).dueAt, runtime.now + 2 * HOUR_MS)
      const result = runtime.job(id).result()
      await runtime.advance(2 * HOUR_MS)
      assert.equal(await result, 3)
    })
  }

  it('are refused as those of a service are', async () => {
    const bad = { patient: 5 as never }
    for (const options of [{ tasks: [patient], backoffs: bad }, { tasks: { patient, backoffs: bad } }]) {
      await assert.rejects(testRuntime(options), { code: 'MILLRACE_INVALID_OPTION', path: 'backoffs.patient' })
    }
    await assert.rejects(testRuntime({ tasks: [patient], backoffs: { other: () => 1 } }), {
      code: 'MILLRACE_INVALID_OPTION',
      message: /got "patient", expected a name from the runtime's option backoffs, one of other/,
    })
  })
})
