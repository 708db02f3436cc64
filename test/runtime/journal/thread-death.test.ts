import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { Worker } from 'node:worker_threads'
import type { Runtime } from '../../../runtime/index.ts'
import { echo, kept, parked } from '../../fixtures/tasks.ts'
import { nextEvent } from '../../helpers/next-event.ts'
import { scratchFolder } from '../../helpers/scratch.ts'
import { startRuntime } from '../../helpers/start-runtime.ts'
import { markWorkers, workersSince } from '../../helpers/workers.ts'

async function withJournalThread(test: { after(clean: () => unknown): unknown }) {
  const mark = markWorkers()
  const runtime = await startRuntime(test, { journal: { file: join(scratchFolder(), 'jobs.db') } })
  const journalThread = () => workersSince(mark).at(-1) as Worker
  return { runtime, first: workersSince(mark)[0] as Worker, latest: journalThread }
}

/** Enqueues without a pause until it is told to stop; says which jobs were acknowledged, and how the others ended. */
function publishing(runtime: Runtime) {
  const acknowledged: string[] = []
  const refused: unknown[] = []
  let status: 'running' | 'stopped' = 'running'
  const publishers = Promise.all(
    Array.from({ length: 50 }, async () => {
      while (status === 'running') {
        await runtime.enqueue(parked, null).then(
          ({ id }) => acknowledged.push(id),
          (error: unknown) => refused.push(error),
        )
      }
    }),
  )
  return async () => {
    status = 'stopped'
    await publishers
    return { acknowledged, refused }
  }
}

describe('the journal thread', () => {
  it('may die at any time: nothing that was acknowledged is lost, and nothing is written twice', async (test) => {
    const { runtime, first } = await withJournalThread(test)
    const stopPublishing = publishing(runtime)
    let thread = first
    for (let death = 0; death < 3; death++) {
      const mark = markWorkers()
      const down = nextEvent(runtime, 'journal.down')
      await new Promise((resolve) => setTimeout(resolve, 60))
      await thread.terminate()
      await down
      // The next commit goes through the next thread.
      await runtime.enqueue(parked, null)
      thread = workersSince(mark)[0] as Worker
    }
    const { acknowledged, refused } = await stopPublishing()
    assert.deepEqual(refused, [])
    const { jobs } = (await runtime.tasks()).find(({ task }) => task === 'parked') ?? {}
    assert.equal(jobs?.available, acknowledged.length + 3)
    assert.equal(new Set(acknowledged).size, acknowledged.length)
  })

  it('loses no outcome when it dies, and no job runs twice for it', async (test) => {
    const { runtime, first } = await withJournalThread(test)
    const jobs = await Promise.all(Array.from({ length: 200 }, (_, value) => runtime.enqueue(kept, { value })))
    await first.terminate()
    const results = await Promise.all(jobs.map((job) => job.result({ timeoutMs: 20_000 })))
    assert.deepEqual(results, [...results.keys()])
    const { attempts, claim } = await (jobs[0] as (typeof jobs)[0]).record()
    assert.deepEqual([attempts, claim], [1, 1])
  })

  it('dies once too often, and everybody who waits hears why', async (test) => {
    const { runtime, first } = await withJournalThread(test)
    const failed = nextEvent(runtime, 'runtime.failed', { timeoutMs: 20_000 })
    const waiting = runtime.enqueue(parked, null).then((job) => job.result())
    const refused = assert.rejects(waiting)
    let thread = first
    let over = false
    void failed.then(() => {
      over = true
    })
    while (!over) {
      const mark = markWorkers()
      await thread.terminate()
      const deadline = Date.now() + 5_000
      while (!over && workersSince(mark).length === 0 && Date.now() < deadline)
        await new Promise((r) => setTimeout(r, 2))
      thread = workersSince(mark)[0] ?? thread
    }
    await failed
    await refused
    await assert.rejects(runtime.enqueue(echo, { value: 1 }))
  })
})
