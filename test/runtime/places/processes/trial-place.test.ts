import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { stateCodes } from '../../../../lib/job-state.ts'
import type { RuntimeEvents } from '../../../../lib/events.ts'
import { createRuntime, Database, type Runtime, type RuntimeOptions, type Task } from '../../../../runtime/index.ts'
import { deadly, hungry, spinning, waiting, where, whereOnLane } from '../../../fixtures/suspect-tasks.ts'
import { nextEvent } from '../../../helpers/next-event.ts'
import { scratchFolder } from '../../../helpers/scratch.ts'
import { gone } from '../../../helpers/start-process-tier.ts'
import { until } from '../../../helpers/until.ts'

const TIMEOUT = { timeoutMs: 30_000 }

type Tried = Parameters<RuntimeEvents['job.tried']>[0]

interface Suspects {
  readonly file: string
  readonly ids: readonly string[]
  start(): Promise<Runtime>
}

/** A journal with jobs in it that were there at three deaths of their process. */
async function suspects(
  test: { after(clean: () => unknown): unknown },
  ...jobs: readonly (readonly [Task<never, unknown, never>, unknown])[]
): Promise<Suspects> {
  const file = join(scratchFolder(), 'jobs.db')
  const options: RuntimeOptions = {
    tasks: new URL('../../../fixtures/suspect-tasks.js', import.meta.url),
    journal: { file },
    tiers: { default: { threads: 1 }, heavy: { processes: 1, maxMemoryMb: 200 } },
    lanes: { network: {} },
  }
  const before = await createRuntime(options)
  const ids: string[] = []
  for (const [task, input] of jobs) {
    const job = await before.enqueue(task as Task<unknown, unknown>, input, { delayMs: 3_600_000 })
    ids.push(job.id)
  }
  await before.stop()
  const db = new Database(file)
  db.prepare(`UPDATE millrace_jobs SET state = ?, due_at = NULL, crashes = 3, rank = rank + 16`).run(
    stateCodes.available,
  )
  db.close()
  const start = async () => {
    const runtime = await createRuntime(options)
    test.after(() => runtime.stop({ graceMs: 0 }))
    return runtime
  }
  return { file, ids, start }
}

function triedOf(runtime: Runtime): Tried[] {
  const tried: Tried[] = []
  runtime.on('job.tried', (event) => tried.push(event))
  return tried
}

function rows(file: string): unknown {
  const db = new Database(file, { readonly: true })
  const found = db.prepare('SELECT state, attempt, crashes FROM millrace_jobs').all()
  db.close()
  return found
}

describe('a suspect', () => {
  it('runs in a process of its own, whatever place its task has, and is cleared', async (test) => {
    const { ids, start } = await suspects(test, [where, null], [whereOnLane, null])
    const runtime = await start()
    const tried = triedOf(runtime)
    const results = await Promise.all(ids.map((id) => runtime.job(id).result(TIMEOUT)))
    assert.ok(!results.includes(process.pid), 'not in the service')
    assert.equal(new Set(results).size, 1, 'one process for one after another')
    assert.deepEqual(
      tried.map(({ id, verdict, crashes, deaths }) => [id, verdict, crashes, deaths]),
      ids.map((id) => [id, 'cleared', 3, 0]),
    )
    assert.ok(await gone(results[0] as number), 'the process ends when there is no suspect any more')
  })

  it('that takes its process down twice is dead, while the service and all others live', async (test) => {
    const ledger = join(scratchFolder(), 'ledger')
    const { ids, start } = await suspects(test, [where, null], [deadly, { ledger, times: 100 }], [where, null])
    const runtime = await start()
    const dead = nextEvent(runtime, 'job.dead', TIMEOUT)
    const tried = triedOf(runtime)
    const [before, deadlyOne, after] = ids.map((id) => runtime.job(id))
    await assert.rejects(deadlyOne?.result(TIMEOUT) as Promise<unknown>, { code: 'MILLRACE_POISON' })
    assert.equal((await dead).id, ids[1])
    await Promise.all([before?.result(TIMEOUT), after?.result(TIMEOUT)])
    assert.equal(readFileSync(ledger, 'utf8').split('\n').length - 1, 2, 'it ran twice')
    assert.deepEqual(
      tried.map(({ verdict, deaths }) => [verdict, deaths]),
      [
        ['cleared', 0],
        ['poison', 2],
        ['cleared', 0],
      ],
    )
    const { state, history } = (await deadlyOne?.record()) ?? {}
    assert.deepEqual([state, history?.at(-1)?.type], ['dead', 'crashed'])
    assert.match(history?.at(-1)?.error?.message ?? '', /SIGKILL and SIGKILL/)
  })

  it('whose process dies once is tried again, and cleared if it survives', async (test) => {
    const ledger = join(scratchFolder(), 'ledger')
    const { ids, start } = await suspects(test, [deadly, { ledger, times: 1 }])
    const runtime = await start()
    const tried = nextEvent(runtime, 'job.tried', TIMEOUT)
    assert.equal(await runtime.job(ids[0] as string).result(TIMEOUT), 'survived')
    const { verdict, deaths } = await tried
    assert.deepEqual([verdict, deaths], ['cleared', 1])
  })

  it('that is ended by a limit of ours is cleared, and fails by its policy', async (test) => {
    const { ids, start } = await suspects(test, [spinning, null], [hungry, null])
    const runtime = await start()
    const tried = triedOf(runtime)
    const [limited, hungryOne] = ids.map((id) => runtime.job(id).result(TIMEOUT))
    await assert.rejects(limited as Promise<unknown>, { code: 'MILLRACE_HARD_LIMIT' })
    await assert.rejects(hungryOne as Promise<unknown>, { code: 'MILLRACE_OUT_OF_MEMORY' })
    assert.deepEqual(
      tried.map(({ verdict }) => verdict),
      ['cleared', 'cleared'],
    )
  })

  it('can be cancelled while it runs', async (test) => {
    const { ids, start } = await suspects(test, [waiting, null])
    const runtime = await start()
    await nextEvent(runtime, 'job.progress', TIMEOUT)
    const job = runtime.job(ids[0] as string)
    await job.cancel({ mode: 'terminate' })
    await assert.rejects(job.result(TIMEOUT), { code: 'MILLRACE_JOB_CANCELLED' })
  })

  /** A suspect that waits for its process, which takes some seconds. */
  async function waitingForProcess(test: TestContext) {
    const { file, ids, start } = await suspects(test, [where, null])
    const db = new Database(file)
    db.prepare('UPDATE millrace_jobs SET crashes = 8').run()
    db.close()
    const runtime = await start()
    const tried = triedOf(runtime)
    const job = runtime.job(ids[0] as string)
    const stateIs = (state: string) =>
      until(
        `it is ${state}`,
        () => job.record(),
        (record) => record.state === state,
      )
    await stateIs('running')
    return { runtime, job, tried, stateIs }
  }

  it('goes back while it waits for its process, when somebody pauses its task', async (test) => {
    const { runtime, job, tried, stateIs } = await waitingForProcess(test)
    await runtime.pause({ task: where })
    const { attempts } = await stateIs('available')
    assert.equal(attempts, 0)
    assert.equal((await runtime.explain(job.id)).reason.type, 'task-paused')
    assert.equal(tried.length, 0)
    await runtime.resume({ task: where })
    assert.notEqual(await job.result(TIMEOUT), process.pid)
    assert.equal(tried[0]?.verdict, 'cleared')
  })

  it('can be cancelled while it waits for its process, and was not tried then', async (test) => {
    const { job, tried } = await waitingForProcess(test)
    assert.equal(await job.cancel(), 'cancelled')
    assert.deepEqual([(await job.record()).state, tried.length], ['cancelled', 0])
  })

  it('can be put off while it waits for its process, and is a suspect all the same', async (test) => {
    const { runtime, job, tried, stateIs } = await waitingForProcess(test)
    await job.reschedule({ delayMs: 3_600_000 })
    const { attempts, state, crashes } = await job.record()
    assert.deepEqual([attempts, state, crashes, tried.length], [0, 'scheduled', 8, 0])
    await job.reschedule({ delayMs: 0 })
    assert.match((await runtime.explain(job.id)).text, /8 deaths of the service/)
    await stateIs('running')
  })

  it('goes back uncharged, and as a suspect, when the runtime stops', async (test) => {
    const { file, start } = await suspects(test, [waiting, null])
    const runtime = await start()
    const { value } = await nextEvent(runtime, 'job.progress', TIMEOUT)
    assert.deepEqual(await runtime.stop({ graceMs: 50 }), { stuck: [] })
    assert.deepEqual(rows(file), [{ state: stateCodes.available, attempt: 0, crashes: 3 }])
    assert.ok(await gone(value as number))
  })

  it('waits, and everything else goes on, while no process can be started for it', async (test) => {
    process.env['BROKEN_TRIAL'] = 'yes'
    test.after(() => delete process.env['BROKEN_TRIAL'])
    const { file, ids, start } = await suspects(test, [where, null], [where, null])
    const runtime = await start()
    const { error } = await nextEvent(runtime, 'trial.postponed', TIMEOUT)
    assert.equal((error as { code?: string }).code, 'MILLRACE_TRIAL_POSTPONED')
    assert.match(error.message, /no luck in this process/)
    const { reason, text } = await runtime.explain(ids[0] as string)
    assert.deepEqual(reason, { type: 'suspect', crashes: 3 })
    assert.match(text, /it had begun at 3 deaths of the service, and waits for its trial, alone in a process/)
    assert.equal(await (await runtime.enqueue(where, null)).result(TIMEOUT), process.pid)
    await runtime.stop()
    const suspect = { state: stateCodes.available, attempt: 0, crashes: 3 }
    assert.deepEqual(
      (rows(file) as { crashes: number }[]).filter(({ crashes }) => crashes > 0),
      [suspect, suspect],
    )
  })
})
