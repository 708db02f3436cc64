import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Broker } from '../../lib/broker.ts'
import type { Json } from '../../lib/json.ts'
import {
  failing,
  homely,
  hopeless,
  later,
  owned,
  parent,
  patient,
  runs,
  shout,
  single,
  slowly,
  unwanted,
  waiting,
} from '../fixtures/across-tasks.ts'
import { nextEvent } from './next-event.ts'
import { bootNode } from './boot-node.ts'
import { until } from './until.ts'

const TIMEOUT = { timeoutMs: 10_000 }

type Test = Parameters<typeof bootNode>[0]

/** Gives each node its own access to a broker that only this test has. */
export type ShareBroker = (test: Test) => () => Broker

/** What nodes that share a broker do, whichever broker it is. */
export function acrossCases(share: ShareBroker): void {
  /** One node that enqueues, and one that runs. */
  async function pair(test: Test) {
    const attach = share(test)
    const publisher = await bootNode(test, attach(), { role: 'publisher' })
    const worker = await bootNode(test, attach(), { role: 'worker' })
    return { attach, file: publisher.file, publisher: publisher.runtime, worker: worker.runtime }
  }

  it('run a job of one on another, and bring its result home', async (test) => {
    const { publisher, worker } = await pair(test)
    const there = nextEvent(worker, 'job.succeeded')
    const here = nextEvent(publisher, 'job.succeeded')
    const job = await publisher.enqueue(shout, { text: 'hello' })
    assert.deepEqual(await job.result(TIMEOUT), { text: 'HELLO', jobId: job.id })
    for (const event of [await there, await here]) {
      assert.deepEqual([event.id, event.task, event.attempt], [job.id, 'across.shout', 1])
    }
    await assert.rejects(job.record(), { code: 'MILLRACE_JOB_NOT_FOUND' })
  })

  it('both enqueue and run, and tell of a job once', async (test) => {
    const attach = share(test)
    const { runtime } = await bootNode(test, attach())
    const told: string[] = []
    runtime.on('job.succeeded', ({ id }) => void told.push(id))
    const job = await runtime.enqueue(shout, { text: 'hello' })
    await job.result(TIMEOUT)
    await runtime.idle()
    assert.deepEqual(told, [job.id])
  })

  it('bring every kind of end home', async (test) => {
    const { publisher } = await pair(test)
    const dead = await publisher.enqueue(hopeless, null)
    await assert.rejects(dead.result(TIMEOUT), { code: 'MILLRACE_JOB_FAILED' })
    const record = await dead.record()
    assert.deepEqual([record.state, record.attempts, record.history.at(-1)?.error?.message], ['dead', 1, 'never'])
    const discarded = await publisher.enqueue(unwanted, null)
    await assert.rejects(discarded.result(TIMEOUT), { code: 'MILLRACE_JOB_DISCARDED' })
    assert.equal((await discarded.record()).state, 'discarded')
    const job = await publisher.enqueue(later, { at: Date.now() + 300 })
    assert.equal(await job.result(TIMEOUT), 'now')
  })

  it('retry soon where the job is, and later through the broker, and count both', async (test) => {
    const { publisher, worker } = await pair(test)
    const retries: string[] = []
    publisher.on('job.retrying', ({ id, attempt }) => void retries.push(`${id} ${attempt}`))
    const soon = await publisher.enqueue(failing, { failures: 2 })
    assert.equal(await soon.result(TIMEOUT), 3)
    assert.deepEqual(retries, [])
    const retrying = nextEvent(worker, 'job.retrying')
    const late = await publisher.enqueue(slowly, { failures: 1 })
    assert.equal((await retrying).id, late.id)
    assert.equal((await worker.tasks()).find(({ task }) => task === 'across.slowly')?.jobs.scheduled, undefined)
    assert.equal(await late.result(TIMEOUT), 2)
    assert.deepEqual(retries, [`${late.id} 1`])
  })

  it('carry an input and a result as large as they may be', async (test) => {
    const { publisher } = await pair(test)
    const text = 'x'.repeat(1024 * 1024 - 100)
    const job = await publisher.enqueue(shout, { text }, { metadata: { note: '"'.repeat(8_000) } })
    assert.equal((await job.result(TIMEOUT)).text, text.toUpperCase())
  })

  it('hold a delayed job back in the broker', async (test) => {
    const { publisher } = await pair(test)
    const before = performance.now()
    const job = await publisher.enqueue(shout, { text: 'hello' }, { delayMs: 1_200 })
    await until(
      'it is away',
      () => stateOf(job),
      (state) => state === 'away',
    )
    await job.result(TIMEOUT)
    assert.ok(performance.now() - before >= 1_200)
  })

  it('keep local jobs where they are', async (test) => {
    const attach = share(test)
    const { runtime } = await bootNode(test, attach())
    assert.equal(await (await runtime.enqueue(homely, null)).result(TIMEOUT), 'here')
    const { runtime: publisher } = await bootNode(test, attach(), { role: 'publisher' })
    await assert.rejects(publisher.enqueue(homely, null), { code: 'MILLRACE_INVALID_OPTION', path: 'task' })
  })

  it('bring children of a job on their way from where it ran', async (test) => {
    const { publisher, worker } = await pair(test)
    const child = nextEvent(worker, 'job.succeeded', { where: ({ task }) => task === 'across.shout' })
    const job = await publisher.enqueue(parent, { text: 'hello' })
    const id = await job.result(TIMEOUT)
    assert.equal((await child).id, id)
  })

  it('answer a result to the node that has the job after it was started anew', async (test) => {
    const { publisher, file, attach } = await pair(test)
    const job = await publisher.enqueue(patient, { name: 'anew' }, { ack: 'broker' })
    await until('it runs', () => waiting.has('anew'), Boolean)
    await publisher.stop()
    const { runtime: again } = await bootNode(test, attach(), { role: 'publisher', journal: { file } })
    const result = again.job(job.id).result(TIMEOUT)
    waiting.get('anew')?.()
    assert.equal(await result, 'anew')
  })

  it('answer a result that came while its node was away', async (test) => {
    const { publisher, worker, file, attach } = await pair(test)
    const job = await publisher.enqueue(patient, { name: 'away' }, { ack: 'broker', keepResultMs: 60_000 })
    await until('it runs', () => waiting.has('away'), Boolean)
    await publisher.stop()
    const done = nextEvent(worker, 'job.succeeded')
    waiting.get('away')?.()
    await done
    const { runtime: again } = await bootNode(test, attach(), { role: 'publisher', journal: { file } })
    const told = nextEvent(again, 'job.succeeded')
    assert.equal(await again.job(job.id).result(TIMEOUT), 'away')
    assert.equal((await told).id, job.id)
  })

  it('leave a job of a task that they do not know for one that does', async (test) => {
    const attach = share(test)
    const { runtime: publisher } = await bootNode(test, attach(), { role: 'publisher' })
    const tasks = new URL('../fixtures/across-stranger.js', import.meta.url)
    await bootNode(test, attach(), { role: 'worker', tasks })
    const job = await publisher.enqueue(shout, { text: 'hello' }, { ack: 'broker' })
    await assert.rejects(job.result({ timeoutMs: 500 }), { code: 'MILLRACE_RESULT_TIMEOUT' })
    await bootNode(test, attach(), { role: 'worker' })
    assert.equal((await job.result(TIMEOUT)).text, 'HELLO')
  })

  it('give back what has not started when they stop, uncounted', async (test) => {
    const attach = share(test)
    const { runtime: publisher } = await bootNode(test, attach(), { role: 'publisher' })
    const lanes = { loop: { concurrency: 1 } }
    const first = await bootNode(test, attach(), { role: 'worker', lanes })
    const jobs = await Promise.all(
      ['a', 'b', 'c'].map((name) => publisher.enqueue(patient, { name: `stop-${name}` }, { ack: 'broker' })),
    )
    await until(
      'one runs',
      () => [...waiting.keys()].filter((name) => name.startsWith('stop-')).length,
      (n) => n > 0,
    )
    await first.runtime.stop({ graceMs: 0 })
    waiting.clear()
    await bootNode(test, attach(), { role: 'worker' })
    await until('all run', () => ['a', 'b', 'c'].every((name) => waiting.has(`stop-${name}`)), Boolean)
    for (const end of waiting.values()) end()
    for (const job of jobs) await job.result(TIMEOUT)
  })

  it('keep a key for as long as its job is away', async (test) => {
    const { publisher } = await pair(test)
    const job = await publisher.enqueue(patient, { name: 'keyed' }, { key: 'one', ack: 'broker' })
    await until('it runs', () => waiting.has('keyed'), Boolean)
    const second = await publisher.enqueue(patient, { name: 'keyed' }, { key: 'one', ack: 'broker' })
    assert.deepEqual([second.id, second.duplicate], [job.id, true])
    waiting.get('keyed')?.()
    assert.equal(await second.result(TIMEOUT), 'keyed')
    const third = await publisher.enqueue(shout, { text: 'free' }, { key: 'one' })
    assert.equal(third.duplicate, false)
    await third.result(TIMEOUT)
    assert.equal(runs.get('keyed'), 1)
  })

  it('let a job expire where it waits, and say so at home', async (test) => {
    const { publisher } = await pair(test)
    const first = await publisher.enqueue(single, { name: 'holds' })
    await until('it runs', () => waiting.has('holds'), Boolean)
    const expired = nextEvent(publisher, 'job.expired', TIMEOUT)
    const late = await publisher.enqueue(single, { name: 'late' }, { expiresAt: Date.now() + 700 })
    await assert.rejects(late.result(TIMEOUT), { code: 'MILLRACE_JOB_EXPIRED' })
    assert.equal((await expired).id, late.id)
    assert.equal((await late.record()).state, 'expired')
    waiting.get('holds')?.()
    await first.result(TIMEOUT)
    assert.equal(runs.get('late'), undefined)
  })

  it('hold limits by key where jobs run', async (test) => {
    const { publisher, worker } = await pair(test)
    const names = ['a-1', 'a-2', 'b-1'].map((name) => ({ name: `owned-${name}`, owner: name.slice(0, 1) }))
    const jobs = await Promise.all(names.map((input) => publisher.enqueue(owned, input)))
    const counts = async () => (await worker.tasks()).find(({ task }) => task === owned.name)?.jobs
    await until('two run', counts, (found) => found?.running === 2 && found.available === 1)
    await until(
      'the one of another owner runs',
      () => runs.get('owned-b-1'),
      (count) => count === 1,
    )
    for (const { name } of names) {
      await until(name, () => waiting.has(name), Boolean)
      waiting.get(name)?.()
    }
    for (const job of jobs) await job.result(TIMEOUT)
  })

  it('run a great many, each once', { timeout: 60_000 }, async (test) => {
    const { publisher } = await pair(test)
    let ended = 0
    const all = new Promise<void>((resolve) => {
      publisher.on('job.succeeded', () => ++ended === 3_000 && resolve())
    })
    const seen = new Set<string>()
    publisher.on('job.succeeded', ({ id }) => void seen.add(id))
    publisher.on('outcome.dropped', ({ error }) => assert.fail(error))
    await publisher.enqueueMany(
      shout,
      Array.from({ length: 3_000 }, (_, at) => ({ text: `job ${at}` })),
    )
    await all
    assert.deepEqual([ended, seen.size], [3_000, 3_000])
  })

  it('say who may enqueue', async (test) => {
    const { worker } = await pair(test)
    await assert.rejects(worker.enqueue(shout, { text: 'hello' }), { code: 'MILLRACE_ROLE', path: 'role' })
  })
}

async function stateOf(job: { record(): Promise<{ readonly state: Json }> }): Promise<Json> {
  return (await job.record()).state
}
