import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { memory, memoryStore } from '../../../adapters/memory/index.ts'
import { type Broker, type Delivery, DONE, type Subscription } from '../../../lib/broker.ts'
import { decodeJob, encodeJob, PUBLICATIONS } from '../../../lib/envelope.ts'
import { Database } from '../../../runtime/index.ts'
import { patient, runs, shout, single, waiting } from '../../fixtures/across-tasks.ts'
import { bootNode } from '../../helpers/boot-node.ts'
import { CuttableBroker } from '../../helpers/cuttable-broker.ts'
import { nextEvent } from '../../helpers/next-event.ts'
import { until } from '../../helpers/until.ts'

const TIMEOUT = { timeoutMs: 10_000 }

/** A look at a queue past the nodes; what is taken is given back. */
async function peek(broker: Broker, queue: string): Promise<Delivery> {
  await broker.open({ queues: [{ name: queue, kind: 'work' }], tell: () => {} })
  let subscription: Subscription | undefined
  const delivery = await new Promise<Delivery>((resolve) => {
    subscription = broker.subscribe(queue, { prefetch: 1, deliver: resolve, lost: () => {} })
  })
  await subscription?.cancel()
  return delivery
}

describe('a worker that was cut off from its broker', () => {
  it('goes on with what runs, and settles it by the delivery that comes instead', async (test) => {
    const store = memoryStore()
    const { runtime: publisher } = await bootNode(test, memory(store), { role: 'publisher' })
    const broker = new CuttableBroker(() => memory(store))
    const { runtime: worker } = await bootNode(test, broker, { role: 'worker' })
    const job = await publisher.enqueue(patient, { name: 'cut' })
    await until('it runs', () => waiting.has('cut'), Boolean)
    await broker.cut()
    // It comes twice: as it was, and with its count. Each of these is behind one of them.
    await (await publisher.enqueue(shout, { text: 'first' })).result(TIMEOUT)
    await (await publisher.enqueue(shout, { text: 'second' })).result(TIMEOUT)
    const done = nextEvent(worker, 'job.succeeded')
    waiting.get('cut')?.()
    await done
    assert.equal(await job.result(TIMEOUT), 'cut')
    await worker.idle()
    assert.equal(runs.get('cut'), 1)
  })

  it('answers what has ended meanwhile from memory, and does not run it again', async (test) => {
    const store = memoryStore()
    const { runtime: publisher } = await bootNode(test, memory(store), { role: 'publisher' })
    const { broker, gate } = gated(() => memory(store))
    const { runtime: worker } = await bootNode(test, broker, { role: 'worker' })
    const job = await publisher.enqueue(patient, { name: 'ended' })
    await until('it runs', () => waiting.has('ended'), Boolean)
    const cut = broker.cut()
    const done = nextEvent(worker, 'job.succeeded')
    waiting.get('ended')?.()
    await done
    gate.open()
    await cut
    assert.equal(await job.result(TIMEOUT), 'ended')
    // Behind it in the same queue: when this one is done, the other has come again.
    const { runtime: other } = await bootNode(test, memory(store), { role: 'publisher' })
    await (await other.enqueue(shout, { text: 'next' })).result(TIMEOUT)
    await worker.idle()
    assert.equal(runs.get('ended'), 1)
  })

  it('drops what has not started, since somebody else has it', async (test) => {
    const store = memoryStore()
    const { runtime: publisher } = await bootNode(test, memory(store), { role: 'publisher' })
    const { broker, gate } = gated(() => memory(store))
    const { runtime: first } = await bootNode(test, broker, { role: 'worker' })
    const running = await publisher.enqueue(single, { name: 'runs' })
    await until('it runs', () => waiting.has('runs'), Boolean)
    const next = await publisher.enqueue(single, { name: 'waits' })
    const waits = async () => (await first.tasks()).find(({ task }) => task === single.name)?.jobs.available
    await until('the other waits', waits, (jobs) => jobs === 1)
    const cut = broker.cut()
    await bootNode(test, memory(store), { role: 'worker' })
    await until(
      'it runs elsewhere',
      () => runs.get('runs'),
      (count) => count === 2,
    )
    waiting.get('runs')?.()
    await until('the other runs', () => waiting.has('waits'), Boolean)
    waiting.get('waits')?.()
    assert.deepEqual([await running.result(TIMEOUT), await next.result(TIMEOUT)], ['runs', 'waits'])
    await first.idle()
    assert.equal(runs.get('waits'), 1)
    gate.open()
    await cut
  })
})

describe('an outcome', () => {
  it('is taken although it comes before its job is known to be held', async (test) => {
    const store = memoryStore()
    const broker = memory(store)
    const { publish } = broker
    const gate = gateOf()
    broker.publish = async (messages) => {
      const results = await publish.call(broker, messages)
      await gate.opened
      return results
    }
    const { runtime: publisher } = await bootNode(test, broker, { role: 'publisher' })
    await bootNode(test, memory(store), { role: 'worker' })
    const job = await publisher.enqueue(shout, { text: 'quick' })
    assert.equal((await job.result(TIMEOUT)).text, 'QUICK')
    gate.open()
    await publisher.idle()
    await assert.rejects(job.record(), { code: 'MILLRACE_JOB_NOT_FOUND' })
  })
})

describe('a job that a broker delivers', () => {
  it('is written as ended before the broker is told', async (test) => {
    const store = memoryStore()
    const seen: unknown[] = []
    const { runtime: publisher } = await bootNode(test, memory(store), { role: 'publisher' })
    let file = ''
    const broker = memory(store)
    const { subscribe } = broker
    broker.subscribe = (queue, options) => {
      const subscription = subscribe.call(broker, queue, options)
      const { settle } = subscription
      subscription.settle = (settlements) => {
        if (queue === 'loop') seen.push(...untils(file))
        return settle.call(subscription, settlements)
      }
      return subscription
    }
    const worker = await bootNode(test, broker, { role: 'worker' })
    file = worker.file
    await (await publisher.enqueue(shout, { text: 'first' })).result(TIMEOUT)
    await until(
      'the broker was told',
      () => seen.length,
      (count) => count === 1,
    )
    assert.equal(typeof seen[0], 'number')
  })

  it('is not run as it is when somebody may have died of it, but sent again with its count', async (test) => {
    const store = memoryStore()
    const sender = memory(store)
    await sender.open({ queues: [{ name: 'loop', kind: 'work' }], tell: () => {} })
    const header = { id: 'abcdef-1', task: 'across.patient', claim: PUBLICATIONS, attempt: 0, deliveries: 0, strays: 0 }
    const body = encodeJob({ ...header, createdAt: 1, input: '{"name":"counted"}' })
    await sender.publish([{ id: 'abcdef-1.1', queue: 'loop', body }])
    assert.equal((await peek(memory(store), 'loop')).redelivered, false)
    const { runtime } = await bootNode(test, memory(store), { role: 'worker' })
    await until('it runs', () => waiting.has('counted'), Boolean)
    await runtime.stop({ graceMs: 0 })
    const again = await peek(memory(store), 'loop')
    assert.deepEqual([decodeJob(again.body).deliveries, again.redelivered], [1, false])
  })

  it('is told and put aside when it is no message of ours', async (test) => {
    const store = memoryStore()
    const { runtime } = await bootNode(test, memory(store), { role: 'worker' })
    const sender = memory(store)
    await sender.open({ queues: [{ name: 'loop', kind: 'work' }], tell: () => {} })
    const malformed = nextEvent(runtime, 'message.malformed')
    await sender.publish([{ id: 'strange', queue: 'loop', body: Buffer.from('{"id":7}\nnull') }])
    const { queue, error } = await malformed
    assert.deepEqual([queue, (error as { code?: string }).code], ['loop', 'MILLRACE_MESSAGE_MALFORMED'])
    const dead = await new Promise<Delivery>((deliver) => {
      sender.subscribe('loop.dead', { prefetch: 1, deliver, lost: () => {} })
    })
    assert.match(String(dead.headers['dead-reason']), /its id is 7/)
    await dead.from.settle([{ delivery: dead, verdict: DONE }])
  })
})

function gateOf(): { readonly opened: Promise<void>; open(): void } {
  let open: () => void = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open: () => open() }
}

/** A broker that finds back after a cut when the gate opens. */
function gated(attach: () => Broker) {
  const gate = gateOf()
  let attached = 0
  const broker = new CuttableBroker(() => (++attached === 1 ? attach() : closedUntil(gate.opened, attach())))
  return { broker, gate }
}

function closedUntil(gate: Promise<void>, broker: Broker): Broker {
  const { open } = broker
  broker.open = async (options) => {
    await gate
    return open.call(broker, options)
  }
  return broker
}

function untils(file: string): unknown[] {
  const db = new Database(file, { readonly: true })
  try {
    return db.prepare('SELECT until FROM millrace_taken').pluck().all()
  } finally {
    db.close()
  }
}
