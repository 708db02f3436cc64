import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import {
  createRuntime,
  type MillraceError,
  type PlaceSummary,
  type Runtime,
  type RuntimeOptions,
} from '../../../runtime/index.ts'
import { nextEvent } from '../../helpers/next-event.ts'
import { ledgerLines, scratchFolder } from '../../helpers/scratch.ts'
import { lengthy, network, small, solid, suicide } from '../../fixtures/fragile-tasks.ts'

const TIMEOUT = { timeoutMs: 20_000 }

/** Threads that may start in vain before their place gives up. */
const MOST_LOADS = 3

type Where = 'default' | 'small' | 'loop' | 'small:exit' | 'slow'

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
  const start = async (more: Partial<RuntimeOptions> = {}): Promise<Runtime> => {
    const runtime = await createRuntime({ ...options, ...more })
    test.after(() => runtime.stop({ graceMs: 0 }))
    return runtime
  }
  const loadsOn = (where: Where) => ledgerLines(join(folder, 'loads')).filter(([each]) => each === where).length
  const tornDown = () => ledgerLines(join(folder, 'teardowns')).flat()
  return { start, loadsOn, breakOn, tornDown }
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
    const { reason, text } = await runtime.explain(waits.id)
    assert.equal(reason.type, 'place-stopped', text)
    const { jobs } = await runtime.jobs({ place: 'small' })
    assert.deepEqual(
      jobs.map(({ id, place }) => [id, place]),
      [[waits.id, 'small']],
    )
    const { status, waiting } = (await runtime.places()).find(({ place }) => place === 'small') as PlaceSummary
    assert.deepEqual([status.type, waiting], ['stopped', 1])
    assert.equal(loadsOn('small'), MOST_LOADS)
    await runtime.stop()
    assert.equal(loadsOn('small'), MOST_LOADS, 'no storm')
  })

  it('stays away too when its threads end while they load', { timeout: 20_000 }, async (test) => {
    const { start, loadsOn } = fragile(test, 'small:exit')
    const runtime = await start()
    const { error } = await nextEvent(runtime, 'place.stopped')
    const { code, message } = (error as MillraceError).cause as MillraceError
    assert.equal(code, 'MILLRACE_TASKS_MODULE')
    assert.match(message, /a thread ended while it loaded the tasks modules: .*exited with code: 1/)
    assert.equal(await (await runtime.enqueue(solid, null)).result(TIMEOUT), 'solid')
    assert.equal(loadsOn('small'), MOST_LOADS, 'no storm')
  })

  it('gives back uncharged what ran on those of its threads that had started', async (test) => {
    const { start, breakOn } = fragile(test)
    const runtime = await start({ tiers: { default: { threads: 1 }, small: { threads: 2, maxHeapMb: 48 } } })
    const begun = nextEvent(runtime, 'job.progress', TIMEOUT)
    const interrupted = nextEvent(runtime, 'job.interrupted', TIMEOUT)
    const innocent = await runtime.enqueue(lengthy, null)
    await begun
    await (await runtime.enqueue(small, null)).result(TIMEOUT)
    breakOn('small')
    await assert.rejects((await runtime.enqueue(suicide, null)).result(TIMEOUT), { code: 'MILLRACE_THREAD_EXIT' })
    assert.equal((await interrupted).id, innocent.id)
    const { state, attempts } = await innocent.record()
    assert.deepEqual([state, attempts], ['available', 0])
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
    assert.deepEqual([state, attempts, where], ['available', 0, 'small'])
    assert.deepEqual([loadsOn('small'), stops], [1 + MOST_LOADS, ['small']])
    assert.match((await crashed).error.message, /no luck on small/, 'the child that crashed')
  })

  it('fails the start when there is no other one, with the cause', async (test) => {
    const { start, loadsOn } = fragile(test, 'default', 'small', 'loop')
    await assert.rejects(start(), {
      code: 'MILLRACE_TASKS_MODULE',
      message: /the setup of the tasks module file:.*fragile-tasks\.js has failed: no luck on .*; see the cause$/,
    })
    assert.ok(loadsOn('default') <= MOST_LOADS && loadsOn('small') <= MOST_LOADS, 'no storm')
  })

  it('fails the start also when all that can be said is that threads end', async (test) => {
    const { start, loadsOn } = fragile(test, 'small:exit')
    const starting = start({ tiers: { small: { threads: 1, maxHeapMb: 48 } }, lanes: {} })
    await assert.rejects(starting, { code: 'MILLRACE_TASKS_MODULE' })
    assert.equal(loadsOn('small'), MOST_LOADS)
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

describe('the teardown of a tasks module', () => {
  it('has what is left of the grace on each thread', async (test) => {
    const { start, tornDown } = fragile(test, 'slow')
    const runtime = await start({ lanes: { network: { threads: 1 } } })
    for (const task of [solid, small, network]) await (await runtime.enqueue(task, null)).result(TIMEOUT)
    await runtime.stop({ graceMs: 20_000 })
    assert.deepEqual(tornDown().sort(byName), ['default', 'default', 'small'])
  })

  it('may fail on the loop of the service: the runtime has stopped all the same, and says so', async (test) => {
    const { start, tornDown } = fragile(test, 'slow')
    const runtime = await start()
    const failed = nextEvent(runtime, 'runtime.error', TIMEOUT)
    const stopped = nextEvent(runtime, 'runtime.stopped', TIMEOUT)
    assert.deepEqual(await runtime.stop({ graceMs: 20_000 }), { stuck: [] })
    assert.match((await failed).error.message, /no teardown on loop/)
    assert.deepEqual((await stopped).stuck, [])
    assert.ok(tornDown().includes('loop'))
  })

  it('is not waited for when the grace is over', async (test) => {
    const { start } = fragile(test, 'slow')
    const runtime = await start()
    const failed = nextEvent(runtime, 'runtime.error', TIMEOUT)
    await runtime.stop({ graceMs: 0 })
    assert.match((await failed).error.message, /MILLRACE_TASKS_MODULE: the teardown of a tasks module has not ended/)
  })
})

const byName = (a: string, b: string) => a.localeCompare(b)
