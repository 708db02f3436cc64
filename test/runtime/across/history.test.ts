import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { memory } from '../../../adapters/memory/index.ts'
import { fails, next } from '../../fixtures/failing-tasks.ts'
import { scratchFolder } from '../../helpers/scratch.ts'
import { startRuntime } from '../../helpers/start-runtime.ts'

const tasks = new URL('../../fixtures/failing-tasks.js', import.meta.url)
const options = { tasks, tiers: {}, lanes: { network: {} } }

describe('attempts of a job of which some were made over a broker', () => {
  it('stand in their order, and the last of them says why it is dead', async (test) => {
    const journal = { file: join(scratchFolder(), 'jobs.db') }
    const told: string[] = []
    let id: string | undefined
    for (const [error, broker] of [
      ['first, over a broker', memory()],
      ['second, here', undefined],
      ['third, over a broker', memory()],
      ['fourth, here', undefined],
    ] as const) {
      next.error = error
      told.push(error)
      const runtime = await startRuntime(test, { ...options, journal, ...(broker !== undefined && { broker }) })
      const job = id === undefined ? await runtime.enqueue(fails, null) : runtime.job(id)
      if (id !== undefined) await job.retry()
      id = job.id
      await assert.rejects(job.result({ timeoutMs: 20_000 }))
      await runtime.stop()
      const later = await startRuntime(test, { ...options, journal })
      const { history } = await later.job(id).record()
      assert.deepEqual(
        history.map((attempt) => attempt.error?.message),
        told,
      )
      await assert.rejects(later.job(id).result({ timeoutMs: 20_000 }), new RegExp(error))
      await later.stop()
    }
  })
})
