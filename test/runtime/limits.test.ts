import assert from 'node:assert/strict'
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import {
  bounded,
  fair,
  fresh,
  inOrder,
  oneAtATime,
  patient,
  perAccount,
  rated,
  ratedOnLoop,
  ratedOnThreads,
  spread,
} from '../fixtures/limited-tasks.ts'
import { mostAtOnce, mostStarts, readTraced } from '../helpers/ledger-file.ts'
import { startNode } from '../helpers/node-process.ts'
import { scratchFolder } from '../helpers/scratch.ts'
import { startRuntime } from '../helpers/start-runtime.ts'

const tasks = new URL('../fixtures/limited-tasks.js', import.meta.url)
const tiers = { default: { threads: 4 } }
const lanes = { network: { concurrency: 100 }, threads: { concurrency: 50, threads: 1 } }

/** Stands in the ledger where a process was killed. */
const KILLED = 'killed'

/** A handler sees its start a little later than its thread does, and not always by as much. */
const JITTER_MS = 25

describe('concurrency', () => {
  it('by key lets no key have more at once', async (test) => {
    const ledger = join(scratchFolder(), 'ledger')
    const runtime = await startRuntime(test, { tasks, tiers, lanes })
    const inputs = Array.from({ length: 24 }, (_, at) => ({ ledger, account: at % 3 === 0 ? 'small' : 'big', ms: 10 }))
    await runtime.enqueueMany(perAccount, inputs)
    await runtime.idle()
    const lines = readTraced(ledger)
    assert.equal(lines.length, 48)
    for (const key of ['big', 'small']) assert.ok(mostAtOnce(lines, key) <= 2, key)
  })

  it('without a key is that of the whole task, on a lane too', async (test) => {
    const ledger = join(scratchFolder(), 'ledger')
    const runtime = await startRuntime(test, { tasks, tiers, lanes })
    await runtime.enqueueMany(
      oneAtATime,
      Array.from({ length: 5 }, (_, at) => ({ ledger, account: `a${at % 2}`, ms: 5 })),
    )
    await runtime.idle()
    const lines = readTraced(ledger).map((line) => ({ ...line, key: 'all' }))
    assert.deepEqual([lines.length, mostAtOnce(lines, 'all')], [10, 1])
  })

  it('counts a job that gets another input under the keys of that one', async (test) => {
    const ledger = join(scratchFolder(), 'ledger')
    const runtime = await startRuntime(test, { tasks, tiers, lanes })
    const long = { ledger, account: 'big', ms: 600_000 }
    const running = await Promise.all([runtime.enqueue(perAccount, long), runtime.enqueue(perAccount, long)])
    const job = await runtime.enqueue(perAccount, { ...long, ms: 1 })
    assert.equal((await runtime.explain(job.id)).reason.type, 'concurrency')
    await assert.rejects(job.reschedule({ input: { ledger, ms: 1 } }), { code: 'MILLRACE_INVALID_OPTION' })
    await job.reschedule({ input: { ledger, account: 'small', ms: 1 } })
    await job.result({ timeoutMs: 20_000 })
    await Promise.all(running.map((each) => each.cancel({ mode: 'terminate' })))
  })

  it('holds for what handlers enqueue, whose keys are named where they run', async (test) => {
    const ledger = join(scratchFolder(), 'ledger')
    const runtime = await startRuntime(test, { tasks, tiers, lanes })
    await runtime.enqueue(spread, { ledger, account: 'a', ms: 10, jobs: 6 })
    await runtime.enqueue(spread, { ledger, account: 'b', ms: 10, jobs: 6 })
    await runtime.idle()
    const lines = readTraced(ledger)
    assert.equal(lines.length, 24)
    for (const key of ['a', 'b']) assert.ok(mostAtOnce(lines, key) <= 2, key)
  })
})

describe('a rate', () => {
  it('is not held up in processes by jobs that run for long: their starts are told', async (test) => {
    const ledger = join(scratchFolder(), 'ledger')
    const runtime = await startRuntime(test, { tasks, lanes, tiers: { default: { processes: 3 } } })
    const inputs = Array.from({ length: 3 }, () => ({ ledger, account: 'a', ms: 3_000 }))
    await runtime.enqueueMany(rated, inputs)
    await runtime.idle()
    assert.equal(mostAtOnce(readTraced(ledger), 'a'), 3)
  })

  for (const [where, task] of [
    ['a tier', rated],
    ['the loop', ratedOnLoop],
    ['a lane of threads', ratedOnThreads],
  ] as const) {
    it(`holds for starts on ${where}, for each key, and is kept`, async (test) => {
      const ledger = join(scratchFolder(), 'ledger')
      const runtime = await startRuntime(test, { tasks, tiers, lanes })
      const inputs = Array.from({ length: 30 }, (_, at) => ({ ledger, account: at % 2 === 0 ? 'a' : 'b', ms: at % 3 }))
      await runtime.enqueueMany(task, inputs)
      await runtime.idle()
      const lines = readTraced(ledger)
      assert.equal(lines.length, 60)
      for (const key of ['a', 'b']) {
        const most = mostStarts(lines, key, 200 - JITTER_MS)
        assert.ok(most <= 5, `${most} starts of ${key}`)
        const starts = lines.filter((line) => line.type === 'start' && line.key === key).map(({ at }) => at)
        const tookMs = Math.max(...starts) - Math.min(...starts)
        assert.ok(tookMs < 2_000, `14 intervals of 40 ms took ${tookMs} ms`)
      }
    })
  }

  it('goes on from where it was when the process was killed, and so does concurrency', async (test) => {
    const folder = scratchFolder()
    const ledger = join(folder, 'ledger')
    const service = new URL('../fixtures/limited-service.js', import.meta.url)
    for (let life = 0; life < 2; life++) {
      const node = startNode(test, service, join(folder, 'jobs.db'), ledger, life === 0 ? '60' : '0')
      await node.line('ready')
      await node.line(`runs ${2 + life}`)
      node.child.kill('SIGKILL')
      await node.exited
      appendFileSync(ledger, `end ${KILLED} 0 0\n`)
    }
    const runtime = await startRuntime(test, { tasks, tiers, lanes, journal: { file: join(folder, 'jobs.db') } })
    await runtime.idle()
    const lines = readTraced(ledger)
    const ended = lines.filter(({ type, key }) => type === 'end' && key !== KILLED).map(({ id }) => id)
    assert.equal(new Set(ended).size, 60, 'every job has ended')
    for (const key of ['a', 'b']) {
      const most = mostStarts(lines, key, 500 - JITTER_MS)
      assert.ok(most <= 13, `${most} starts of ${key}`)
    }
    assert.ok(mostAtOnceInLives(lines, 'a') <= 2)
  })
})

describe('fairness', () => {
  for (const [task, ahead] of [
    [fair, 'soon'],
    [inOrder, 'last'],
  ] as const) {
    const what = ahead === 'soon' ? 'lets a few jobs of one go past' : 'is what does it: in order a few jobs wait for'
    it(`${what} very many of another`, async (test) => {
      const ledger = join(scratchFolder(), 'ledger')
      const runtime = await startRuntime(test, { tasks, tiers: { default: { threads: 2 } }, lanes })
      const inputs = (account: string, jobs: number) => Array.from({ length: jobs }, () => ({ ledger, account, ms: 5 }))
      await runtime.enqueueMany(task, inputs('flood', 400))
      await runtime.enqueueMany(task, inputs('small', 10))
      await runtime.idle()
      const ends = readTraced(ledger).filter(({ type }) => type === 'end')
      assert.equal(ends.length, 410)
      const before = ends.findLastIndex(({ key }) => key === 'small')
      if (ahead === 'soon') assert.ok(before < 150, `${before} jobs ended before the last of the few`)
      else assert.ok(before > 390, `${before} jobs ended before the last of the few`)
    })
  }
})

describe('maxWaiting', () => {
  it('rejects what is too much, which leaves nothing behind, and takes more when there is room', async (test) => {
    const ledger = join(scratchFolder(), 'ledger')
    const runtime = await startRuntime(test, { tasks, tiers, lanes })
    const enqueue = (key?: string) =>
      runtime.enqueue(bounded, { ledger, account: 'a', ms: 50 }, key === undefined ? {} : { key })
    const first = await enqueue()
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, (_, at) => enqueue(`key ${at}`)))
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected')
    for (const { reason } of refused) assert.equal((reason as { code: string }).code, 'MILLRACE_OVERLOADED')
    assert.ok(refused.length >= 4 && refused.length <= 6, `${refused.length} were refused`)
    await first.result({ timeoutMs: 20_000 })
    await runtime.idle()
    assert.equal((await enqueue('key 7')).duplicate, false, 'the key of what was refused is free')
    await runtime.idle()
    assert.equal(readTraced(ledger).filter(({ type }) => type === 'end').length, 10 - refused.length)
  })

  it("lets callers wait for room in their order where the task says 'wait'", async (test) => {
    const ledger = join(scratchFolder(), 'ledger')
    const runtime = await startRuntime(test, { tasks, tiers, lanes })
    const input = { ledger, ms: 1 }
    const many = Array.from({ length: 30 }, (_, at) => ({ ...input, account: `m${at}` }))
    const { enqueued } = await runtime.enqueueMany(patient, many)
    assert.equal(enqueued, 30)
    const jobs = Array.from({ length: 20 }, (_, at) => runtime.enqueue(patient, { ...input, account: `s${at}` }))
    await Promise.all(jobs)
    await runtime.idle()
    const starts = readTraced(ledger).filter(({ type }) => type === 'start')
    assert.deepEqual(
      starts.map(({ key }) => key),
      [...many.map(({ account }) => account), ...jobs.map((_, at) => `s${at}`)],
    )
  })

  it('tells who waits that the runtime stops', async (test) => {
    const ledger = join(scratchFolder(), 'ledger')
    const runtime = await startRuntime(test, { tasks, tiers, lanes })
    await runtime.pause({ task: patient })
    const jobs = Array.from({ length: 5 }, () => runtime.enqueue(patient, { ledger, account: 'a', ms: 1 }))
    const outcomes = Promise.allSettled(jobs)
    await Promise.all(jobs.slice(0, 3))
    await runtime.stop()
    const refused = (await outcomes).filter((outcome) => outcome.status === 'rejected')
    assert.deepEqual(
      refused.map(({ reason }) => (reason as { code: string }).code),
      ['MILLRACE_STOPPING', 'MILLRACE_STOPPING'],
    )
  })
})

describe('limits of a place', () => {
  it('hold for all its tasks together', async (test) => {
    const ledger = join(scratchFolder(), 'ledger')
    const limits = { concurrency: { limit: 2 }, rate: { limit: 10, perMs: 200 } }
    const runtime = await startRuntime(test, { tasks, tiers: { default: { threads: 4, limits } }, lanes })
    const inputs = Array.from({ length: 10 }, () => ({ ledger, account: 'all', ms: 50 }))
    await Promise.all([inOrder, fair, perAccount].map((task) => runtime.enqueueMany(task, inputs)))
    await runtime.idle()
    const lines = readTraced(ledger)
    assert.equal(lines.length, 60)
    assert.ok(mostAtOnce(lines, 'all') <= 2)
    const most = mostStarts(lines, 'all', 200 - JITTER_MS)
    assert.ok(most <= 10, `${most} starts`)
  })

  for (const what of [{ task: inOrder }, { place: 'default' }]) {
    it(`bound what waits also while the ${Object.keys(what)[0]} is paused`, async (test) => {
      const ledger = join(scratchFolder(), 'ledger')
      const bound = { limit: 10, beyond: 'reject' } as const
      const runtime = await startRuntime(test, { tasks, tiers: { default: { threads: 1, maxWaiting: bound } }, lanes })
      await (await runtime.enqueue(inOrder, { ledger, account: 'a', ms: 0 })).result({ timeoutMs: 20_000 })
      await runtime.pause(what)
      const enqueue = (task: typeof inOrder) => runtime.enqueue(task, { ledger, account: 'a', ms: 5_000 })
      const asked = await Promise.allSettled(Array.from({ length: 30 }, () => enqueue(inOrder)))
      assert.equal(asked.filter(({ status }) => status === 'fulfilled').length, 10)
      const other = enqueue(fair)
      if (what.place !== undefined) await assert.rejects(other, { code: 'MILLRACE_OVERLOADED' })
      else await other
    })
  }

  for (const [path, options] of [
    ['tiers.default.limits.concurrency.by', { limits: { concurrency: { limit: 1, by: () => 'a' } } }],
    ['tiers.default.limits.rate.perMs', { limits: { rate: { limit: 1, perMs: 0 } } }],
    ['tiers.default.limits.fair', { limits: { fair: { by: () => 'a' } } }],
    ['tiers.default.maxWaiting.beyond', { maxWaiting: { limit: 1 } }],
    ['tiers.default.retryShare', { retryShare: 2 }],
  ] as const) {
    it(`are refused where ${path} is no use`, async (test) => {
      const refused = { name: 'MillraceError', path }
      await assert.rejects(startRuntime(test, { tasks, tiers: { default: options as object }, lanes }), refused)
    })
  }
})

describe('useByMs', () => {
  it('ends a job as expired that has not started by then', async (test) => {
    const ledger = join(scratchFolder(), 'ledger')
    const runtime = await startRuntime(test, { tasks, tiers, lanes })
    await (await runtime.enqueue(fresh, { ledger, account: 'a', ms: 0 })).result({ timeoutMs: 20_000 })
    await runtime.pause({ task: fresh })
    const late = await runtime.enqueue(fresh, { ledger, account: 'b', ms: 0 })
    const { createdAt, expiresAt } = await late.record()
    assert.ok((expiresAt as number) - createdAt <= 100)
    await assert.rejects(late.result({ timeoutMs: 20_000 }), { code: 'MILLRACE_JOB_EXPIRED' })
    assert.deepEqual([...new Set(readTraced(ledger).map(({ key }) => key))], ['a'])
  })
})

/** Jobs that a kill has cut off have no end: they count until the next start that cannot be of their process. */
function mostAtOnceInLives(lines: ReturnType<typeof readTraced>, key: string): number {
  let most = 0
  const running = new Set<string>()
  for (const line of lines) {
    if (line.key === KILLED) running.clear()
    if (line.key !== key) continue
    if (line.type === 'start') running.add(line.id)
    else running.delete(line.id)
    most = Math.max(most, running.size)
  }
  return most
}
