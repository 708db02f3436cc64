import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import type { Worker } from 'node:worker_threads'
import { boot, systemGround } from '../../../../runtime/boot.ts'
import { resolveConfig } from '../../../../runtime/config/config.ts'
import { Database } from '../../../../runtime/index.ts'
import type { ConnectJournal } from '../../../../runtime/journal/link.ts'
import type { FromJournal, Reply } from '../../../../runtime/journal/protocol.ts'
import { startJournalThread } from '../../../../runtime/journal/owner/thread.ts'
import { Runtime } from '../../../../runtime/runtime.ts'
import { echo, kept, parked, traced } from '../../../fixtures/tasks.ts'
import { nextEvent } from '../../../helpers/next-event.ts'
import { ledgerLines, scratchFolder } from '../../../helpers/scratch.ts'
import { fixtureTasks, startRuntime } from '../../../helpers/start-runtime.ts'
import { markWorkers, workersSince } from '../../../helpers/workers.ts'

async function withJournalThread(test: { after(clean: () => unknown): unknown }) {
  const mark = markWorkers()
  const runtime = await startRuntime(test, { journal: { file: join(scratchFolder(), 'jobs.db') } })
  const journalThread = () => workersSince(mark).at(-1) as Worker
  return { runtime, first: workersSince(mark)[0] as Worker, latest: journalThread }
}

/** Enqueues without a pause until it is told to stop; says which jobs were acknowledged, and how the others ended. */
function publishing(
  runtime: Runtime,
  enqueue: () => Promise<{ readonly id: string }> = () => runtime.enqueue(parked, null),
) {
  const acknowledged: string[] = []
  const refused: unknown[] = []
  let status: 'running' | 'stopped' = 'running'
  const publishers = Promise.all(
    Array.from({ length: 50 }, async () => {
      while (status === 'running') {
        await enqueue().then(
          ({ id }) => acknowledged.push(id),
          (error: unknown) => {
            refused.push(error)
            // Of a runtime that has stopped: it would go on for ever.
            status = 'stopped'
          },
        )
      }
    }),
  )
  return async () => {
    status = 'stopped'
    await publishers
    return { acknowledged, refused }
  }
}

/** A runtime whose journal thread dies once: with a reply of this kind, which is lost along with it. */
async function forgetfulRuntime(test: TestContext, isLost: (reply: Reply) => boolean): Promise<Runtime> {
  return runtimeOver(test, (options, resume, listener) => {
    const mark = markWorkers()
    let status: 'heard' | 'lost' = 'heard'
    const received = (message: FromJournal) => {
      if (resume === undefined && message.type === 'reply' && isLost(message.reply)) {
        status = 'lost'
        void workersSince(mark)[0]?.terminate()
      }
      if (status === 'heard') listener.received(message)
    }
    return startJournalThread(options, resume, { exited: (error) => listener.exited(error), received })
  })
}

async function runtimeOver(test: TestContext, connect: ConnectJournal): Promise<Runtime> {
  const config = resolveConfig({
    tasks: fixtureTasks,
    journal: { file: join(scratchFolder(), 'jobs.db') },
    tiers: { default: { threads: 1 }, small: { threads: 1 } },
    lanes: { network: {} },
  })
  const runtime = new Runtime(await boot(config, { ...systemGround(), connect }))
  test.after(() => runtime.stop({ graceMs: 0 }))
  return runtime
}

/** Three deaths of the journal's thread, as many as a runtime survives in ten seconds. */
async function killThrice(runtime: Runtime, first: Worker): Promise<void> {
  let thread = first
  for (let death = 0; death < 3; death++) {
    const mark = markWorkers()
    const down = nextEvent(runtime, 'journal.down', { timeoutMs: 20_000 })
    await new Promise((resolve) => setTimeout(resolve, 60))
    await thread.terminate()
    await down
    // The next commit goes through the next thread.
    await runtime.enqueue(parked, null)
    thread = workersSince(mark)[0] as Worker
  }
}

describe('the journal thread', () => {
  it('is opened again where it was, also when the service has gone to another directory', async (test) => {
    const [before, [here, elsewhere]] = [process.cwd(), [scratchFolder(), scratchFolder()]]
    test.after(() => process.chdir(before))
    process.chdir(here)
    const mark = markWorkers()
    const runtime = await startRuntime(test, { journal: { file: 'data/jobs.db' } })
    const { id } = await runtime.enqueue(parked, null)
    process.chdir(elsewhere)
    const down = nextEvent(runtime, 'journal.down')
    void workersSince(mark)[0]?.terminate()
    await down
    await runtime.enqueue(parked, null)
    assert.equal((await runtime.job(id).record()).state, 'available')
    assert.deepEqual(readdirSync(elsewhere), [])
  })

  it('is opened again also when that fails once', async (test) => {
    const mark = markWorkers()
    let openings = 0
    const runtime = await runtimeOver(test, (options, resume, listener) => {
      const file = ++openings === 2 ? scratchFolder() : options.file
      return startJournalThread({ ...options, file }, resume, listener)
    })
    const down = nextEvent(runtime, 'journal.down')
    void workersSince(mark)[0]?.terminate()
    await down
    await runtime.enqueue(parked, null)
    assert.equal(openings, 3)
  })

  it('may die at any time: nothing that was acknowledged is lost, and nothing is written twice', async (test) => {
    const { runtime, first } = await withJournalThread(test)
    const stopPublishing = publishing(runtime)
    await killThrice(runtime, first)
    const { acknowledged, refused } = await stopPublishing()
    assert.deepEqual(refused, [])
    const { jobs } = (await runtime.tasks()).find(({ task }) => task === 'parked') ?? {}
    assert.equal(jobs?.available, acknowledged.length + 3)
    assert.equal(new Set(acknowledged).size, acknowledged.length)
  })

  it('may die while jobs run: none is run twice, and each is told once', async (test) => {
    const { runtime, first } = await withJournalThread(test)
    const ledger = join(scratchFolder(), 'ledger')
    const told: string[] = []
    runtime.on('job.succeeded', ({ id }) => told.push(id))
    const stopPublishing = publishing(runtime, () => runtime.enqueue(traced, { ledger, ms: told.length % 3 }))
    await killThrice(runtime, first)
    const { acknowledged } = await stopPublishing()
    await runtime.idle()
    const starts = ledgerLines(ledger).flatMap(([what, id]) => (what === 'start' ? [id] : []))
    const each = new Set<string | undefined>(acknowledged)
    assert.deepEqual([starts.length, new Set(starts)], [each.size, each], 'what was started')
    assert.deepEqual([told.length, new Set(told)], [each.size, each], 'what was told')
  })

  it('loses no outcome when it dies, and no job runs twice for it', async (test) => {
    const { runtime, first } = await withJournalThread(test)
    const jobs = await Promise.all(Array.from({ length: 200 }, (_, value) => runtime.enqueue(kept, { value })))
    await first.terminate()
    const results = await Promise.all(jobs.map((job) => job.result({ timeoutMs: 20_000 })))
    assert.deepEqual(results, [...results.keys()])
    const { attempts, claim } = await (jobs[0] as (typeof jobs)[0]).record()
    assert.deepEqual([attempts, claim], [1, 1])
  })

  it('may die before it has said what has ended: who waits for that hears of it all the same', async (test) => {
    const runtime = await forgetfulRuntime(test, ({ expired }) => expired.length > 0)
    const told = nextEvent(runtime, 'job.expired', { timeoutMs: 20_000 })
    const job = await runtime.enqueue(parked, null, { expiresAt: Date.now() + 100 })
    await assert.rejects(job.result({ timeoutMs: 20_000 }), { code: 'MILLRACE_JOB_EXPIRED' })
    assert.equal((await told).id, job.id)
  })

  it('is not opened again when another process has taken the journal over, and everybody hears of that', async (test) => {
    const file = join(scratchFolder(), 'jobs.db')
    const runtime = await startRuntime(test, { journal: { file } })
    const waiting = (await runtime.enqueue(parked, null)).result()
    const lost = { code: 'MILLRACE_JOURNAL_LOST' }
    const heard = assert.rejects(waiting, lost)
    const failed = nextEvent(runtime, 'runtime.failed', { timeoutMs: 20_000 })
    const db = new Database(file)
    db.prepare('UPDATE millrace_meta SET epoch = epoch + 1').run()
    db.close()
    await assert.rejects(runtime.enqueue(parked, null), lost)
    assert.equal(((await failed).error as { code?: string }).code, lost.code)
    await heard
  })

  it('dies once too often, and everybody who waits hears why', async (test) => {
    const { runtime, first } = await withJournalThread(test)
    const failed = nextEvent(runtime, 'runtime.failed', { timeoutMs: 20_000 })
    const told: unknown[] = []
    runtime.on('runtime.failed', ({ error }) => told.push((error as { code?: string }).code))
    const waiting = (await runtime.enqueue(parked, null)).result()
    const refused = assert.rejects(waiting, { code: 'MILLRACE_JOURNAL_IO', message: /ends again and again/ })
    let thread = first
    let over = false
    void failed.then(() => {
      over = true
    })
    while (!over) {
      const mark = markWorkers()
      await thread.terminate()
      const deadline = Date.now() + 5_000
      while (!over && workersSince(mark).length === 0 && Date.now() < deadline)
        await new Promise((r) => setTimeout(r, 2))
      thread = workersSince(mark)[0] ?? thread
    }
    await failed
    await refused
    await assert.rejects(runtime.enqueue(echo, { value: 1 }), { code: 'MILLRACE_JOURNAL_IO' })
    await runtime.stop()
    assert.deepEqual(told, ['MILLRACE_JOURNAL_IO'])
  })
})
