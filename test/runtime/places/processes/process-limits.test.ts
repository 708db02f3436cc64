// needs-quiet: how long the loop of the service stands still
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, it } from 'node:test'
import { type NativeCall, noop, pid, stuck } from '../../../fixtures/process-tasks.ts'
import { loadBuild, mutant } from '../../../helpers/mutant.ts'
import { nextEvent } from '../../../helpers/next-event.ts'
import { startNode } from '../../../helpers/node-process.ts'
import { gone, isAlive, processesOf, startProcessTier } from '../../../helpers/start-process-tier.ts'
import { until } from '../../../helpers/until.ts'

const TIMEOUT = { timeoutMs: 30_000 }
const CALLS: readonly NativeCall[] = ['loop', 'regex', 'exec', 'sqlite']

/** Loaded machines are slow, so this is no measurement. */
const GENEROUS_MS = 2_000

let marks = 4_000
/** A number of seconds by which a test knows its own command again. */
function nextMark(): string {
  return `${++marks}.${process.pid}`
}

describe('the hard limit of a tier of processes', () => {
  for (const how of CALLS) {
    it(`ends a process in ${how} with all that it has started, and charges nobody beside it`, async (test) => {
      const runtime = await startProcessTier(test)
      const mark = nextMark()
      const before = await runtime.enqueue(noop, null)
      const where = nextEvent(runtime, 'job.progress', TIMEOUT)
      const dead = nextEvent(runtime, 'job.dead', TIMEOUT)
      const job = await runtime.enqueue(stuck, { how, mark })
      const beside = await Promise.all(Array.from({ length: 10 }, () => runtime.enqueue(noop, null)))
      await assert.rejects(job.result(TIMEOUT), { code: 'MILLRACE_HARD_LIMIT' })
      const process = (await where).value as number
      // What the job says is final: nothing of it runs any more.
      assert.equal(isAlive(process), false)
      assert.deepEqual(processesOf(`sleep ${mark}`), [])
      const { ranMs } = await dead
      assert.ok(ranMs !== undefined && ranMs >= 300 && ranMs < 300 + GENEROUS_MS, `ran ${ranMs} ms`)
      await Promise.all([before, ...beside].map((each) => each.result(TIMEOUT)))
    })
  }

  it('gives the seat to the spare at once', async (test) => {
    const runtime = await startProcessTier(test)
    // By then the spare is ready too: it was started when the first process was.
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    const job = await runtime.enqueue(stuck, { how: 'loop', mark: '' })
    const behind = await runtime.enqueue(noop, null)
    await assert.rejects(job.result(TIMEOUT), { code: 'MILLRACE_HARD_LIMIT' })
    const since = performance.now()
    await behind.result(TIMEOUT)
    const gapMs = performance.now() - since
    test.diagnostic(`served ${gapMs.toFixed(1)} ms after the job had failed`)
    assert.ok(gapMs < 100, `${gapMs} ms`)
  })

  it('is an end that a cancel may ask for at any time', async (test) => {
    const runtime = await startProcessTier(test)
    const mark = nextMark()
    const begun = nextEvent(runtime, 'job.progress', TIMEOUT)
    const job = await runtime.enqueue(stuck, { how: 'exec', mark }, { hardLimitMs: 60_000 })
    const { value } = await begun
    await job.cancel({ mode: 'terminate' })
    await assert.rejects(job.result(TIMEOUT), { code: 'MILLRACE_JOB_CANCELLED' })
    assert.equal(isAlive(value as number), false)
    assert.deepEqual(processesOf(`sleep ${mark}`), [])
  })

  it('leaves nothing stuck when the runtime stops', async (test) => {
    for (const how of ['exec', 'sqlite'] as const) {
      const runtime = await startProcessTier(test)
      const begun = nextEvent(runtime, 'job.progress', TIMEOUT)
      await runtime.enqueue(stuck, { how, mark: nextMark() }, { hardLimitMs: 60_000 })
      const { value } = await begun
      const since = performance.now()
      assert.deepEqual(await runtime.stop({ graceMs: 100 }), { stuck: [] })
      assert.ok(performance.now() - since < 100 + GENEROUS_MS)
      assert.equal(isAlive(value as number), false)
    }
  })
})

describe('a process that does not exit although it was killed', () => {
  it('is counted until it has', async () => {
    // Nothing but the kernel holds one up: here it is late at once.
    using copy = mutant({
      file: 'runtime/places/processes/process-place.js',
      from: 'ZOMBIE_MS = 5_000',
      to: 'ZOMBIE_MS = 0',
    })
    const { createRuntime } = await loadBuild(copy.folder)
    await using runtime = await createRuntime({
      tasks: pathToFileURL(join(copy.folder, 'test/fixtures/process-tasks.js')),
      journal: { file: ':memory:' },
      tiers: { default: { threads: 1 }, heavy: { processes: 1 } },
    })
    const counts: number[] = []
    runtime.on('place.zombies', ({ count }) => counts.push(count))
    // One may have exited before it is looked at.
    for (let tries = 0; counts.length === 0 && tries < 20; tries++) {
      const job = await runtime.enqueue(stuck, { how: 'loop', mark: nextMark() })
      await assert.rejects(job.result(TIMEOUT), { code: 'MILLRACE_HARD_LIMIT' })
    }
    await until(
      'all have exited',
      async () => counts.at(-1),
      (count) => count === 0,
    )
    assert.deepEqual(counts, [1, 0])
  })
})

describe('when the service is killed', () => {
  const service = new URL('../../../fixtures/process-service.js', import.meta.url)

  for (const how of CALLS) {
    it(`its process ends, although it is in ${how}`, async (test) => {
      const mark = nextMark()
      const { child, line } = startNode(test, service, 'stuck', how, mark)
      const where = Number((await line('stuck')).split(' ')[1])
      child.kill('SIGKILL')
      assert.ok(await gone(where))
      assert.deepEqual(processesOf(`sleep ${mark}`), [])
    })
  }

  it('its idle processes end', async (test) => {
    const { child, line } = startNode(test, service, 'idle')
    const where = Number((await line('idle')).split(' ')[1])
    child.kill('SIGKILL')
    assert.ok(await gone(where))
  })

  it('one that is stuck would go on without its guard', async (test) => {
    using copy = mutant({
      file: 'runtime/places/processes/guard-thread-main.js',
      from: /if \(process\.ppid !== parent\)/,
      to: 'if (false)',
    })
    const { child, line } = startNode(
      test,
      new URL(`file://${copy.folder}/test/fixtures/process-service.js`),
      'stuck',
      'loop',
      '',
    )
    const where = Number((await line('stuck')).split(' ')[1])
    child.kill('SIGKILL')
    assert.equal(await gone(where, 1_500), false)
    process.kill(-where, 'SIGKILL')
    assert.ok(await gone(where))
  })
})

describe('a process that is not the service', () => {
  it('keeps what the service is debugged and tested with to it', async (test) => {
    const { inheritedEnvironment, inheritedFlags } = await import(
      '../../../../runtime/places/processes/process-start.ts'
    )
    const flags = [
      '--enable-source-maps',
      '--inspect=127.0.0.1:0',
      '--import',
      'tsx',
      '--watch-path',
      './src',
      '-e',
      '1',
    ]
    assert.deepEqual(inheritedFlags([...flags, '--conditions=development']), [
      '--enable-source-maps',
      '--import',
      'tsx',
      '--conditions=development',
    ])
    const environment = {
      A: '1',
      NODE_TEST_CONTEXT: 'child',
      NODE_OPTIONS: '--inspect-brk=9230 --import tsx --inspect',
    }
    assert.deepEqual({ ...inheritedEnvironment(environment) }, { A: '1', NODE_OPTIONS: '--import tsx' })
    process.execArgv.push('--inspect=0')
    test.after(() => process.execArgv.splice(process.execArgv.indexOf('--inspect=0'), 1))
    const runtime = await startProcessTier(test)
    assert.notEqual(await (await runtime.enqueue(pid, null)).result(TIMEOUT), process.pid)
  })
})
