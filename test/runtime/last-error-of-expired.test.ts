import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MillraceError } from '../../lib/errors.ts'
import { defineTask } from '../../lib/task.ts'
import { testRuntime } from '../../runtime/testing/index.ts'

/** One at a time, with a retry after a second. */
const down = defineTask({
  name: 'down',
  retry: { attempts: 5, backoff: { type: 'fixed', delayMs: 1_000 } },
  run(input: { n: number }) {
    throw new Error(`down ${input.n}`)
  },
})

const LATER = { retry: { backoff: { type: 'fixed', delayMs: 60_000 } } } as const

async function rejection(promise: Promise<unknown>): Promise<MillraceError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  assert.ok(error instanceof MillraceError)
  return error
}

function assertTellsOf(error: MillraceError, message: string) {
  assert.equal(error.code, 'MILLRACE_JOB_EXPIRED')
  assert.equal((error.cause as Error | undefined)?.message, message)
  assert.match(error.message, new RegExp(`its last attempt had failed: ${message}`))
}

describe('the result of an expired job tells of its last attempt', () => {
  it('where it waited for the next one, to who waits and to who asks later', async () => {
    await using runtime = await testRuntime({ tasks: [down] })
    const job = await runtime.enqueue(down, { n: 1 }, { ...LATER, expiresAt: runtime.now + 2_000 })
    const awaited = rejection(job.result())
    await runtime.drain()
    await runtime.advance(2_000)
    assertTellsOf(await awaited, 'down 1')
    assertTellsOf(await rejection(job.result()), 'down 1')
  })

  it('where it stood before its place again', async () => {
    let open = () => {}
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    const holds = defineTask({ name: 'holds', run: (_input: null) => gate })
    await using runtime = await testRuntime({ tasks: [down, holds] })
    const job = await runtime.enqueue(down, { n: 2 }, { expiresAt: runtime.now + 2_000 })
    const awaited = rejection(job.result())
    await runtime.drain()
    await runtime.enqueue(holds, null)
    await runtime.advance(1_500)
    assert.equal((await job.record()).state, 'running', 'it is in the hand')
    await runtime.advance(1_000)
    open()
    await runtime.drain()
    assertTellsOf(await awaited, 'down 2')
  })

  it('and of none where it had none', async () => {
    await using runtime = await testRuntime({ tasks: [down] })
    await runtime.pause({ task: down })
    const job = await runtime.enqueue(down, { n: 3 }, { expiresAt: runtime.now + 2_000 })
    await runtime.advance(2_000)
    const { code, cause } = await rejection(job.result())
    assert.deepEqual([code, cause], ['MILLRACE_JOB_EXPIRED', undefined])
  })
})
