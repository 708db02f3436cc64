import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import type { RuntimeEvents } from '../../../../lib/events.ts'
import { createRuntime, type Runtime, type TierConfig } from '../../../../runtime/index.ts'
import { laneThread, taint } from '../../../fixtures/elastic-tasks.ts'
import { leakInProcess, leakOnThread, spin, tickInProcess, tickOnThread } from '../../../fixtures/leaking-tasks.ts'
import { built, mutant, type Mutation } from '../../../helpers/mutant.ts'
import { nextEvent } from '../../../helpers/next-event.ts'
import { ledgerLines, scratchFolder } from '../../../helpers/scratch.ts'
import { startRuntime } from '../../../helpers/start-runtime.ts'
import { until } from '../../../helpers/until.ts'

const TIMEOUT = { timeoutMs: 60_000 }

type Recycled = Parameters<RuntimeEvents['place.recycled']>[0]

async function start(
  test: { after(clean: () => unknown): unknown },
  tiers: Readonly<Record<string, TierConfig>>,
): Promise<{ runtime: Runtime; recycled: Recycled[] }> {
  const runtime = await startRuntime(test, {
    tasks: new URL('../../../fixtures/leaking-tasks.js', import.meta.url),
    tiers: { default: { threads: 1 }, heavy: { processes: 1 }, ...tiers },
    lanes: {},
  })
  const recycled: Recycled[] = []
  runtime.on('place.recycled', (event) => recycled.push(event))
  return { runtime, recycled }
}

/** A spare that still starts when all has been leaked could relieve nobody. */
async function nobodyStarts(runtime: Runtime, name: string): Promise<void> {
  const threads = async () => (await runtime.places()).find(({ place }) => place === name)?.threads ?? []
  await until(
    `nobody starts in ${name}`,
    threads,
    (all) => all.length > 0 && all.every(({ verdict }) => verdict !== 'starting'),
  )
}

const hosts = [
  { host: 'threads', place: 'default', tier: { threads: 1 }, leak: leakOnThread, tick: tickOnThread },
  { host: 'processes', place: 'heavy', tier: { processes: 1 }, leak: leakInProcess, tick: tickInProcess },
] as const

for (const { host, place, tier, leak, tick } of hosts) {
  describe(`recycling of ${host}`, () => {
    it('by jobs loses none, runs none twice and charges none', { timeout: 120_000 }, async (test) => {
      const ledger = join(scratchFolder(), 'ledger')
      const { runtime, recycled } = await start(test, { [place]: { ...tier, recycle: { jobs: 50 } } })
      const first = nextEvent(runtime, 'place.recycled', TIMEOUT)
      const jobs = await Promise.all(Array.from({ length: 300 }, () => runtime.enqueue(tick, { ledger })))
      await Promise.all(jobs.map((job) => job.result(TIMEOUT)))
      const event = await first
      assert.deepEqual([event.place, event.cause], [place, 'jobs'])
      assert.ok(event.jobs >= 50 && event.ageMs > 0)
      await (await runtime.enqueue(tick, { ledger })).result(TIMEOUT)
      const lines = ledgerLines(ledger)
      assert.equal(lines.length, 301)
      assert.ok(new Set(lines.map(([, where]) => where)).size >= 2)
      assert.ok(recycled.every(({ cause }) => cause === 'jobs'))
    })

    it('by age makes way after a job', { timeout: 120_000 }, async (test) => {
      const ledger = join(scratchFolder(), 'ledger')
      const { runtime } = await start(test, { [place]: { ...tier, recycle: { ageMs: 300 } } })
      const recycled = nextEvent(runtime, 'place.recycled', TIMEOUT)
      const stopAt = performance.now() + 20_000
      let event: Recycled | undefined
      void recycled.then((seen) => {
        event = seen
      })
      while (event === undefined && performance.now() < stopAt) {
        await (await runtime.enqueue(tick, { ledger })).result(TIMEOUT)
      }
      assert.equal(event?.cause, 'ageMs')
      assert.ok((event?.ageMs ?? 0) >= 300)
    })

    it('by memory contains a leak', { timeout: 120_000 }, async (test) => {
      const limitMb = host === 'threads' ? 40 : 140
      const { runtime, recycled } = await start(test, { [place]: { ...tier, recycle: { memoryMb: limitMb } } })
      await nobodyStarts(runtime, place)
      const keptMb: number[] = []
      for (let at = 0; at < 40; at++)
        keptMb.push((await (await runtime.enqueue(leak, { mb: 8 })).result(TIMEOUT)).keptMb)
      test.diagnostic(`kept at most ${Math.max(...keptMb)} MiB of ${8 * 40}, ${recycled.length} recycled`)
      assert.ok(
        recycled.length > 0 && recycled.every(({ cause, memoryMb }) => cause === 'memoryMb' && memoryMb >= limitMb),
      )
      assert.ok(Math.max(...keptMb) < 8 * 40)
    })

    it('keeps all of a leak where it is off: the control', { timeout: 120_000 }, async (test) => {
      const { runtime, recycled } = await start(test, {})
      let keptMb = 0
      for (let at = 0; at < 40; at++) keptMb = (await (await runtime.enqueue(leak, { mb: 8 })).result(TIMEOUT)).keptMb
      assert.equal(keptMb, 8 * 40)
      assert.deepEqual(recycled, [])
    })
  })
}

describe('a limit of memory for processes', () => {
  /** How many were charged. */
  const leaks = async (runtime: Runtime, length: number, mb: number): Promise<number> => {
    const jobs = await Promise.all(Array.from({ length }, () => runtime.enqueue(leakInProcess, { mb })))
    const ends = await Promise.allSettled(jobs.map((job) => job.result(TIMEOUT)))
    return ends.filter(({ status }) => status === 'rejected').length
  }

  it('charges no job for what those before it have kept', { timeout: 120_000 }, async (test) => {
    const { runtime, recycled } = await start(test, { heavy: { processes: 1, maxMemoryMb: 400 } })
    await (await runtime.enqueue(leakInProcess, { mb: 1 })).result(TIMEOUT)
    // By then the spare is there.
    await new Promise((resolve) => setTimeout(resolve, 2_000))
    assert.equal(await leaks(runtime, 60, 8), 0)
    assert.ok(recycled.length > 0)
  })

  it('would if it did not make way before', { timeout: 120_000 }, async (test) => {
    const { runtime } = await start(test, { heavy: { processes: 1, maxMemoryMb: 400, recycle: { memoryMb: 10_000 } } })
    // So large that the limit is met while one runs, and not between two of them.
    assert.ok((await leaks(runtime, 12, 64)) > 0)
  })
})

describe('a spare thread', () => {
  it('takes the place of one that runs into its hard limit', { timeout: 60_000 }, async (test) => {
    const ledger = join(scratchFolder(), 'ledger')
    const { runtime } = await start(test, { default: { threads: 1, recycle: { jobs: 1_000_000 } } })
    await (await runtime.enqueue(tickOnThread, { ledger })).result(TIMEOUT)
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    const job = await runtime.enqueue(spin, null)
    const behind = await runtime.enqueue(tickOnThread, { ledger })
    await assert.rejects(job.result(TIMEOUT), { code: 'MILLRACE_HARD_LIMIT' })
    const since = performance.now()
    await behind.result(TIMEOUT)
    test.diagnostic(`served ${(performance.now() - since).toFixed(1)} ms after the job had failed`)
    const threads = ledgerLines(ledger).map(([, where]) => Number(where?.split('.')[1]))
    // The third thread would be the replacement: it is started after the journal's, the first, and the spare.
    assert.equal(threads.length, 2)
    assert.ok(Math.abs((threads[1] as number) - (threads[0] as number)) === 1, `threads ${threads.join(' and ')}`)
  })
})

describe('a lane on one thread, after a stray', () => {
  it('goes on at once, and has another thread as soon as that is ready, however long the old one takes', {
    timeout: 60_000,
  }, async (test) => {
    const runtime = await startRuntime(test, {
      tasks: new URL('../../../fixtures/elastic-tasks.js', import.meta.url),
      tiers: { default: { threads: 1 }, other: { threads: 1 } },
      lanes: { network: { concurrency: 4, threads: 1 } },
    })
    const next = async () => (await runtime.enqueue(laneThread, { ms: 0 })).result(TIMEOUT)
    const threads = async () => (await runtime.places()).find(({ place }) => place === 'network')?.threads.length
    const recycled = nextEvent(runtime, 'place.recycled', TIMEOUT)
    const slow = await runtime.enqueue(laneThread, { ms: 4_000 })
    await (await runtime.enqueue(taint, null)).result(TIMEOUT)
    await next()
    assert.equal((await recycled).cause, 'stray')
    const successor = await next()
    assert.deepEqual([(await slow.record()).state, await threads()], ['running', 2])
    assert.notEqual(await slow.result(TIMEOUT), successor)
    await until('the old one has gone', threads, (count) => count === 1)
    assert.equal(await next(), successor)
  })

  it('has another one for each of many strays, and loses nothing', { timeout: 60_000 }, async (test) => {
    const runtime = await startRuntime(test, {
      tasks: new URL('../../../fixtures/elastic-tasks.js', import.meta.url),
      tiers: { default: { threads: 1 }, other: { threads: 1 } },
      lanes: { network: { concurrency: 4, threads: 2 } },
    })
    const jobs = await Promise.all(
      Array.from({ length: 60 }, (_, at) =>
        at % 6 === 0
          ? runtime.enqueue(taint, null)
          : runtime.enqueue(laneThread, { ms: 50 }, { retry: { attempts: 1 } }),
      ),
    )
    await Promise.all(jobs.map((job) => job.result(TIMEOUT)))
    const lane = async () => (await runtime.places()).find(({ place }) => place === 'network')
    // On a busy machine all of them may have run before the second thread was there.
    while (((await lane())?.restarts ?? 0) < 2) await (await runtime.enqueue(taint, null)).result(TIMEOUT)
    await until('two are left', lane, (found) => found?.threads.length === 2)
  })
})

describe('the pause at a recycling', () => {
  const withoutReserve: readonly Mutation[] = [
    {
      file: 'runtime/places/threads/thread-place-options.js',
      from: 'spare: recycle === undefined ? 0 : 1',
      to: 'spare: 0',
    },
    { file: 'runtime/places/threads/turnover.js', from: /seats\.reserve\?\.thread === undefined/g, to: 'false' },
  ]
  const withoutSpare: readonly Mutation[] = [
    {
      file: 'runtime/places/processes/process-place.js',
      from: 'this.#spare ??= this.#start(this.#seats.length)',
      to: '0',
    },
    { file: 'runtime/places/processes/process-place.js', from: "this.#spare?.status !== 'ready' ||", to: '' },
  ]
  const cases = [
    { host: 'threads', jobs: 3_000, each: 800, mutations: withoutReserve },
    { host: 'processes', jobs: 600, each: 200, mutations: withoutSpare },
  ] as const

  for (const { host, jobs, each, mutations } of cases) {
    it(`of ${host} is a small part of what it is without a spare`, { timeout: 120_000 }, async (test) => {
      using copy = mutant(...mutations)
      const pauses = async (from: string) => {
        const script = join(from, 'test/fixtures/recycle-gap.js')
        const { stdout } = await promisify(execFile)(process.execPath, [script, host, String(jobs), String(each)])
        return (JSON.parse(stdout) as { pauses: number[] }).pauses
      }
      const [spare, none] = [await pauses(built), await pauses(copy.folder)]
      test.diagnostic(`with a spare ${spare.join(', ')} ms; without ${none.join(', ')} ms`)
      assert.ok(spare.length > 0 && none.length > 0)
      assert.ok(Math.min(...none) > 2 * Math.min(...spare))
    })
  }
})

describe('the options of recycling', () => {
  const refused = (recycle: object, code: string, path: string) =>
    assert.rejects(
      createRuntime({
        tasks: new URL('../../../fixtures/leaking-tasks.js', import.meta.url),
        journal: { file: ':memory:' },
        tiers: { default: { recycle } },
      }),
      (error: { code: string; path: string }) => {
        assert.deepEqual([error.code, error.path], [code, path])
        return true
      },
    )

  it('are checked', async () => {
    await refused({ jobs: 0 }, 'MILLRACE_INVALID_OPTION', 'tiers.default.recycle.jobs')
    await refused({ ageMs: 1 }, 'MILLRACE_INVALID_OPTION', 'tiers.default.recycle.ageMs')
    await refused({ memoryMb: '1 GB' }, 'MILLRACE_INVALID_OPTION', 'tiers.default.recycle.memoryMb')
    await refused({ job: 5 }, 'MILLRACE_UNKNOWN_OPTION', 'tiers.default.recycle.job')
  })
})
