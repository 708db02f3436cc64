import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { formatJobId, parseJobId } from '../../lib/job.ts'
import { createPublisher, Database, type Transaction } from '../../runtime/index.ts'
import { parent } from '../fixtures/parent-tasks.ts'
import { echo, kept, laneEcho, parked } from '../fixtures/tasks.ts'
import { leakCheck } from '../helpers/leak-check.ts'
import { nextEvent } from '../helpers/next-event.ts'
import { scratchFolder } from '../helpers/scratch.ts'
import { startRuntime } from '../helpers/start-runtime.ts'

leakCheck({ after }, { withinMs: 5_000 })

const SOON = { timeout: 10_000 }

async function withTransactions(test: { after(clean: () => unknown): unknown }) {
  const file = join(scratchFolder(), 'jobs.db')
  const runtime = await startRuntime(test, { journal: { file } })
  const db = new Database(file)
  test.after(() => db.close())
  return { runtime, inTransaction: <R>(run: (transaction: Transaction) => R) => runtime.transaction(db, run) }
}

describe('a result that is asked for by an id', () => {
  it('is not waited for when nobody has ever given that number', SOON, async (test) => {
    const runtime = await startRuntime(test)
    const { id } = await runtime.enqueue(parked, null)
    const { journal } = parseJobId(id) as { journal: string }
    for (const number of [1_000_000_000, 2 ** 52 + 77]) {
      await assert.rejects(runtime.job(formatJobId(journal, number)).result(), { code: 'MILLRACE_RESULT_NOT_KEPT' })
    }
  })

  it(
    'is not waited for when the job came from another process and has ended in an earlier life',
    SOON,
    async (test) => {
      const file = join(scratchFolder(), 'jobs.db')
      const first = await startRuntime(test, { journal: { file } })
      await using publisher = await createPublisher({ journal: file })
      const ended = nextEvent(first, 'job.succeeded')
      const { id } = await publisher.enqueue(laneEcho, { value: 1 })
      await ended
      await first.stop()
      const next = await startRuntime(test, { journal: { file } })
      await assert.rejects(next.job(id).result(), { code: 'MILLRACE_RESULT_NOT_KEPT' })
    },
  )

  for (const [ends, what] of [
    ['badly', 'is not waited for when its parent has failed, once that is known'],
    ['well', 'comes when its parent has succeeded'],
  ] as const) {
    it(`of a child ${what}`, SOON, async (test) => {
      const runtime = await startRuntime(test, {
        tasks: new URL('../fixtures/parent-tasks.js', import.meta.url),
        lanes: {},
      })
      const told = nextEvent(runtime, 'job.progress')
      await runtime.enqueue(parent, { ends })
      const id = (await told).value as string
      const result = runtime.job(id).result()
      if (ends === 'well') assert.equal(await result, 'grown up')
      else await assert.rejects(result, { code: 'MILLRACE_RESULT_NOT_KEPT' })
      if (ends === 'badly') await assert.rejects(runtime.job(id).result(), { code: 'MILLRACE_RESULT_NOT_KEPT' })
    })
  }

  it('comes when the job is still on its way into the queue', SOON, async (test) => {
    const file = join(scratchFolder(), 'jobs.db')
    const runtime = await startRuntime(test, { journal: { file } })
    await using publisher = await createPublisher({ journal: file })
    const { id } = await publisher.enqueue(laneEcho, { value: 'from outside' })
    assert.deepEqual(await runtime.job(id).result(), { value: 'from outside' })
  })

  it('comes when the job is a duplicate: that of the first, whether it has ended or not', SOON, async (test) => {
    const file = join(scratchFolder(), 'jobs.db')
    const runtime = await startRuntime(test, { journal: { file } })
    await using publisher = await createPublisher({ journal: file })
    const key = { key: 'k', scope: 60_000 }
    await runtime.enqueue(kept, { value: 1 }, { key, delayMs: 300 })
    const { id } = await publisher.enqueue(kept, { value: 2 }, { key })
    assert.equal(await runtime.job(id).result(), 1)
    assert.equal(await runtime.job(id).result(), 1)
  })

  it(
    'is what this process remembers of the first when the job is a duplicate and no row is left',
    SOON,
    async (test) => {
      const { runtime, inTransaction } = await withTransactions(test)
      const key = { key: 'k', scope: 60_000 }
      const first = await runtime.enqueue(echo, { value: 'first' }, { key })
      const early = inTransaction((transaction) => transaction.enqueue(echo, { value: 'second' }, { key }))
      assert.deepEqual(await first.result(), { value: 'first' })
      assert.deepEqual(await early.result(), { value: 'first' })
      const late = inTransaction((transaction) => transaction.enqueue(echo, { value: 'third' }, { key }))
      assert.deepEqual(await late.result(), { value: 'first' })
    },
  )

  it('is not waited for when the first of a duplicate is removed while it is looked for', SOON, async (test) => {
    const { runtime, inTransaction } = await withTransactions(test)
    for (let round = 0; round < 64; round++) {
      const key = { key: `k${round}`, scope: 60_000 }
      const first = await runtime.enqueue(echo, { value: 1 }, { key, delayMs: 600_000 })
      const duplicate = inTransaction((transaction) => transaction.enqueue(echo, { value: 2 }, { key }))
      await duplicate.record()
      const refused = assert.rejects(duplicate.result(), { code: 'MILLRACE_RESULT_NOT_KEPT' })
      for (let turns = round % 8; turns > 0; turns--) await turn()
      await first.remove()
      await refused
    }
  })

  it('is given up in time while the journal waits for another writer', async (test) => {
    const file = join(scratchFolder(), 'jobs.db')
    const runtime = await startRuntime(test, { journal: { file } })
    const { id } = await runtime.enqueue(parked, null)
    const db = new Database(file)
    test.after(() => db.close())
    db.exec('BEGIN IMMEDIATE')
    const late = runtime.enqueue(parked, null)
    const askedAt = performance.now()
    await assert.rejects(runtime.job(id).result({ timeoutMs: 100 }), { code: 'MILLRACE_RESULT_TIMEOUT' })
    const tookMs = performance.now() - askedAt
    db.exec('COMMIT')
    await late
    assert.ok(tookMs < 2_500, `it took ${tookMs} ms, and the journal waits for 5 s`)
  })

  it('comes when it is asked for inside of the transaction that enqueues the job', SOON, async (test) => {
    const { inTransaction } = await withTransactions(test)
    const result = inTransaction((transaction) => ({
      later: transaction.enqueue(echo, { value: 'inside' }).result(),
    }))
    assert.deepEqual(await result.later, { value: 'inside' })
  })
})
