import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import type { Worker } from 'node:worker_threads'
import { systemClock } from '../../../../lib/clock.ts'
import { Incarnation } from '../../../../runtime/places/threads/incarnation.ts'
import type { FromThread } from '../../../../runtime/places/thread-protocol.ts'
import { TierPool } from '../../../../runtime/places/threads/tier-pool.ts'
import { leakCheck } from '../../../helpers/leak-check.ts'
import { fixtureTasks } from '../../../helpers/start-runtime.ts'

leakCheck({ after }, { withinMs: 5_000 })

const NEVER = new AbortController().signal

/** A run, and a promise for its thread being ready. */
function runOf(pool: TierPool) {
  let heard: () => void = () => {}
  const ready = new Promise<void>((resolve) => {
    heard = resolve
  })
  const thread: Incarnation = new Incarnation(
    { slots: 1, concurrency: 1, firstStart: 0, memory: 'ignored', journal: 'abcdef', starts: undefined },
    (message: FromThread) => {
      if (message.type !== 'ready') return
      pool.begun(thread.run)
      heard()
    },
  )
  return { thread, ready, served: pool.serve(thread.run, NEVER) }
}

const nextWorker = () => new Promise<Worker>((resolve) => void process.once('worker', resolve))

describe('a thread that ends while it starts', () => {
  it('takes the run that waits for it along, and the next one gets another', { timeout: 30_000 }, async (test) => {
    const started = nextWorker()
    const pool = new TierPool(1, { modules: [fixtureTasks.href] }, { maxHeapMb: undefined, clock: systemClock })
    test.after(() => pool.destroy())
    const first = runOf(pool)
    const worker = await started
    await first.ready
    void nextWorker().then((replacement) => replacement.terminate())
    void worker.terminate()
    assert.equal((await first.served).type, 'lost')
    const second = runOf(pool)
    assert.equal((await second.served).type, 'lost')
    const third = runOf(pool)
    await third.ready
    for (const { thread } of [first, second, third]) thread.close()
  })
})
