import assert from 'node:assert/strict'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { after, describe, it, type TestContext } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Worker } from 'node:worker_threads'
import { systemClock } from '../../../../lib/clock.ts'
import { HeadStart } from '../../../../runtime/head-start.ts'
import { EarlyWorker } from '../../../../runtime/journal/owner/early-worker.ts'
import { createRuntime } from '../../../../runtime/index.ts'
import { EarlyThreads } from '../../../../runtime/places/threads/early-threads.ts'
import { TierPool } from '../../../../runtime/places/threads/tier-pool.ts'
import { leakCheck } from '../../../helpers/leak-check.ts'
import { scratchFolder } from '../../../helpers/scratch.ts'
import { until } from '../../../helpers/until.ts'
import { fixtureTasks, startRuntime } from '../../../helpers/start-runtime.ts'

leakCheck({ after }, { withinMs: 5_000 })

/** The threads that this process has started from now on, and has not ended. */
function threadsFromNowOn(test: TestContext): ReadonlySet<Worker> {
  const alive = new Set<Worker>()
  const started = (worker: Worker) => {
    alive.add(worker)
    worker.once('exit', () => alive.delete(worker))
  }
  process.on('worker', started)
  test.after(() => process.off('worker', started))
  return alive
}

describe('threads that start while the journal opens', () => {
  it('start with it before the rest is loaded, and end with it where that fails', async (test) => {
    const alive = threadsFromNowOn(test)
    const tiers = { default: { threads: 1 }, small: { threads: 2 } }
    const options = { tasks: fixtureTasks, journal: { file: ':memory:' }, tiers, lanes: { network: {} } }
    const head = new HeadStart(options, new EarlyWorker())
    await nextTurn()
    assert.ok(alive.size >= 3, `${alive.size} threads`)
    await head.end()
    assert.equal(alive.size, 0)
  })

  it('end when nobody has taken them, and only they', async (test) => {
    const alive = threadsFromNowOn(test)
    const open = () => new TierPool(1, { modules: [fixtureTasks.href] }, { maxHeapMb: undefined, clock: systemClock })
    const early = new EarlyThreads([{ place: 1, threads: 2, open }])
    early.start()
    assert.equal(early.take(0), undefined)
    const taken = early.take(1)
    assert.ok(taken !== undefined)
    await nextTurn()
    assert.equal(alive.size, 2)
    await early.close()
    assert.equal(alive.size, 1)
    assert.equal(early.take(1), undefined)
    await taken.destroy()
    assert.equal(alive.size, 0)
  })

  it('are gone when a runtime could not start, as on a journal that another one owns', async (test) => {
    const journal = { file: join(scratchFolder(), 'jobs.db') }
    // With all of its threads there, and none to come.
    const one = { threads: 1 }
    await startRuntime(test, { journal, tiers: { default: one, small: one }, lanes: { network: one } })
    const alive = threadsFromNowOn(test)
    let most = 0
    const watching = setInterval(() => {
      most = Math.max(most, alive.size)
    }, 1)
    await assert.rejects(createRuntime({ tasks: fixtureTasks, journal, tiers: { default: { threads: 3 } } }), {
      code: 'MILLRACE_JOURNAL_LOCKED',
    })
    clearInterval(watching)
    // That of the journal, and as many of the tier as find a processor beside it.
    assert.ok(most >= 1 + Math.max(1, Math.min(3, availableParallelism() - 1)))
    // The thread of the journal ends by itself.
    await until(
      'all gone',
      () => alive.size,
      (threads) => threads === 0,
    )
  })
})
