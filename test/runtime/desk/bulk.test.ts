import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { Job, Runtime } from '../../../runtime/index.ts'
import { echo, hang, laneEcho, laneWait, parked, traced } from '../../fixtures/tasks.ts'
import { scratchFolder } from '../../helpers/scratch.ts'
import { startRuntime } from '../../helpers/start-runtime.ts'

const LATER = { delayMs: 600_000 }

describe('cancelMany', () => {
  it('ends what waits and what runs, and nothing that does not match', async (test) => {
    const runtime = await startRuntime(test, { tiers: { default: { threads: 1, handJobs: 5 }, small: { threads: 1 } } })
    const ledger = join(scratchFolder(), 'ledger')
    const inputs = Array.from({ length: 1_300 }, () => ({ ledger, ms: 600_000 }))
    await runtime.enqueueMany(traced, inputs)
    await runtime.enqueueMany(traced, inputs.slice(0, 700), LATER)
    const other = await runtime.enqueue(echo, { value: 1 }, LATER)
    assert.equal(await runtime.cancelMany({ task: traced }), 2_000)
    await runtime.idle()
    const tasks = await runtime.tasks()
    assert.deepEqual(tasks.find(({ task }) => task === 'traced')?.jobs, { cancelled: 2_000 })
    assert.equal((await other.record()).state, 'scheduled')
    assert.equal(await runtime.cancelMany({ task: traced }), 0)
  })

  it('asks what runs to end in many turns of the loop, and starts nothing that waits behind it', async (test) => {
    const [concurrency, jobs] = [1_000, 1_500]
    const runtime = await startRuntime(test, { lanes: { network: { concurrency } } })
    let [asked, inTurn, most] = [0, 0, 0]
    runtime.on('job.progress', () => {
      asked++
      if (inTurn++ === 0) setImmediate(() => (inTurn = 0))
      most = Math.max(most, inTurn)
    })
    await runtime.enqueueMany(laneWait, Array<null>(jobs).fill(null))
    assert.equal(await runtime.cancelMany({ task: laneWait }), jobs)
    await runtime.idle()
    const { jobs: states } = (await runtime.tasks()).find(({ task }) => task === laneWait.name) ?? {}
    assert.deepEqual(states, { cancelled: jobs })
    assert.ok(most > 0 && most <= 100, `${most} in one turn`)
    assert.ok(asked <= concurrency, `${asked} had begun`)
  })

  it('leaves alone what comes when it has begun, also where that runs at once', async (test) => {
    const runtime = await startRuntime(test)
    await runtime.enqueueMany(laneWait, Array<null>(20).fill(null))
    const cancelling = runtime.cancelMany({ task: laneWait })
    const late = await runtime.enqueue(laneWait, null)
    assert.equal(await cancelling, 20)
    assert.equal((await late.record()).state, 'running')
    assert.equal(await late.cancel(), 'requested')
  })
})

describe('who waits for the result of a job that waits', () => {
  const endings: readonly { how: string; end(runtime: Runtime, job: Job): Promise<unknown>; code: string }[] = [
    { how: 'cancelMany', end: (runtime) => runtime.cancelMany({ task: parked }), code: 'MILLRACE_JOB_CANCELLED' },
    { how: 'purge', end: (runtime) => runtime.purge({ task: parked }), code: 'MILLRACE_RESULT_NOT_KEPT' },
    { how: 'remove', end: (_runtime, job) => job.remove(), code: 'MILLRACE_RESULT_NOT_KEPT' },
  ]
  for (const { how, end, code } of endings) {
    it(`hears of it when ${how} has ended it, and nobody else does`, async (test) => {
      const runtime = await startRuntime(test)
      const [job, other] = [await runtime.enqueue(parked, null), await runtime.enqueue(echo, { value: 1 }, LATER)]
      const refused = assert.rejects(job.result({ timeoutMs: 20_000 }), { code })
      const waits = assert.rejects(other.result(), { code: 'MILLRACE_JOB_CANCELLED' })
      await end(runtime, job)
      await refused
      assert.equal(await other.cancel(), 'cancelled')
      await waits
    })
  }
})

describe('retryMany', () => {
  it('revives the dead, and passes over those whose key is taken', async (test) => {
    const runtime = await startRuntime(test)
    const die = async (key?: string) => {
      const job = await runtime.enqueue(
        hang,
        { how: 'loop' },
        { hardLimitMs: 30, softLimitMs: 30, ...(key !== undefined && { key }) },
      )
      await assert.rejects(job.result({ timeoutMs: 20_000 }))
      return job
    }
    const [first, second] = await Promise.all([die('k'), die()])
    const holder = await runtime.enqueue(hang, { how: 'loop' }, { key: 'k', ...LATER })
    assert.equal(await runtime.retryMany({ task: hang }), 1)
    assert.equal((await first.record()).state, 'dead')
    await assert.rejects(second.result({ timeoutMs: 20_000 }), { code: 'MILLRACE_HARD_LIMIT' })
    await holder.cancel()
    await assert.rejects(runtime.retryMany({ state: 'running' }), { code: 'MILLRACE_INVALID_OPTION', path: 'state' })
  })
})

describe('purge', () => {
  it('deletes by state, task and place, never what runs', async (test) => {
    const runtime = await startRuntime(test)
    await runtime.enqueueMany(
      parked,
      Array.from({ length: 1_200 }, () => null),
    )
    await runtime.enqueueMany(
      echo,
      Array.from({ length: 30 }, (_, value) => ({ value })),
      LATER,
    )
    await runtime.enqueueMany(
      laneEcho,
      Array.from({ length: 20 }, (_, value) => ({ value })),
      LATER,
    )
    assert.equal(await runtime.purge({ place: 'network' }), 20)
    assert.equal(await runtime.purge({ place: 'network', task: echo }), 0)
    assert.equal(await runtime.purge({ task: 'never.heard.of' }), 0)
    assert.equal(await runtime.purge({ task: parked, state: 'available' }), 1_200)
    await assert.rejects(runtime.purge({ place: 'nowhere' }), { code: 'MILLRACE_INVALID_OPTION', path: 'place' })
    assert.equal(await runtime.purge({}), 30)
    assert.deepEqual((await runtime.jobs()).jobs, [])
  })
})

describe('a filter', () => {
  const bad: readonly (readonly [filter: unknown, path: string, code?: string])[] = [
    [null, 'options'],
    [5, 'options'],
    [[], 'options'],
    [{ stat: 'dead' }, 'stat', 'MILLRACE_UNKNOWN_OPTION'],
    [{ task: undefined }, 'task'],
    [{ state: undefined }, 'state'],
    [{ state: null as never }, 'state'],
    [{ state: 5 as never }, 'state'],
    [{ place: undefined }, 'place'],
    [{ task: 5 }, 'task'],
    [{ task: {} }, 'task'],
    [{ state: 'sleeping' }, 'state'],
    [{ state: ['dead', 'sleeping'] }, 'state'],
    [{ place: 'nowhere' }, 'place'],
  ]

  it('never means more than it says: what cannot be understood changes nothing', async (test) => {
    const runtime = await startRuntime(test)
    const { id } = await runtime.enqueue(parked, null)
    for (const [filter, path, code = 'MILLRACE_INVALID_OPTION'] of bad) {
      for (const verb of ['purge', 'cancelMany', 'retryMany', 'jobs'] as const) {
        await assert.rejects(runtime[verb](filter as never), { code, path }, `${verb} ${JSON.stringify(filter)}`)
      }
    }
    await assert.rejects(runtime.jobs({}, { limits: 5 } as never), { code: 'MILLRACE_UNKNOWN_OPTION', path: 'limits' })
    assert.equal((await runtime.job(id).record()).state, 'available')
    assert.equal(await runtime.purge({ state: [] }), 0)
  })
})

describe('jobs', () => {
  it('shows every job once, page by page', async (test) => {
    const runtime = await startRuntime(test)
    await runtime.enqueueMany(
      parked,
      Array.from({ length: 55 }, () => null),
    )
    await runtime.enqueueMany(
      echo,
      Array.from({ length: 45 }, (_, value) => ({ value })),
      LATER,
    )
    const seen: string[] = []
    let after: string | undefined
    do {
      const page = await runtime.jobs({}, { limit: 10, ...(after !== undefined && { after }) })
      seen.push(...page.jobs.map(({ id }) => id))
      after = page.next
    } while (after !== undefined)
    assert.equal(new Set(seen).size, 100)
    assert.equal(seen.length, 100)
    assert.equal((await runtime.jobs({ place: 'default' }, { limit: 200 })).jobs.length, 45)
    await assert.rejects(runtime.jobs({ place: 'nowhere' }), { path: 'place', message: /of default, small, network$/ })
    await assert.rejects(runtime.jobs({ place: 'trial' }), { code: 'MILLRACE_INVALID_OPTION', path: 'place' })
    assert.equal((await runtime.jobs({ state: 'scheduled', task: parked })).jobs.length, 0)
    const twice = await runtime.jobs({ state: ['scheduled', 'scheduled'] }, { limit: 200 })
    assert.equal(twice.jobs.length, 45, 'each of them once')
    await assert.rejects(runtime.jobs({ state: 'sleeping' as never }), {
      code: 'MILLRACE_INVALID_OPTION',
      path: 'state',
    })
    await assert.rejects(runtime.jobs({}, { limit: 0 }), { code: 'MILLRACE_INVALID_OPTION', path: 'limit' })
    const { next } = await runtime.jobs({ state: 'available' }, { limit: 10 })
    assert.ok(next !== undefined)
    for (const options of [{ after: 'nonsense' }, { after: next }]) {
      const page = runtime.jobs({ state: 'scheduled' }, options)
      await assert.rejects(page, { name: 'MillraceError', code: 'MILLRACE_INVALID_OPTION', path: 'after' })
    }
  })
})
