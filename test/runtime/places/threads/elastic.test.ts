import assert from 'node:assert/strict'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { RuntimeEvents } from '../../../../lib/events.ts'
import { createRuntime, type Runtime, type RuntimeOptions } from '../../../../runtime/index.ts'
import { finder, leaver, onLane, other, reset, slow } from '../../../fixtures/elastic-tasks.ts'
import { echo, native } from '../../../fixtures/tasks.ts'
import { nextEvent } from '../../../helpers/next-event.ts'
import { ledgerOf, scratchFolder } from '../../../helpers/scratch.ts'
import { startRuntime } from '../../../helpers/start-runtime.ts'
import { until } from '../../../helpers/until.ts'

const TIMEOUT = { timeoutMs: 60_000 }
const tasks = new URL('../../../fixtures/elastic-tasks.js', import.meta.url)

type Resized = Parameters<RuntimeEvents['place.resized']>[0]

async function start(
  test: { after(clean: () => unknown): unknown },
  options: Partial<RuntimeOptions>,
): Promise<{ runtime: Runtime; resized: Resized[] }> {
  const runtime = await startRuntime(test, { tasks, lanes: { network: { concurrency: 2 } }, ...options })
  const resized: Resized[] = []
  runtime.on('place.resized', (event) => resized.push(event))
  return { runtime, resized }
}

/** Enqueues more than the place gets done; returns what waits for all of it. */
async function load(runtime: Runtime, jobs: number, ms: number): Promise<() => Promise<number[]>> {
  const all = await Promise.all(Array.from({ length: jobs }, () => runtime.enqueue(slow, { ms })))
  return () => Promise.all(all.map((job) => job.result(TIMEOUT)))
}

describe('a lane that is made larger', () => {
  it('has room on the disk for all that may start there, before it does', async (test) => {
    const folder = scratchFolder()
    const { runtime } = await start(test, {
      journal: { file: join(folder, 'jobs.db') },
      tiers: { default: { threads: 1 }, other: { threads: 1 } },
    })
    const size = () => statSync(join(folder, 'jobs.db.starts')).size
    const before = size()
    await runtime.resize('network', { concurrency: 1_000 })
    assert.ok(size() - before >= 998 * 16, `${size() - before} bytes more`)
  })
})

describe('a tier with elastic threads', () => {
  it('grows while its jobs wait, says why, and shrinks when it is quiet', { timeout: 120_000 }, async (test) => {
    const { runtime, resized } = await start(test, {
      tiers: { default: { threads: { min: 1, max: 3 } }, other: { threads: 1 } },
      maxThreads: 8,
    })
    const rest = await load(runtime, 150, 100)
    const threads = new Set(await rest())
    assert.ok(threads.size >= 2 && threads.size <= 3, `${threads.size} threads`)
    assert.ok(resized.length > 0)
    for (const { place, cause, before, threads: after, waitMs, busy } of resized) {
      assert.deepEqual([place, cause, after], ['default', 'waiting', before + 1])
      assert.ok(waitMs > 100 && busy === before, `waited ${waitMs} ms with ${busy} busy of ${before}`)
    }
    const shrunk = await nextEvent(runtime, 'place.resized', {
      where: ({ cause }) => cause === 'quiet',
      timeoutMs: 30_000,
    })
    assert.equal(shrunk.threads, shrunk.before - 1)
    assert.equal(await (await load(runtime, 1, 1))().then((ids) => ids.length), 1)
  })

  it('does not grow where its jobs do not wait: the control', { timeout: 60_000 }, async (test) => {
    const { runtime, resized } = await start(test, {
      tiers: { default: { threads: { min: 1, max: 3 } }, other: { threads: 1 } },
    })
    for (let at = 0; at < 30; at++) await (await runtime.enqueue(slow, { ms: 100 })).result(TIMEOUT)
    assert.deepEqual(resized, [])
  })

  it('shares a total with the others, which it never exceeds', { timeout: 60_000 }, async (test) => {
    const { runtime, resized } = await start(test, {
      tiers: { default: { threads: { min: 1, max: 8 } }, other: { threads: { min: 1, max: 8 } } },
      maxThreads: 3,
    })
    const others = await Promise.all(Array.from({ length: 60 }, () => runtime.enqueue(other, { ms: 100 })))
    const rest = await load(runtime, 60, 100)
    await Promise.all([rest(), ...others.map((job) => job.result(TIMEOUT))])
    assert.equal(resized.length, 1, 'one thread was left')
  })
})

describe('resizing', () => {
  it('adds threads at once, and takes them away when they have ended what they run', {
    timeout: 60_000,
  }, async (test) => {
    const { runtime, resized } = await start(test, {
      tiers: { default: { threads: 1 }, other: { threads: 1 } },
      maxThreads: 8,
    })
    assert.equal(new Set(await (await load(runtime, 10, 50))()).size, 1)
    await runtime.resize('default', { threads: 3 })
    await (await load(runtime, 60, 50))()
    assert.ok(new Set(await (await load(runtime, 30, 50))()).size >= 2)
    const rest = await load(runtime, 30, 50)
    await runtime.resize('default', { threads: 1 })
    assert.equal((await rest()).length, 30, 'nobody is lost')
    assert.equal(new Set(await (await load(runtime, 10, 20))()).size, 1)
    await runtime.resize('default', { threads: 2 })
    await (await load(runtime, 20, 50))()
    assert.deepEqual(
      resized.map(({ cause, before, threads }) => [cause, before, threads]),
      [
        ['asked', 1, 3],
        ['asked', 3, 1],
        ['asked', 1, 2],
      ],
    )
  })

  it('takes a thread away that hangs in a native call, when that has returned', { timeout: 60_000 }, async (test) => {
    const runtime = await startRuntime(test, { tiers: { default: { threads: 2 }, small: { threads: 1 } } })
    const ledger = join(scratchFolder(), 'ledger')
    const hung = nextEvent(runtime, 'thread.hung', { timeoutMs: 20_000 })
    const job = await runtime.enqueue(native, { ledger, seconds: 4, how: 'exec' })
    await hung
    await runtime.resize('default', { threads: 1 })
    const echoes = await Promise.all([1, 2, 3].map((value) => runtime.enqueue(echo, { value })))
    for (const each of echoes) await each.result(TIMEOUT)
    assert.equal((await job.record()).state, 'running', 'it has not returned')
    assert.equal(await job.result(TIMEOUT), 'again')
    const tier = await until(
      'one thread is left',
      async () => (await runtime.places()).find(({ place }) => place === 'default'),
      (found) => found?.threads.length === 1,
    )
    assert.equal(tier?.zombies, 0)
    assert.deepEqual(await runtime.stop(), { stuck: [] })
  })

  it('takes no thread away that makes way after a stray, before it has ended what it runs', {
    timeout: 60_000,
  }, async (test) => {
    const { runtime } = await start(test, {
      tiers: { default: { threads: 1 }, other: { threads: 1 } },
      maxThreads: 8,
    })
    await (await runtime.enqueue(leaver, null)).result(TIMEOUT)
    const stray = nextEvent(runtime, 'job.stray', TIMEOUT)
    const job = await runtime.enqueue(finder, { ms: 5_000 }, { retry: { attempts: 1 } })
    const result = job.result(TIMEOUT)
    await stray
    for (const threads of [2, 1, 2]) await runtime.resize('default', { threads })
    const rest = await load(runtime, 2, 3_000)
    await until(
      'the other one has no less to do',
      async () => (await runtime.places()).find(({ place }) => place === 'default')?.threads ?? [],
      (threads) => threads.filter(({ running }) => running > 0).length === 2,
    )
    await runtime.resize('default', { threads: 1 })
    assert.equal((await Promise.all([result, rest()]))[1].length, 2)
  })

  it('tears down the modules of a thread that goes', { timeout: 60_000 }, async (test) => {
    const ledger = join(scratchFolder(), 'ledger')
    process.env['TEARDOWN_LEDGER'] = ledger
    test.after(() => delete process.env['TEARDOWN_LEDGER'])
    const { runtime } = await start(test, { tiers: { default: { threads: 2 }, other: { threads: 1 } } })
    const ids = new Set(await (await load(runtime, 40, 30))())
    assert.equal(ids.size, 2)
    await runtime.resize('default', { threads: 1 })
    const [line] = await ledgerOf(ledger)
    assert.ok(ids.has(Number(line?.[0])))
  })

  it('changes how many jobs a lane has at once', { timeout: 60_000 }, async (test) => {
    const { runtime } = await start(test, { tiers: { default: { threads: 1 }, other: { threads: 1 } } })
    const most = async () => {
      await (await runtime.enqueue(reset, null)).result(TIMEOUT)
      const jobs = await Promise.all(Array.from({ length: 20 }, () => runtime.enqueue(onLane, { ms: 30 })))
      return Math.max(...(await Promise.all(jobs.map((job) => job.result(TIMEOUT)))))
    }
    assert.equal(await most(), 2)
    await runtime.resize('network', { concurrency: 7 })
    assert.equal(await most(), 7)
    const running = await Promise.all(Array.from({ length: 7 }, () => runtime.enqueue(onLane, { ms: 100 })))
    await runtime.resize('network', { concurrency: 3 })
    await runtime.resize('network', { concurrency: 5 })
    await Promise.all(running.map((job) => job.result(TIMEOUT)))
    assert.equal(await most(), 5)
    await runtime.resize('network', { concurrency: 3 })
    assert.equal(await most(), 3)
  })

  it('keeps the starts of what is new on file', { timeout: 60_000 }, async (test) => {
    const file = join(scratchFolder(), 'jobs.db')
    const { runtime } = await start(test, {
      journal: { file },
      tiers: { default: { threads: 1 }, other: { threads: 1 } },
      maxThreads: 8,
    })
    const before = readFileSync(`${file}.starts`).length
    await runtime.resize('default', { threads: 4 })
    await (await load(runtime, 80, 50))()
    assert.ok(readFileSync(`${file}.starts`).length > before)
  })

  it('refuses what a place does not have, with the way out', async (test) => {
    const { runtime } = await start(test, {
      tiers: { default: { threads: 1 }, other: { threads: 1 }, heavy: { processes: 1 } },
      maxThreads: 4,
    })
    const refused = (place: string, size: object, code: string, message: RegExp) =>
      assert.rejects(runtime.resize(place, size as never), (error: { code: string; message: string }) => {
        assert.equal(error.code, code, error.message)
        assert.match(error.message, message)
        return true
      })
    await refused('nowhere', { threads: 1 }, 'MILLRACE_UNKNOWN_PLACE', /default, other, heavy, network/)
    await refused('default', { concurrency: 7 }, 'MILLRACE_INVALID_OPTION', /got 7, expected threads/)
    await refused('network', { threads: 2 }, 'MILLRACE_INVALID_OPTION', /got 2, expected concurrency/)
    await refused('network', { threads: { min: 1, max: 3 } }, 'MILLRACE_INVALID_OPTION', /got "1 to 3", expected/)
    await refused('heavy', { threads: 3 }, 'MILLRACE_INVALID_OPTION', /got 3, expected .*processes/)
    await refused('default', { threads: 0 }, 'MILLRACE_INVALID_OPTION', /1 to 512/)
    await refused('default', { threads: 5 }, 'MILLRACE_INVALID_OPTION', /at most 2 more/)
    await refused('default', { size: 5 }, 'MILLRACE_UNKNOWN_OPTION', /threads, concurrency/)
  })

  it('is checked where the runtime is made as well', async () => {
    const rejects = (options: Partial<RuntimeOptions>, path: string) =>
      assert.rejects(
        createRuntime({ tasks, journal: { file: ':memory:' }, ...options }),
        (error: { code: string; path: string }) => {
          assert.deepEqual([error.code, error.path], ['MILLRACE_INVALID_OPTION', path])
          return true
        },
      )
    await rejects({ tiers: { default: { threads: { min: 3, max: 2 } } } }, 'tiers.default.threads.max')
    await rejects({ tiers: { default: { threads: { min: 0, max: 2 } } } }, 'tiers.default.threads.min')
    await rejects({ tiers: { default: { threads: 3 } }, maxThreads: 2 }, 'maxThreads')
  })
})
