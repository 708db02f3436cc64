import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { defineTask } from '../../../lib/task.ts'
import { testRuntime } from '../../../runtime/testing/index.ts'

const fresh = defineTask({
  name: 'fresh',
  useByMs: 5_000,
  retry: { attempts: 5, backoff: { type: 'fixed', delayMs: 10_000 } },
  run(input: { fails: boolean }) {
    if (input.fails) throw new Error('down')
    return 'done'
  },
})

const plain = defineTask({ name: 'plain', run: (_input: null) => 'done' })

const OK = { fails: false }

describe('a reschedule of a job that has a bound', () => {
  for (const [what, options] of [
    ['one that waits', {}],
    ['one that waits for its time', { delayMs: 3_000 }],
  ] as const) {
    it(`gives it the use-by of its task anew: ${what}`, async () => {
      await using runtime = await testRuntime({ tasks: [fresh] })
      const job = await runtime.enqueue(fresh, OK, options)
      await job.reschedule({ delayMs: 60_000 })
      assert.equal((await job.record()).expiresAt, runtime.now + 65_000)
      await job.reschedule({ runAt: runtime.now + 90_000 })
      assert.equal((await job.record()).expiresAt, runtime.now + 95_000)
      await runtime.advance(90_000)
      await runtime.drain()
      assert.equal(await job.result(), 'done')
    })
  }

  it('is refused past the expiresAt of its own, and says the way out', async () => {
    await using runtime = await testRuntime({ tasks: [fresh, plain] })
    const expiresAt = runtime.now + 2_000
    for (const job of [
      await runtime.enqueue(plain, null, { expiresAt }),
      await runtime.enqueue(fresh, OK, { expiresAt }),
    ]) {
      await assert.rejects(job.reschedule({ delayMs: 2_000 }), {
        code: 'MILLRACE_INVALID_OPTION',
        path: 'delayMs',
        message: /when the job expires; .* cancel\(\) it and enqueue another one/,
      })
      await assert.rejects(job.reschedule({ runAt: runtime.now + 9_000 }), { path: 'runAt' })
      await job.reschedule({ delayMs: 1_000 })
      assert.equal((await job.record()).expiresAt, expiresAt)
      await job.reschedule({ priority: 9 })
    }
    await runtime.advance(1_000)
    await runtime.drain()
    assert.deepEqual(await runtime.jobs({ state: 'expired' }), { jobs: [], next: undefined })
  })

  it('is as good of one that waits for a retry, which itself does not count anew', async () => {
    await using runtime = await testRuntime({ tasks: [fresh] })
    const [job, other] = [await runtime.enqueue(fresh, { fails: true }), await runtime.enqueue(fresh, { fails: true })]
    await runtime.drain()
    await job.reschedule({ delayMs: 60_000, input: OK })
    await runtime.advance(60_000)
    await runtime.drain()
    assert.equal(await job.result(), 'done')
    await assert.rejects(other.result(), { code: 'MILLRACE_JOB_EXPIRED', message: /its last attempt had failed: down/ })
  })
})
