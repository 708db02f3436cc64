// needs-quiet: how soon a job is seen
import assert from 'node:assert/strict'
import { symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, describe, it, type TestContext } from 'node:test'
import { createPublisher, Database, type MillraceError } from '../../../runtime/index.ts'
import type { PublishingAnswer, PublishingCommand } from '../../fixtures/publishing-process.ts'
import { flaky, kept, laneEcho } from '../../fixtures/tasks.ts'
import { leakCheck } from '../../helpers/leak-check.ts'
import { nextEvent } from '../../helpers/next-event.ts'
import { startNode } from '../../helpers/node-process.ts'
import { scratchFolder } from '../../helpers/scratch.ts'
import { startRuntime } from '../../helpers/start-runtime.ts'
import { markWorkers, workersSince } from '../../helpers/workers.ts'

leakCheck({ after }, { withinMs: 5_000 })

/** The contract's, for a quarter of them: a machine that is busy makes some late, and none early. */
const SEEN_WITHIN_MS = 50

function journalIn(): string {
  return join(scratchFolder(), 'jobs.db')
}

/** A process that is not the owner. `ask` rejects with the answer's code. */
function publishingProcess(test: TestContext) {
  const { child, line, exited } = startNode(test, new URL('../../fixtures/publishing-process.js', import.meta.url))
  const ask = async (command: PublishingCommand): Promise<PublishingAnswer> => {
    child.stdin?.write(`${JSON.stringify(command)}\n`)
    const answer = JSON.parse(await line('{')) as PublishingAnswer
    if (answer.message !== undefined) throw Object.assign(new Error(answer.message), { code: answer.code })
    return answer
  }
  const enqueue = async (task: 'laneEcho' | 'kept', input: unknown, options?: object) =>
    (await ask({ do: 'enqueue', task, input, ...(options !== undefined && { options }) })).value as string
  return { child, ask, enqueue, exited }
}

async function ownerAndPublisher(test: TestContext) {
  const journal = journalIn()
  const runtime = await startRuntime(test, { journal: { file: journal } })
  const other = publishingProcess(test)
  await other.ask({ do: 'open', journal })
  return { journal, runtime, ...other }
}

describe('a job that another process publishes', () => {
  it('is run by the owner soon', async (test) => {
    const { runtime, ask } = await ownerAndPublisher(test)
    const latencies: number[] = []
    for (let round = 0; round < 20; round++) {
      const ended = nextEvent(runtime, 'job.succeeded', { timeoutMs: 20_000 }).then((event) => ({
        id: event.id,
        at: Date.now(),
      }))
      const { value, at } = await ask({ do: 'enqueue', task: 'laneEcho', input: { value: round } })
      const { id, at: endedAt } = await ended
      assert.equal(id, value)
      latencies.push(endedAt - at)
    }
    const [quarter, median, most] = [5, 10, 19].map((at) => latencies.sort((a, b) => a - b)[at] as number)
    const took = `from the acknowledgement to the committed success: ${quarter}, ${median}, ${most} ms`
    test.diagnostic(took)
    assert.ok(quarter !== undefined && quarter < SEEN_WITHIN_MS, took)
  })

  it('gives its result through the journal, where its task keeps it', async (test) => {
    const { ask, enqueue } = await ownerAndPublisher(test)
    const id = await enqueue('kept', { value: 7 })
    assert.equal((await ask({ do: 'result', id, timeoutMs: 20_000 })).value, 7)
    const { value } = await ask({ do: 'record', id })
    assert.equal((value as { state: string }).state, 'succeeded')
    const gone = await enqueue('laneEcho', { value: 1 })
    const askedAt = performance.now()
    await assert.rejects(ask({ do: 'result', id: gone, timeoutMs: 60_000 }), { code: 'MILLRACE_RESULT_NOT_KEPT' })
    assert.ok(performance.now() - askedAt < 30_000, 'it is not waited for what has ended')
    await assert.rejects(ask({ do: 'record', id: gone }), {
      code: 'MILLRACE_JOB_NOT_FOUND',
      message: /set keepResultMs or keepHistory/,
    })
    await assert.rejects(ask({ do: 'record', id: 'other0-1' }), {
      code: 'MILLRACE_JOB_NOT_FOUND',
      message: /"other0-1" is no job of this journal; expected an id like \w+-/,
    })
  })

  it('is waited for until the timeout where the owner has enqueued it and kept nothing', async (test) => {
    const { journal, runtime } = await ownerAndPublisher(test)
    await using publisher = await createPublisher({ journal })
    const gone = await runtime.enqueue(laneEcho, { value: 1 })
    await gone.result()
    const asking = publisher.job(gone.id).result({ timeoutMs: 200 })
    await assert.rejects(asking, { code: 'MILLRACE_RESULT_TIMEOUT' })
  })

  it('ends as it would on a handle of the owner, where it does not succeed', async (test) => {
    const { journal, runtime } = await ownerAndPublisher(test)
    await using publisher = await createPublisher({ journal })
    const once = { retry: { attempts: 1 } }
    const failed = await publisher.enqueue(flaky, { failures: 9 }, once)
    await assert.rejects(failed.result({ timeoutMs: 20_000 }), (error: MillraceError) => {
      assert.deepEqual([error.code, (error.cause as { code: string }).code], ['MILLRACE_JOB_FAILED', 'E_FLAKY'])
      return true
    })
    const retrying = nextEvent(runtime, 'job.retrying')
    const later = await publisher.enqueue(
      flaky,
      { failures: 9 },
      { retry: { backoff: { type: 'fixed', delayMs: 60_000 } } },
    )
    await retrying
    assert.equal(await runtime.job(later.id).cancel(), 'cancelled')
    await assert.rejects(later.result({ timeoutMs: 20_000 }), { code: 'MILLRACE_JOB_CANCELLED' })
    for (const options of [undefined, {}, { timeoutMs: Number.NaN }, { timeoutMs: 5, timeout: 5 }] as never[]) {
      await assert.rejects(later.result(options), /MILLRACE_(INVALID|UNKNOWN)_OPTION/)
    }
  })

  it('is one with the first that has its key, whoever published that', async (test) => {
    const { runtime, ask, enqueue } = await ownerAndPublisher(test)
    const first = await runtime.enqueue(kept, { value: 1 }, { key: { key: 'k', scope: 60_000 } })
    const second = await enqueue('kept', { value: 2 }, { key: { key: 'k', scope: 60_000 } })
    assert.notEqual(second, first.id)
    assert.equal((await ask({ do: 'result', id: second, timeoutMs: 20_000 })).value, 1)
    assert.equal(((await ask({ do: 'record', id: second })).value as { id: string }).id, first.id)
  })

  it('may come in any number', async (test) => {
    const { runtime, ask } = await ownerAndPublisher(test)
    let succeeded = 0
    runtime.on('job.succeeded', () => succeeded++)
    assert.deepEqual((await ask({ do: 'many', count: 2_500 })).value, { enqueued: 2_500, duplicates: 0 })
    await runtime.idle()
    assert.equal(succeeded, 2_500)
  })

  it('waits for an owner, and survives the process that published it', async (test) => {
    const { journal, runtime, child, enqueue, exited } = await ownerAndPublisher(test)
    await runtime.stop()
    const id = await enqueue('kept', { value: 3 })
    child.kill('SIGKILL')
    assert.equal((await exited).signal, 'SIGKILL')
    const next = await startRuntime(test, { journal: { file: journal } })
    assert.equal(await next.job(id).result({ timeoutMs: 20_000 }), 3)
  })

  it('leaves nothing behind when it was refused', async (test) => {
    const { journal, ask, enqueue } = await ownerAndPublisher(test)
    await assert.rejects(enqueue('laneEcho', { value: 1 }, { prioriti: 3 }), { code: 'MILLRACE_UNKNOWN_OPTION' })
    await ask({ do: 'close' })
    await assert.rejects(enqueue('laneEcho', { value: 1 }), { code: 'MILLRACE_STOPPING' })
    const db = new Database(journal, { readonly: true })
    assert.equal(db.prepare('SELECT count(*) FROM millrace_inbox').pluck().get(), 0)
    db.close()
  })
})

describe('createPublisher', () => {
  it('needs a journal that an owner has made', async (test) => {
    const { ask } = publishingProcess(test)
    await assert.rejects(ask({ do: 'open', journal: journalIn() }), { code: 'MILLRACE_JOURNAL_IO' })
    const [text, foreign] = [journalIn(), journalIn()]
    writeFileSync(
      text,
      'This is no database, and longer than the head of one would be, which is a hundred bytes. '.repeat(9),
    )
    new Database(foreign).exec('CREATE TABLE photos (id)').close()
    for (const [journal, code] of [
      [scratchFolder(), 'MILLRACE_JOURNAL_IO'],
      [text, 'MILLRACE_JOURNAL_CORRUPT'],
      [foreign, 'MILLRACE_JOURNAL_VERSION'],
    ] as const) {
      await assert.rejects(createPublisher({ journal }), { code, path: 'journal' }, journal)
    }
  })

  it('refuses a link in the place of the journal, as its owner does, and follows those that lead to its folder', async (test) => {
    const journal = journalIn()
    const folder = scratchFolder()
    const runtime = await startRuntime(test, { journal: { file: journal } })
    symlinkSync(journal, join(folder, 'jobs.db'))
    await assert.rejects(createPublisher({ journal: join(folder, 'jobs.db') }), {
      code: 'MILLRACE_JOURNAL_UNSAFE_FILE',
    })
    symlinkSync(dirname(journal), join(folder, 'data'))
    const publisher = await createPublisher({ journal: join(folder, 'data', 'jobs.db') })
    test.after(() => publisher.close())
    const { id } = await publisher.enqueue(kept, { value: 5 })
    assert.equal(await runtime.job(id).result({ timeoutMs: 20_000 }), 5)
  })

  it('refuses what it cannot use', async () => {
    const options: [unknown, string, string?][] = [
      [undefined, 'options'],
      [{}, 'journal'],
      [{ journal: '' }, 'journal'],
      [{ journal: 5 }, 'journal'],
      [{ journal: ':memory:' }, 'journal'],
      [{ journal: 'jobs.db', file: 'jobs.db' }, 'file', 'MILLRACE_UNKNOWN_OPTION'],
    ]
    for (const [given, path, code = 'MILLRACE_INVALID_OPTION'] of options) {
      await assert.rejects(createPublisher(given as never), { code, path })
    }
  })

  it('refuses to write into a journal of another version, and that reaches who enqueues', async (test) => {
    const { journal, runtime, enqueue } = await ownerAndPublisher(test)
    await runtime.stop()
    const db = new Database(journal)
    db.prepare('UPDATE millrace_meta SET version = version + 1').run()
    await assert.rejects(enqueue('laneEcho', { value: 1 }), { code: 'MILLRACE_JOURNAL_VERSION' })
    assert.equal(db.prepare('SELECT count(*) FROM millrace_inbox').pluck().get(), 0)
    db.prepare('UPDATE millrace_meta SET version = version - 1').run()
    await enqueue('laneEcho', { value: 1 })
    assert.equal(db.prepare('SELECT count(*) FROM millrace_inbox').pluck().get(), 1, 'the control')
    db.close()
  })
})

describe('a publisher that closes', () => {
  it('writes what was handed over, and answers nobody with silence', { timeout: 5_000 }, async (test) => {
    const journal = journalIn()
    const runtime = await startRuntime(test, { journal: { file: journal } })
    const publisher = await createPublisher({ journal })
    const jobs = Array.from({ length: 50 }, (_, value) => publisher.enqueue(laneEcho, { value }))
    const asked = Promise.allSettled([publisher.job((await jobs[0])?.id as string).record()])
    await publisher.close()
    assert.throws(() => publisher.job('other0-1'), { code: 'MILLRACE_JOB_NOT_FOUND', path: 'id' })
    assert.equal((await Promise.all(jobs)).length, 50)
    await asked
    const [first] = await Promise.all(jobs)
    await assert.rejects(publisher.enqueue(laneEcho, { value: 1 }), {
      code: 'MILLRACE_STOPPING',
      message: /the publisher is closed, .*; make another one with createPublisher/,
    })
    await assert.rejects(first?.record() as Promise<unknown>, { code: 'MILLRACE_STOPPING' })
    await assert.rejects(first?.result({ timeoutMs: 60_000 }) as Promise<unknown>, { code: 'MILLRACE_STOPPING' })
    await publisher.close()
    await runtime.idle()
  })

  it('has nothing to wait for when its thread has died: who enqueues or asks hears of it', async (test) => {
    const journal = journalIn()
    await startRuntime(test, { journal: { file: journal } })
    const mark = markWorkers()
    const publisher = await createPublisher({ journal })
    const { id } = await publisher.enqueue(laneEcho, { value: 1 })
    const [thread] = workersSince(mark)
    await thread?.terminate()
    await assert.rejects(publisher.enqueue(laneEcho, { value: 1 }), { code: 'MILLRACE_STOPPING' })
    await assert.rejects(publisher.job(id).record(), { code: 'MILLRACE_STOPPING' })
    await publisher.close()
  })
})
