import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { memory, memoryStore } from '../../../adapters/memory/index.ts'
import { createRuntime, Database } from '../../../runtime/index.ts'
import { homely, shout } from '../../fixtures/across-tasks.ts'
import { bootNode } from '../../helpers/boot-node.ts'
import { nextEvent } from '../../helpers/next-event.ts'
import { startRuntime } from '../../helpers/start-runtime.ts'
import { until } from '../../helpers/until.ts'

const journal = { file: ':memory:' }

describe('options of nodes', () => {
  it('are refused where they mean nothing, with the path', async () => {
    const wrong: readonly [object, string][] = [
      [{ broker: 'amqp://localhost' }, 'broker'],
      [{ role: 'worker' }, 'role'],
      [{ awayMs: 60_000 }, 'awayMs'],
      [{ broker: memory(), role: 'boss' }, 'role'],
      [{ broker: memory(), awayMs: 5 }, 'awayMs'],
      [{ broker: memory(), awayMs: null }, 'awayMs'],
      [{ broker: memory(), tasks: undefined }, 'tasks'],
    ]
    for (const [options, path] of wrong) {
      const given = { tasks: '/tasks.js', journal, ...options } as never
      await assert.rejects(createRuntime(given), { code: 'MILLRACE_INVALID_OPTION', path })
    }
  })

  it('let a publisher be without tasks', async (test) => {
    const runtime = await createRuntime({ journal, broker: memory(), role: 'publisher' })
    test.after(() => runtime.stop())
    assert.deepEqual(await runtime.places(), [])
  })
})

describe('a caller that waits for the broker', () => {
  it('is refused where there is none', async (test) => {
    const runtime = await startRuntime(test)
    const broker = { code: 'MILLRACE_INVALID_OPTION', path: 'ack' }
    await assert.rejects(runtime.enqueue(shout, { text: 'a' }, { ack: 'broker' }), broker)
    await assert.rejects(runtime.enqueue(shout, { text: 'a' }, { ack: 'somebody' as never }), broker)
  })

  it('is refused for a job that does not go there', async (test) => {
    const { runtime } = await bootNode(test, memory())
    await assert.rejects(runtime.enqueue(homely, null, { ack: 'broker' }), { path: 'ack' })
  })

  it('has its answer when the job is away, and hears of a stop', async (test) => {
    const store = memoryStore()
    const { runtime } = await bootNode(test, memory(store), { role: 'publisher' })
    const job = await runtime.enqueue(shout, { text: 'a' }, { ack: 'broker' })
    assert.equal((await job.record()).state, 'away')
    const broker = memory(store)
    broker.publish = () => new Promise(() => {})
    const { runtime: cut } = await bootNode(test, broker, { role: 'publisher' })
    const waiting = cut.enqueue(shout, { text: 'b' }, { ack: 'broker' })
    await until(
      'it is under way',
      () => cut.tasks(),
      ([task]) => task?.jobs.running === 1,
    )
    await Promise.all([assert.rejects(waiting, { code: 'MILLRACE_STOPPING' }), cut.stop({ graceMs: 0 })])
  })
})

describe('a job of a transaction', () => {
  it('goes where its task belongs, also from a node that does not handle it', async (test) => {
    const store = memoryStore()
    const { runtime, file } = await bootNode(test, memory(store), { role: 'publisher' })
    await bootNode(test, memory(store), { role: 'worker' })
    const db = new Database(file)
    test.after(() => db.close())
    const job = runtime.transaction(db, (transaction) => transaction.enqueue(shout, { text: 'both' }))
    assert.equal((await job.result({ timeoutMs: 10_000 })).text, 'BOTH')
  })

  it('is refused on a worker, with all of it', async (test) => {
    const { runtime, file } = await bootNode(test, memory(), { role: 'worker' })
    const db = new Database(file)
    test.after(() => db.close())
    const enqueue = () => runtime.transaction(db, (transaction) => transaction.enqueue(shout, { text: 'no' }))
    assert.throws(enqueue, { code: 'MILLRACE_ROLE' })
  })
})

describe('a job of which nobody brings an outcome', () => {
  it('is dead after a while, and may be retried', { timeout: 30_000 }, async (test) => {
    const store = memoryStore()
    const { runtime } = await bootNode(test, memory(store), { role: 'publisher', awayMs: 1_000 })
    const dead = nextEvent(runtime, 'job.dead', { timeoutMs: 20_000 })
    const job = await runtime.enqueue(shout, { text: 'nobody' })
    await assert.rejects(job.result({ timeoutMs: 20_000 }), { code: 'MILLRACE_NO_OUTCOME' })
    const { id, error } = await dead
    assert.deepEqual([id, error.code, (await job.record()).state], [job.id, 'MILLRACE_NO_OUTCOME', 'dead'])
    await job.retry()
    await until(
      'it is away again',
      async () => (await job.record()).state,
      (state) => state === 'away',
    )
  })
})

describe('a queue that nobody has made', () => {
  it('holds up no other, and its jobs go when it is there', { timeout: 30_000 }, async (test) => {
    const store = memoryStore()
    const lanes = { elsewhere: {} }
    const { runtime } = await bootNode(test, memory(store), { role: 'publisher', lanes })
    const kept = nextEvent(runtime, 'message.kept')
    const job = await runtime.enqueue(shout, { text: 'late' })
    const { queue, because } = await kept
    assert.deepEqual([queue, because], ['loop', 'unroutable'])
    await bootNode(test, memory(store), { role: 'worker' })
    assert.equal((await job.result({ timeoutMs: 20_000 })).text, 'LATE')
  })
})
