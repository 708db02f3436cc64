import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import type { MillraceError } from '../../runtime/index.ts'
import { echo, parked } from '../fixtures/tasks.ts'
import { leakCheck } from '../helpers/leak-check.ts'
import { startRuntime } from '../helpers/start-runtime.ts'

leakCheck({ after }, { withinMs: 5_000 })

/** That of the cause where one call stands for many. */
function codeOf(error: MillraceError): string {
  return error.code === 'MILLRACE_ENQUEUE_MANY' ? (error.cause as MillraceError).code : error.code
}

describe('a runtime that has stopped', () => {
  it('answers everything that it is asked, by an error that says so', { timeout: 10_000 }, async (test) => {
    const runtime = await startRuntime(test)
    const job = await runtime.enqueue(parked, null)
    const stopping = runtime.stop()
    await assert.rejects(runtime.resize('default', { threads: 2 }), { code: 'MILLRACE_STOPPING' })
    await stopping
    const questions: Readonly<Record<string, () => Promise<unknown>>> = {
      enqueue: () => runtime.enqueue(echo, { value: 1 }),
      enqueueMany: () => runtime.enqueueMany(echo, [{ value: 1 }]),
      record: () => job.record(),
      result: () => job.result(),
      cancel: () => job.cancel(),
      retry: () => job.retry(),
      reschedule: () => job.reschedule({ delayMs: 1_000 }),
      jobs: () => runtime.jobs(),
      tasks: () => runtime.tasks(),
      places: () => runtime.places(),
      explain: () => runtime.explain(job.id),
      cancelMany: () => runtime.cancelMany({ task: parked }),
      idle: () => runtime.idle(),
      resize: () => runtime.resize('default', { threads: 2 }),
      'resize of no place': () => runtime.resize('nowhere', { size: 2 } as never),
      pause: () => runtime.pause({ task: parked }),
      retryMany: () => runtime.retryMany({ task: parked }),
      purge: () => runtime.purge({ task: parked }),
    }
    const codes: Record<string, unknown> = {}
    for (const [name, ask] of Object.entries(questions)) {
      const late = new Promise((resolve) => setTimeout(resolve, 500, 'no answer'))
      const answer = Promise.resolve().then(ask).catch(codeOf)
      codes[name] = await Promise.race([answer, late])
    }
    const expected = Object.fromEntries(Object.keys(questions).map((name) => [name, 'MILLRACE_STOPPING']))
    assert.deepEqual(codes, expected)
  })
})
