import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { createRuntime, type MillraceError, type Runtime, type RuntimeOptions } from '../../../runtime/index.ts'
import { nextEvent } from '../../helpers/next-event.ts'
import { ledgerLines, scratchFolder } from '../../helpers/scratch.ts'
import { network, small, solid, suicide } from '../../fixtures/fragile-tasks.ts'

const TIMEOUT = { timeoutMs: 20_000 }

/** Threads that may start in vain before their place gives up. */
const MOST_LOADS = 3

type Where = 'default' | 'small' | 'loop'

/** A service whose tasks do not load where the test says so. */
function fragile(test: TestContext, ...broken: readonly Where[]) {
  const folder = scratchFolder()
  const breakOn = (...places: readonly Where[]) => writeFileSync(join(folder, 'broken'), places.join(' '))
  breakOn(...broken)
  process.env['FRAGILE'] = folder
  const options: RuntimeOptions = {
    tasks: new URL('../../fixtures/fragile-tasks.js', import.meta.url),
    journal: { file: join(folder, 'jobs.db') },
    tiers: { default: { threads: 1 }, small: { threads: 1, maxHeapMb: 48 } },
    lanes: { network: { concurrency: 10 } },
  }
  const start = async (): Promise<Runtime> => {
    const runtime = await createRuntime(options)
    test.after(() => runtime.stop({ graceMs: 0 }))
    return runtime
  }
  const loadsOn = (where: Where) => ledgerLines(join(folder, 'loads')).filter(([each]) => each === where).length
  return { start, loadsOn, breakOn }
}

function assertStopped({ place, error }: { place: string; error: Error }, which: string, why: RegExp): void {
  const { code, cause } = error as MillraceError
  assert.deepEqual([place, code], [which, 'MILLRACE_PLACE_STOPPED'])
  assert.match((cause as Error).message, why)
}

describe('a place whose tasks do not load', () => {
  it('stays away: its jobs wait, the others go on, and it does not start over and over', {
    timeout: 5_000,
  }, async (test) => {
    const { start, loadsOn } = fragile(test, 'small')
    const runtime = await start()
    assertStopped(await nextEvent(runtime, 'place.stopped'), 'small', /no luck on small/)
    const waits = await runtime.enqueue(small, null)
    assert.equal(await (await runtime.enqueue(solid, null)).result(TIMEOUT), 'solid')
    assert.equal(await (await runtime.enqueue(network, null)).result(TIMEOUT), 'network')
    assert.equal((await waits.record()).state, 'available')
    assert.equal(loadsOn('small'), MOST_LOADS)
    await runtime.stop()
    assert.equal(loadsOn('small'), MOST_LOADS, 'no storm')
  })

  it('may be a lane of the loop: the tiers go on', async (test) => {
    const { start } = fragile(test, 'loop')
    const runtime = await start()
    assertStopped(await nextEvent(runtime, 'place.stopped'), 'network', /no luck on loop/)
    assert.equal(await (await runtime.enqueue(solid, null)).result(TIMEOUT), 'solid')
    const waits = await runtime.enqueue(network, null)
    assert.equal(await (await runtime.enqueue(small, null)).result(TIMEOUT), 'small')
    assert.equal((await waits.record()).state, 'available')
  })

  it('is told with its cause, once, when that comes later, and what had not started goes back', async (test) => {
    const { start, loadsOn, breakOn } = fragile(test)
    const runtime = await start()
    assert.equal(await (await runtime.enqueue(small, null)).result(TIMEOUT), 'small')
    const stops: string[] = []
    runtime.on('place.stopped', ({ place }) => stops.push(place))
    const stopped = nextEvent(runtime, 'place.stopped', TIMEOUT)
    const crashed = nextEvent(runtime, 'runtime.error', TIMEOUT)
    breakOn('small')
    const crash = await runtime.enqueue(suicide, null)
    const behind = await runtime.enqueue(small, null)
    await assert.rejects(crash.result(TIMEOUT), { code: 'MILLRACE_THREAD_EXIT' })
    assertStopped(await stopped, 'small', /no luck on small/)
    assert.equal(await (await runtime.enqueue(solid, null)).result(TIMEOUT), 'solid')
    await runtime.idle()
    const { state, attempts, place: where } = await behind.record()
    assert.deepEqual([state, attempts, where], ['available', 0, undefined])
    assert.deepEqual([loadsOn('small'), stops], [1 + MOST_LOADS, ['small']])
    assert.match((await crashed).error.message, /no luck on small/, 'the child that crashed')
  })

  it('fails the start when there is no other one, with the cause', async (test) => {
    const { start, loadsOn } = fragile(test, 'default', 'small', 'loop')
    await assert.rejects(start(), /no luck on/)
    assert.ok(loadsOn('default') <= MOST_LOADS && loadsOn('small') <= MOST_LOADS, 'no storm')
  })

  it('is whole again at the next start', async (test) => {
    const { start, breakOn } = fragile(test, 'small')
    const first = await start()
    const job = await first.enqueue(small, null)
    await first.stop()
    breakOn()
    const next = await start()
    await next.idle()
    await assert.rejects(next.job(job.id).record(), { code: 'MILLRACE_JOB_NOT_FOUND' }, 'it has run')
  })
})
