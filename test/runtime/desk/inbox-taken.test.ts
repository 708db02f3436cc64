import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { Database, defineTask, type Runtime, type Transaction } from '../../../runtime/index.ts'
import { inboxTaken } from '../../../runtime/desk/inbox-taken.ts'
import { unanswered } from '../../../runtime/journal/owner/unanswered.ts'
import type { Wires } from '../../../runtime/wires.ts'
import { echo, laneEcho, laneWait } from '../../fixtures/tasks.ts'
import { scratchFolder } from '../../helpers/scratch.ts'
import { startRuntime } from '../../helpers/start-runtime.ts'

const SOON = { timeout: 20_000 }
const LATER = { delayMs: 600_000 }
/** More than one commit takes out of the inbox. */
const JOBS = 1_200

/** A task that no module has, and of which its journal has never heard. */
const strange = defineTask<null, null>({ name: 'strange' })

async function withTransactions(test: { after(clean: () => unknown): unknown }) {
  const file = join(scratchFolder(), 'jobs.db')
  const runtime = await startRuntime(test, { journal: { file } })
  const db = new Database(file)
  test.after(() => db.close())
  const inTransaction = (run: (transaction: Transaction) => void) => runtime.transaction(db, run)
  const enqueueLater = (jobs = JOBS) =>
    inTransaction((transaction) => {
      for (let value = 0; value < jobs; value++) transaction.enqueue(echo, { value }, LATER)
    })
  return { runtime, db, inTransaction, enqueueLater }
}

async function statesOf(runtime: Runtime, { name }: { readonly name: string }) {
  return (await runtime.tasks()).find(({ task }) => task === name)?.jobs
}

describe('what a transaction has committed', () => {
  it('is in the next page, also if the journal has never heard of the task', SOON, async (test) => {
    const { runtime, inTransaction } = await withTransactions(test)
    inTransaction((transaction) => void transaction.enqueue(strange, null, LATER))
    assert.equal((await runtime.jobs({ task: strange })).jobs.length, 1)
  })

  it('is counted, also if the journal has never heard of the task', SOON, async (test) => {
    const { runtime, inTransaction, enqueueLater } = await withTransactions(test)
    enqueueLater()
    assert.deepEqual(await statesOf(runtime, echo), { scheduled: JOBS })
    inTransaction((transaction) => void transaction.enqueue(strange, null, LATER))
    assert.deepEqual(await statesOf(runtime, strange), { scheduled: 1 })
  })

  it('is cancelled by cancelMany, beside what was there', SOON, async (test) => {
    const { runtime, enqueueLater } = await withTransactions(test)
    await runtime.enqueue(echo, { value: 1 }, LATER)
    enqueueLater()
    assert.equal(await runtime.cancelMany({ task: echo }), JOBS + 1)
    assert.deepEqual(await statesOf(runtime, echo), { cancelled: JOBS + 1 })
  })

  it('is cancelled by cancelMany where it is due at once and comes to run meanwhile', SOON, async (test) => {
    const { runtime, inTransaction } = await withTransactions(test)
    inTransaction((transaction) => {
      for (let at = 0; at < JOBS; at++) transaction.enqueue(laneWait, null)
    })
    assert.equal(await runtime.cancelMany({ task: laneWait }), JOBS)
    await runtime.idle()
    assert.deepEqual(await statesOf(runtime, laneWait), { cancelled: JOBS })
  })

  it('is deleted by purge, also if the journal has never heard of the task', SOON, async (test) => {
    const { runtime, inTransaction, enqueueLater } = await withTransactions(test)
    enqueueLater()
    assert.equal(await runtime.purge({ task: echo }), JOBS)
    inTransaction((transaction) => void transaction.enqueue(strange, null))
    assert.equal(await runtime.purge({ task: strange }), 1)
    assert.deepEqual((await runtime.jobs()).jobs, [])
  })

  it('is waited for by idle', SOON, async (test) => {
    const { runtime, inTransaction, enqueueLater } = await withTransactions(test)
    let ran = 0
    runtime.on('job.succeeded', () => ran++)
    enqueueLater(3 * JOBS)
    inTransaction((transaction) => void transaction.enqueue(laneEcho, { value: 1 }))
    await runtime.idle()
    assert.equal(ran, 1)
  })

  it('is waited for by no page while the journal takes nothing', SOON, async (test) => {
    const { runtime, db, enqueueLater } = await withTransactions(test)
    await runtime.enqueue(echo, { value: 1 }, LATER)
    db.exec("CREATE TRIGGER stuck BEFORE DELETE ON millrace_inbox BEGIN SELECT RAISE(FAIL, 'stuck'); END")
    enqueueLater(1)
    assert.equal((await runtime.jobs()).jobs.length, 1)
    await assert.rejects(runtime.cancelMany({}), { code: 'MILLRACE_JOURNAL_IO' })
    db.exec('DROP TRIGGER stuck')
  })
})

describe('a look into the inbox whose journal thread ends meanwhile', () => {
  const journalWhose = (barrier: () => Promise<void>) => {
    const answers = [Promise.reject(unanswered()), Promise.resolve(undefined)]
    return { journal: { query: () => answers.shift(), barrier } } as unknown as Pick<Wires, 'journal'>
  }

  it('is asked of the next one', async () => {
    await inboxTaken(journalWhose(async () => undefined))
  })

  it('is given up where that refuses commits', async () => {
    const refusing = journalWhose(() => Promise.reject(new Error('the disk fails')))
    await assert.rejects(inboxTaken(refusing), { code: 'MILLRACE_JOURNAL_IO', message: /ask again/ })
  })
})

describe('a look into an inbox with nothing in it', () => {
  it('costs no commit', async () => {
    const asked: string[] = []
    const journal = {
      query: async () => void asked.push('query'),
      barrier: async () => void asked.push('barrier'),
    }
    await inboxTaken({ journal } as unknown as Pick<Wires, 'journal'>)
    assert.deepEqual(asked, ['query'])
  })
})
