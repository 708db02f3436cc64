import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { memory, type MemoryStore, memoryStore } from '../../../adapters/memory/index.ts'
import type { Broker, PublishResult } from '../../../lib/broker.ts'
import { MillraceError, type Runtime } from '../../../runtime/index.ts'
import { begun, moved, obedient, quick } from '../../fixtures/control-tasks.ts'
import { moved as moved2 } from '../../fixtures/control-tasks-2.ts'
import { bootNode } from '../../helpers/boot-node.ts'
import { nextEvent } from '../../helpers/next-event.ts'
import { until } from '../../helpers/until.ts'

const tasks = new URL('../../fixtures/control-tasks.js', import.meta.url)
const tasks2 = new URL('../../fixtures/control-tasks-2.js', import.meta.url)
const PATIENCE = { timeoutMs: 30_000 }
const publisher = { role: 'publisher' } as const
const worker = { role: 'worker', tasks } as const

function isAway(runtime: Runtime, id: string): Promise<unknown> {
  const state = async () => (await runtime.job(id).record()).state
  return until(`${id} to be away`, state, (is) => is === 'away')
}

/** A worker that the node has heard of, and that has stopped since; returns its journal. */
async function workerThatWent(test: TestContext, store: MemoryStore, node: Runtime): Promise<string> {
  const heard = nextEvent(node, 'node.status', PATIENCE)
  const { runtime, file } = await bootNode(test, memory(store), worker)
  await heard
  await runtime.stop()
  return file
}

describe('nodes of runtimes', () => {
  it('know each other with their roles, and are asked', async (test) => {
    const store = memoryStore()
    const { runtime } = await bootNode(test, memory(store), publisher)
    const answers = nextEvent(runtime, 'node.status', PATIENCE)
    await bootNode(test, memory(store), worker)
    const { node } = await answers
    const facts = runtime.nodes().find((each) => each.node === node)?.facts
    assert.equal(facts?.role, 'worker')
    assert.deepEqual(facts?.places, ['loop'])
    assert.ok(facts?.tasks.includes('control.quick'))
    const asked = await runtime.ask({ verb: 'places' })
    assert.deepEqual(
      new Map(
        asked.map((answer) => [answer.node, answer.type === 'answered' && answer.answer.map(({ place }) => place)]),
      ),
      new Map(asked.map((answer) => [answer.node, answer.node === node ? ['loop'] : []])),
    )
  })

  it('have no control where their broker has none', async (test) => {
    const broker = memory()
    Object.assign(broker, { supports: { ...broker.supports, control: false } })
    const { runtime } = await bootNode(test, broker, { tasks })
    assert.throws(() => runtime.nodes(), { code: 'MILLRACE_NO_CONTROL' })
    const job = await runtime.enqueue(quick, null)
    assert.equal(await job.result(PATIENCE), job.id)
  })

  it('refuse a place that has the name of their own queues', async (test) => {
    const lanes = { 'control.x': { concurrency: 1 } }
    await assert.rejects(bootNode(test, memory(), { tasks, lanes }), { code: 'MILLRACE_INVALID_OPTION' })
  })
})

describe('a job that is cancelled where it was enqueued', () => {
  it('ends on the node where it runs', async (test) => {
    const store = memoryStore()
    const { runtime } = await bootNode(test, memory(store), publisher)
    const heard = nextEvent(runtime, 'node.status', PATIENCE)
    await bootNode(test, memory(store), worker)
    await heard
    const job = await runtime.enqueue(obedient, null)
    await until('it to begin', () => Promise.resolve(begun.includes(job.id)), Boolean)
    const cancelled = nextEvent(runtime, 'job.cancelled', PATIENCE)
    assert.equal(await job.cancel(), 'requested')
    assert.equal((await cancelled).id, job.id)
    await assert.rejects(job.result(PATIENCE), { code: 'MILLRACE_JOB_CANCELLED' })
  })

  it('stays cancelled although all workers were down', async (test) => {
    const store = memoryStore()
    const { runtime } = await bootNode(test, memory(store), publisher)
    const file = await workerThatWent(test, store, runtime)
    // This node knows too that it is away: else its cancel could be that of a job that is just being sent.
    const job = await runtime.enqueue(quick, null, { ack: 'broker' })
    await isAway(runtime, job.id)
    assert.equal(await job.cancel(), 'requested')
    await bootNode(test, memory(store), { ...worker, journal: { file } })
    await assert.rejects(job.result(PATIENCE), { code: 'MILLRACE_JOB_CANCELLED' })
    assert.ok(!begun.includes(job.id))
    await job.retry()
    assert.equal(await job.result(PATIENCE), job.id)
    const next = await runtime.enqueue(quick, null)
    assert.equal(await next.result(PATIENCE), next.id)
  })

  it('stays cancelled although it was just being sent', async (test) => {
    const store = memoryStore()
    let open: () => void = () => {}
    const opened = new Promise<void>((resolve) => (open = resolve))
    const broker = memory(store)
    const publish = broker.publish.bind(broker)
    const sending = new Promise<void>((begin) => {
      broker.publish = async (group) => {
        if (group.some(({ queue }) => queue === 'loop')) {
          begin()
          await opened
        }
        return publish(group)
      }
    })
    const { runtime } = await bootNode(test, broker, publisher)
    const file = await workerThatWent(test, store, runtime)
    const job = await runtime.enqueue(quick, null)
    await sending
    assert.equal(await job.cancel(), 'requested')
    open()
    await isAway(runtime, job.id)
    await bootNode(test, memory(store), { ...worker, journal: { file } })
    await assert.rejects(job.result(PATIENCE), { code: 'MILLRACE_JOB_CANCELLED' })
    assert.ok(!begun.includes(job.id))
  })

  it('is among those of cancelMany', async (test) => {
    const store = memoryStore()
    const { runtime } = await bootNode(test, memory(store), publisher)
    const file = await workerThatWent(test, store, runtime)
    const jobs = await Promise.all(Array.from({ length: 250 }, () => runtime.enqueue(quick, null)))
    for (const { id } of jobs) await isAway(runtime, id)
    assert.equal(await runtime.cancelMany({ task: quick }), jobs.length)
    await bootNode(test, memory(store), { ...worker, journal: { file } })
    for (const job of jobs) await assert.rejects(job.result(PATIENCE), { code: 'MILLRACE_JOB_CANCELLED' })
    assert.ok(jobs.every(({ id }) => !begun.includes(id)))
  })

  it('is not among those of a cancelMany that had begun before', async (test) => {
    const store = memoryStore()
    const { runtime } = await bootNode(test, memory(store), publisher)
    await workerThatWent(test, store, runtime)
    const jobs = await Promise.all(Array.from({ length: 20 }, () => runtime.enqueue(quick, null)))
    for (const { id } of jobs) await isAway(runtime, id)
    const cancelling = runtime.cancelMany({ task: quick })
    await Promise.all(Array.from({ length: 20 }, () => runtime.enqueue(quick, null)))
    assert.equal(await cancelling, jobs.length)
  })

  it('is cancelled by any node that has its id', async (test) => {
    const store = memoryStore()
    const { runtime } = await bootNode(test, memory(store), publisher)
    const { runtime: other } = await bootNode(test, memory(store), publisher)
    const heard = nextEvent(other, 'node.status', PATIENCE)
    await bootNode(test, memory(store), worker)
    await heard
    const job = await runtime.enqueue(obedient, null)
    await until('it to begin', () => Promise.resolve(begun.includes(job.id)), Boolean)
    await other.ask({ verb: 'cancel', ids: [job.id] })
    await assert.rejects(job.result(PATIENCE), { code: 'MILLRACE_JOB_CANCELLED' })
  })
})

describe('a node that starts', () => {
  it('takes nothing from the broker before it has read the cancels that were kept for it', async (test) => {
    const store = memoryStore()
    let away: 'yes' | 'no' = 'yes'
    const { runtime } = await bootNode(test, memory(store), publisher)
    await bootNode(
      test,
      withoutMarkers(memory(store), () => away),
      worker,
    )
    const job = await runtime.enqueue(quick, null)
    await isAway(runtime, job.id)
    // Long enough for the room of places to be looked at.
    await assert.rejects(job.result({ timeoutMs: 1_000 }), { code: 'MILLRACE_RESULT_TIMEOUT' })
    assert.ok(!begun.includes(job.id))
    away = 'no'
    assert.equal(await job.result(PATIENCE), job.id)
  })

  /** A broker that does not hold what a node sends to itself, for as long as the test says. */
  function withoutMarkers(broker: Broker, isAway: () => 'yes' | 'no'): Broker {
    const publish = broker.publish.bind(broker)
    const error = new MillraceError('MILLRACE_BROKER_LOST', 'it is away')
    return Object.assign(broker, {
      publish: (messages: Parameters<Broker['publish']>[0]) =>
        isAway() === 'yes' && messages.some(({ queue }) => queue.startsWith('control.kept.'))
          ? Promise.resolve(messages.map((): PublishResult => ({ type: 'unconfirmed', error })))
          : publish(messages),
    })
  }
})

describe('a job of a newer version', () => {
  it('is left by workers that do not know it to those that do', async (test) => {
    const store = memoryStore()
    const { runtime } = await bootNode(test, memory(store), publisher)
    const { runtime: old } = await bootNode(test, memory(store), worker)
    const job = await runtime.enqueue(moved2, { text: 'x' })
    await isAway(runtime, job.id)
    await assert.rejects(job.result({ timeoutMs: 1_500 }), { code: 'MILLRACE_RESULT_TIMEOUT' })
    await bootNode(test, memory(store), { role: 'worker', tasks: tasks2 })
    // One that does not leave it keeps it from the others for half a minute.
    assert.equal(await job.result({ timeoutMs: 20_000 }), '2 x')
    assert.equal((await old.jobs()).jobs.length, 0)
  })

  it('has older ones upgraded on the newer node, while older nodes run them too', async (test) => {
    const store = memoryStore()
    const { runtime } = await bootNode(test, memory(store), publisher)
    await bootNode(test, memory(store), { role: 'worker', tasks: tasks2 })
    const job = await runtime.enqueue(moved, 'x')
    assert.equal(await job.result(PATIENCE), '2 x')
  })
})
