import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Runtime } from '../../../runtime/index.ts'
import { echo, laneExit, laneHang, misbehave, stubborn } from '../../fixtures/tasks.ts'
import type { Misdeed } from '../../fixtures/misdeeds.ts'
import { where, whereInProcess } from '../../fixtures/noisy-module.ts'
import { assertEndOf, misdeedNames } from '../../helpers/misdeed-ends.ts'
import { nextEvent } from '../../helpers/next-event.ts'
import { ledgerLines, scratchFolder } from '../../helpers/scratch.ts'
import { startRuntime } from '../../helpers/start-runtime.ts'

const TIMEOUT = { timeoutMs: 30_000 }

async function assertEnd(runtime: Runtime, how: Misdeed): Promise<void> {
  const job = await runtime.enqueue(misbehave, { how })
  await assertEndOf(job.result(TIMEOUT), how)
}

describe('a handler that misbehaves', () => {
  it('ends as what it did, one misdeed after another', async (test) => {
    const runtime = await startRuntime(test)
    for (const how of misdeedNames) await assertEnd(runtime, how)
    await (await runtime.enqueue(echo, { value: 1 })).result(TIMEOUT)
  })

  it('has its late rejection reported as its own, and the jobs after it are not blamed', async (test) => {
    const runtime = await startRuntime(test, { tiers: { default: { threads: 1 }, small: { threads: 1 } } })
    for (const how of ['reject later', 'throw later'] as const) {
      const stray = nextEvent(runtime, 'job.stray', { timeoutMs: 20_000 })
      const job = await runtime.enqueue(misbehave, { how })
      await job.result(TIMEOUT)
      const after = await Promise.all(Array.from({ length: 20 }, (_, value) => runtime.enqueue(echo, { value })))
      await Promise.all(after.map((each) => each.result(TIMEOUT)))
      const { id, error } = await stray
      assert.deepEqual([id, error.message], [job.id, how === 'reject later' ? 'late rejection' : 'late throw'])
    }
  })

  it('is told apart from a module that rejects all the time, whose threads and processes stay', async (test) => {
    const runtime = await startRuntime(test, {
      tasks: new URL('../../fixtures/noisy-module.js', import.meta.url),
      tiers: { default: { threads: 1 }, heavy: { processes: 1 } },
      lanes: {},
    })
    const recycled: string[] = []
    runtime.on('place.recycled', ({ place }) => recycled.push(place))
    const heard = new Map<string, number>()
    runtime.on('job.stray', ({ place, id }) => void heard.set(`${place} ${id}`, (heard.get(`${place} ${id}`) ?? 0) + 1))
    const [thread, process] = [new Set<number>(), new Set<number>()]
    for (let round = 0; round < 20; round++) {
      thread.add((await (await runtime.enqueue(where, null)).result(TIMEOUT)).threadId)
      process.add((await (await runtime.enqueue(whereInProcess, null)).result(TIMEOUT)).pid)
      await sleep(10)
    }
    assert.deepEqual([thread.size, process.size, recycled], [1, 1, []])
    assert.ok([...heard].every(([who, times]) => who.endsWith('undefined') && times > 10) && heard.size === 2)
  })

  it('is named as the one that ends the thread later, and the job that runs by then is given back uncharged', async (test) => {
    const runtime = await startRuntime(test, { tiers: { default: { threads: 1 }, small: { threads: 1 } } })
    const ledger = join(scratchFolder(), 'ledger')
    const stray = nextEvent(runtime, 'job.stray', { timeoutMs: 20_000 })
    const interrupted = nextEvent(runtime, 'job.interrupted', { timeoutMs: 20_000 })
    const [culprit, innocent] = await Promise.all([
      runtime.enqueue(misbehave, { how: 'exit later' }),
      runtime.enqueue(stubborn, { ledger, ms: 2_000 }, { retry: { attempts: 1 } }),
    ])
    await culprit.result(TIMEOUT)
    await innocent.result(TIMEOUT)
    const { id, error } = await stray
    assert.deepEqual([id, error.code, (await interrupted).id], [culprit.id, 'MILLRACE_THREAD_EXIT', innocent.id])
    assert.deepEqual(
      ledgerLines(ledger).map(([what, , attempt]) => `${what} ${attempt}`),
      ['start 1', 'start 1', 'end 1'],
    )
  })

  it('charges nobody else on a lane that has threads, where it ends the thread', async (test) => {
    const runtime = await startRuntime(test, { lanes: { network: { concurrency: 10, threads: 1 } } })
    const begun = nextEvent(runtime, 'job.progress', { timeoutMs: 20_000 })
    const interrupted = nextEvent(runtime, 'job.interrupted', { timeoutMs: 20_000 })
    const innocent = await runtime.enqueue(laneHang, null, { softLimitMs: 20_000, hardLimitMs: 30_000 })
    await begun
    const culprit = await runtime.enqueue(laneExit, null)
    await assert.rejects(culprit.result(TIMEOUT), { code: 'MILLRACE_THREAD_EXIT' })
    assert.equal((await interrupted).id, innocent.id)
  })
})
