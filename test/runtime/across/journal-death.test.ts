import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { Worker } from 'node:worker_threads'
import { memory, memoryStore } from '../../../adapters/memory/index.ts'
import { patient, runs, waiting } from '../../fixtures/across-tasks.ts'
import { bootNode } from '../../helpers/boot-node.ts'
import { nextEvent } from '../../helpers/next-event.ts'
import { until } from '../../helpers/until.ts'
import { markWorkers, workersSince } from '../../helpers/workers.ts'

const PATIENCE = { timeoutMs: 20_000 }

/** A delivery that runs while the thread of its journal dies, and with it the row that was put off. */
async function outliving(test: TestContext, name: string) {
  const store = memoryStore()
  const { runtime: publisher } = await bootNode(test, memory(store), { role: 'publisher' })
  const mark = markWorkers()
  const { runtime: worker } = await bootNode(test, memory(store), { role: 'worker' })
  const thread = workersSince(mark)[0] as Worker
  const job = await publisher.enqueue(patient, { name })
  await until('it runs', () => waiting.has(name), Boolean)
  const down = nextEvent(worker, 'journal.down', PATIENCE)
  await thread.terminate()
  await down
  return { store, job, worker }
}

describe('a delivery whose journal thread dies while it runs', () => {
  it('is run again, since nobody would know that it has run, and is told once', async (test) => {
    const { job } = await outliving(test, 'orphaned')
    waiting.get('orphaned')?.()
    await until('it runs again', () => runs.get('orphaned') === 2, Boolean)
    waiting.get('orphaned')?.()
    assert.equal(await job.result(PATIENCE), 'orphaned')
  })

  it('has no row from then on, and has one again when it runs again', async (test) => {
    const { job, worker } = await outliving(test, 'unknown')
    assert.deepEqual((await worker.tasks()).find(({ task }) => task === patient.name)?.jobs ?? {}, {})
    waiting.get('unknown')?.()
    await until('it runs again', () => runs.get('unknown') === 2, Boolean)
    const { jobs } = (await worker.tasks()).find(({ task }) => task === patient.name) ?? {}
    assert.deepEqual(jobs, { running: 1 })
    waiting.get('unknown')?.()
    assert.equal(await job.result(PATIENCE), 'unknown')
  })
})
