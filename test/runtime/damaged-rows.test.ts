import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { Database, defineTask } from '../../runtime/index.ts'
import { echo, flaky, kept, laneEcho } from '../fixtures/tasks.ts'
import { leakCheck } from '../helpers/leak-check.ts'
import { scratchFolder } from '../helpers/scratch.ts'
import { startRuntime } from '../helpers/start-runtime.ts'

leakCheck({ after }, { withinMs: 5_000 })

const TIMEOUT = { timeoutMs: 20_000 }
const CORRUPT = { code: 'MILLRACE_PAYLOAD_CORRUPT' }
const later = defineTask<null>({ name: 'later' })

describe('a job whose row was damaged', () => {
  it('ends dead with the reason, can be looked at, and stops nobody else', async (test) => {
    const file = join(scratchFolder(), 'jobs.db')
    const runtime = await startRuntime(test, { journal: { file } })
    const errors: Error[] = []
    for (const event of ['runtime.error', 'runtime.failed'] as const) {
      runtime.on(event, ({ error }: { error: Error }) => errors.push(error))
    }
    const delay = { delayMs: 60_000, metadata: { a: 'b' } }
    const jobs = await Promise.all([
      runtime.enqueue(echo, { value: 1 }, delay),
      runtime.enqueue(laneEcho, { value: 1 }, delay),
      runtime.enqueue(kept, { value: 1 }, delay),
      runtime.enqueue(flaky, { failures: 5 }, delay),
    ])
    await runtime.enqueue(later, null, delay)
    const db = new Database(file)
    test.after(() => db.close())
    const damage = ['no json', 'null', '{"keepResultMs":"x"}', '{"retry":5}']
    damage.forEach((overrides, at) => {
      db.prepare('UPDATE millrace_jobs SET overrides = ? WHERE id = ?').run(overrides, numberOf(jobs[at]?.id as string))
    })
    db.prepare(
      "UPDATE millrace_jobs SET overrides = '[', input = '{' WHERE task = (SELECT max(id) FROM millrace_tasks)",
    ).run()
    const results = jobs.map((job) => assert.rejects(job.result(TIMEOUT), CORRUPT))
    for (const job of jobs) await job.reschedule({ delayMs: 0 })
    await Promise.all(results)
    for (const job of jobs) {
      const { state, metadata, history } = await job.record()
      assert.deepEqual([state, metadata, history.length], ['dead', {}, 1])
    }
    assert.equal((await runtime.jobs()).jobs.length, 5, 'a page shows what can be read')
    const sound = await runtime.enqueue(flaky, { failures: 1 })
    assert.equal(await sound.result(TIMEOUT), 2)
    assert.deepEqual(errors, [])
  })
})

function numberOf(id: string): number {
  return Number.parseInt(id.split('-')[1] as string, 36)
}
