import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { Job, Runtime } from '../../../runtime/index.ts'
import { echo, laneEcho, traced } from '../../fixtures/tasks.ts'
import { nextEvent } from '../../helpers/next-event.ts'
import { ledgerOf, scratchFolder } from '../../helpers/scratch.ts'
import { startRuntime } from '../../helpers/start-runtime.ts'

const TIMEOUT = { timeoutMs: 20_000 }
const ONE_THREAD = { tiers: { default: { threads: 1 }, small: { threads: 1 } } }

/** A job that runs until the test lets it end, on the only thread of its tier. */
async function startLong(runtime: Runtime, ledger: string, ms: number): Promise<Job<void>> {
  const job = await runtime.enqueue(traced, { ledger, ms })
  await ledgerOf(ledger)
  return job
}

describe('a pause', () => {
  it('of a task lets what runs go on, sends back what has not started, and leaves others alone', async (test) => {
    const runtime = await startRuntime(test, ONE_THREAD)
    const long = await startLong(runtime, join(scratchFolder(), 'ledger'), 1_000)
    const claimed = await runtime.enqueue(echo, { value: 1 })
    while ((await runtime.explain(claimed.id)).reason.type !== 'in-hand') await turn()
    const told = nextEvent(runtime, 'task.paused')
    await runtime.pause({ task: echo })
    assert.deepEqual(await told, { task: 'echo' })
    const later = await runtime.enqueue(echo, { value: 2 })
    await long.result(TIMEOUT)
    await runtime.idle()
    for (const job of [claimed, later]) {
      const { state, attempts } = await job.record()
      assert.deepEqual([state, attempts], ['available', 0])
    }
    await (await runtime.enqueue(traced, { ledger: join(scratchFolder(), 'ledger'), ms: 0 })).result(TIMEOUT)
    const resumed = nextEvent(runtime, 'task.resumed')
    await runtime.resume({ task: 'echo' })
    assert.deepEqual([await claimed.result(TIMEOUT), await later.result(TIMEOUT)], [{ value: 1 }, { value: 2 }])
    assert.deepEqual(await resumed, { task: 'echo' })
  })

  it('of a place holds all its tasks, and no others', async (test) => {
    const runtime = await startRuntime(test)
    await runtime.pause({ place: 'network' })
    const held = await runtime.enqueue(laneEcho, { value: 1 })
    assert.deepEqual(await (await runtime.enqueue(echo, { value: 2 })).result(TIMEOUT), { value: 2 })
    await runtime.idle()
    assert.equal((await held.record()).state, 'available')
    await runtime.resume({ place: 'network' })
    assert.deepEqual(await held.result(TIMEOUT), { value: 1 })
  })

  it('that is followed by a resume before it is through, or follows one, ends as what was asked for last', async (test) => {
    const runtime = await startRuntime(test)
    const asked = { pause: () => runtime.pause({ task: echo }), resume: () => runtime.resume({ task: echo }) }
    const isPaused = async () => (await runtime.tasks()).find(({ task }) => task === 'echo')?.paused ?? false
    await (await runtime.enqueue(echo, { value: 0 })).result(TIMEOUT)
    await Promise.all([asked.pause(), asked.resume()])
    assert.equal(await isPaused(), false)
    await Promise.all([asked.pause(), asked.resume(), asked.pause()])
    assert.equal(await isPaused(), true)
    await Promise.all([asked.resume(), asked.pause(), asked.resume()])
    assert.equal(await isPaused(), false)
    assert.deepEqual(await (await runtime.enqueue(echo, { value: 1 })).result(TIMEOUT), { value: 1 })
  })

  it('is kept over a restart, and is shown', async (test) => {
    const journal = { file: join(scratchFolder(), 'jobs.db') }
    const first = await startRuntime(test, { journal })
    await first.pause({ task: echo })
    await first.pause({ place: 'network' })
    await first.stop()
    const second = await startRuntime(test, { journal })
    const jobs = [await second.enqueue(echo, { value: 1 }), await second.enqueue(laneEcho, { value: 2 })]
    await second.idle()
    for (const job of jobs) assert.equal((await job.record()).state, 'available')
    const paused = (await second.tasks()).filter((task) => task.paused === true).map(({ task }) => task)
    assert.ok(paused.includes('echo') && paused.includes('lane.echo') && !paused.includes('traced'), paused.join())
    await second.resume({ task: 'echo' })
    await second.resume({ place: 'network' })
    assert.deepEqual(await Promise.all(jobs.map((job) => job.result(TIMEOUT))), [{ value: 1 }, { value: 2 }])
    await second.resume({ task: 'echo' })
  })

  it('is refused of what there is not', async (test) => {
    const runtime = await startRuntime(test)
    for (const [subject, path] of [
      [{ task: 'ehco' }, 'task'],
      [{ place: 'fast' }, 'place'],
      [{}, 'task'],
      [{ task: 'echo', place: 'network' }, 'task'],
      [{ task: null }, 'task'],
      [{ places: 'network' }, 'places'],
    ] as const) {
      const refused = { name: 'MillraceError', path }
      await assert.rejects(runtime.pause(subject as never), refused, JSON.stringify(subject))
      await assert.rejects(runtime.resume(subject as never), refused, JSON.stringify(subject))
    }
  })
})
