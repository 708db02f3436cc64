import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { parseJobId } from '../../../../lib/job.ts'
import { stateCodes } from '../../../../lib/job-state.ts'
import { createRuntime, Database } from '../../../../runtime/index.ts'
import {
  asked,
  hooks,
  misbehave,
  noop,
  onThread,
  pid,
  straggler,
  teller,
  traced,
} from '../../../fixtures/process-tasks.ts'
import { nextEvent } from '../../../helpers/next-event.ts'
import { ledgerLines, ledgerOf, scratchFolder } from '../../../helpers/scratch.ts'
import { gone, isAlive, processTasks, startProcessTier } from '../../../helpers/start-process-tier.ts'
import { until } from '../../../helpers/until.ts'

const TIMEOUT = { timeoutMs: 30_000 }

describe('a tier of processes', () => {
  it('runs the same handlers in processes of their own, with setup and around', async (test) => {
    const runtime = await startProcessTier(test)
    const where = await (await runtime.enqueue(pid, null)).result(TIMEOUT)
    assert.notEqual(where, process.pid)
    assert.equal(await (await runtime.enqueue(onThread, null)).result(TIMEOUT), process.pid, 'the control: a thread')
    assert.deepEqual(await (await runtime.enqueue(hooks, null)).result(TIMEOUT), { setups: 1, arounds: 2 })
  })

  it('has as many jobs at once as processes', async (test) => {
    const ledger = join(scratchFolder(), 'ledger')
    const runtime = await startProcessTier(test, { processes: 2 })
    // One that takes longer to start would find its job done by the other.
    const heavy = async () => (await runtime.places()).find(({ place }) => place === 'heavy')?.threads ?? []
    await until('all serve', heavy, (all) => all.length >= 2 && all.every(({ verdict }) => verdict === 'idle'))
    const jobs = await Promise.all([1, 2].map(() => runtime.enqueue(traced, { ledger, ms: 1_000 })))
    await Promise.all(jobs.map((job) => job.result(TIMEOUT)))
    const lines = ledgerLines(ledger)
    assert.deepEqual(
      lines.map(([what]) => what),
      ['start', 'start', 'end', 'end'],
    )
    assert.equal(new Set(lines.map(([, , , where]) => where)).size, 2)
  })

  it('says where its jobs are, and what each process does', async (test) => {
    const runtime = await startProcessTier(test)
    const ledger = join(scratchFolder(), 'ledger')
    const job = await runtime.enqueue(traced, { ledger, ms: 2_000 })
    const next = await runtime.enqueue(traced, { ledger, ms: 0 })
    await ledgerOf(ledger)
    const { reason } = await runtime.explain(job.id)
    assert.ok(reason.type === 'running' && reason.runningMs >= 0, reason.type)
    assert.deepEqual([reason.place, reason.thread], ['heavy', 0])
    assert.equal((await runtime.explain(next.id)).reason.type, 'in-hand', 'a process has no job but its own')
    const heavy = (await runtime.places()).find(({ place }) => place === 'heavy')
    assert.deepEqual([heavy?.running, heavy?.offered, heavy?.inHand, heavy?.zombies], [1, 0, 1, 0])
    const [busy, spare] = heavy?.threads ?? []
    assert.deepEqual([busy?.thread, busy?.running, busy?.job?.id], [0, 1, job.id])
    assert.match(busy?.verdict ?? '', /^(waiting|working)$/)
    assert.deepEqual([spare?.thread, spare?.running, spare?.job], [1, 0, undefined])
    await Promise.all([job.result(TIMEOUT), next.result(TIMEOUT)])
  })

  it('gives a handler the same context: log, progress, metadata, children at its success and at once', async (test) => {
    const runtime = await startProcessTier(test)
    const succeeded: string[] = []
    runtime.on('job.succeeded', ({ task }) => succeeded.push(task))
    const progress = nextEvent(runtime, 'job.progress', TIMEOUT)
    const job = await runtime.enqueue(teller, { children: 3 }, { metadata: { user: 'ada' } })
    assert.deepEqual(await job.result(TIMEOUT), { attempt: 1 })
    assert.deepEqual((await progress).value, { done: 0.5 })
    await runtime.idle()
    const { history } = await job.record()
    assert.deepEqual(
      history[0]?.log?.map(({ message, fields }) => [message, fields]),
      [['begun', { user: 'ada' }]],
    )
    assert.deepEqual(succeeded.sort(), ['noop', 'noop', 'noop', 'noop', 'teller'])
  })

  it('refuses a child that comes when the outcome of its parent is on its way', async (test) => {
    const ledger = join(scratchFolder(), 'ledger')
    const runtime = await startProcessTier(test)
    await (await runtime.enqueue(straggler, { ledger })).result(TIMEOUT)
    assert.deepEqual(await ledgerOf(ledger), [['MILLRACE_WRONG_STATE']])
  })

  it('asks by message: a handler that waits hears it by its signal, and at a checkpoint after a turn', async (test) => {
    const runtime = await startProcessTier(test, { processes: 2 })
    const [signal, checkpoint] = await Promise.all([
      runtime.enqueue(asked, { by: 'by signal' }),
      runtime.enqueue(asked, { by: 'by checkpoint' }),
    ])
    assert.equal(await signal.result(TIMEOUT), 'MILLRACE_SOFT_LIMIT')
    await assert.rejects(checkpoint.result(TIMEOUT), { code: 'MILLRACE_SOFT_LIMIT' })
  })

  it('cancels a job that runs by its signal', async (test) => {
    const runtime = await startProcessTier(test)
    const begun = nextEvent(runtime, 'job.progress', TIMEOUT)
    const job = await runtime.enqueue(asked, { by: 'by checkpoint' }, { softLimitMs: 5_000 })
    await begun
    await job.cancel()
    await assert.rejects(job.result(TIMEOUT), { code: 'MILLRACE_JOB_CANCELLED' })
  })

  it('tears its modules down when it stops', async (test) => {
    const ledger = join(scratchFolder(), 'ledger')
    process.env['TEARDOWN_LEDGER'] = ledger
    const runtime = await startProcessTier(test)
    delete process.env['TEARDOWN_LEDGER']
    const where = await (await runtime.enqueue(pid, null)).result(TIMEOUT)
    await runtime.stop()
    assert.ok(ledgerLines(ledger).some(([, by]) => by === String(where)))
    assert.ok(await gone(where))
  })

  it('gives what runs the grace when it stops, then returns it uncharged', async () => {
    const folder = scratchFolder()
    const [journal, ledger] = [join(folder, 'jobs.db'), join(folder, 'ledger')]
    const options = { tasks: processTasks, journal: { file: journal }, tiers: { default: {}, heavy: { processes: 2 } } }
    const runtime = await createRuntime(options)
    const short = await runtime.enqueue(traced, { ledger, ms: 300 })
    await runtime.enqueue(traced, { ledger, ms: 60_000 })
    const result = short.result(TIMEOUT)
    await ledgerOf(ledger, 2)
    assert.deepEqual(await runtime.stop({ graceMs: 1_000 }), { stuck: [] })
    await result
    const left = new Database(journal, { readonly: true })
    const rows = left.prepare('SELECT state, attempt FROM millrace_jobs').all()
    left.close()
    assert.deepEqual(rows, [{ state: stateCodes.available, attempt: 0 }])
  })
})

describe('a process that ends', () => {
  it('while a job runs costs that job, and no other', async (test) => {
    const runtime = await startProcessTier(test)
    for (const [how, details] of [
      ['exit', { code: 7, signal: null }],
      ['abort', { code: null, signal: 'SIGABRT' }],
      ['disconnect', { code: null, signal: 'SIGKILL' }],
    ] as const) {
      const before = await runtime.enqueue(noop, null)
      const job = await runtime.enqueue(misbehave, { how })
      const after = await Promise.all(Array.from({ length: 5 }, () => runtime.enqueue(noop, null)))
      await assert.rejects(job.result(TIMEOUT), { code: 'MILLRACE_PROCESS_EXIT' })
      const { history } = await job.record()
      assert.match(history.at(-1)?.error?.message ?? '', new RegExp(details.signal ?? 'exit code 7'))
      await Promise.all([before, ...after].map((each) => each.result(TIMEOUT)))
    }
  })

  it('while it is idle is replaced, and charges nobody', async (test) => {
    const runtime = await startProcessTier(test)
    const first = await (await runtime.enqueue(pid, null)).result(TIMEOUT)
    process.kill(first, 'SIGKILL')
    assert.ok(await gone(first))
    assert.notEqual(await (await runtime.enqueue(pid, null, { retry: { attempts: 1 } })).result(TIMEOUT), first)
  })

  it('at any moment loses no job, runs none twice, and charges one at most', { timeout: 120_000 }, async (test) => {
    const ledger = join(scratchFolder(), 'ledger')
    const runtime = await startProcessTier(test, { processes: 2 })
    const jobs = await Promise.all(
      Array.from({ length: 150 }, (_, at) => runtime.enqueue(traced, { ledger, ms: at % 8 })),
    )
    let kills = 0
    const killer = setInterval(() => {
      const last = ledgerLines(ledger).at(-1)
      if (last?.[3] === undefined || !isAlive(Number(last[3]))) return
      process.kill(Number(last[3]), 'SIGKILL')
      kills++
    }, 100)
    const ends = await Promise.allSettled(jobs.map((job) => job.result({ timeoutMs: 100_000 })))
    clearInterval(killer)
    const charged = ends.filter(({ status }) => status === 'rejected')
    for (const end of charged) assert.equal((end as PromiseRejectedResult).reason.code, 'MILLRACE_PROCESS_EXIT')
    const starts = ledgerLines(ledger).filter(([what]) => what === 'start')
    assert.equal(new Set(starts.map(([, id]) => id)).size, starts.length, 'none ran twice')
    assert.ok(kills > 0 && charged.length <= kills, `${charged.length} charged at ${kills} kills`)
    test.diagnostic(`${kills} kills, ${charged.length} charged of ${jobs.length}`)
  })

  it('is not ended by the signals that end the service, nor by another runtime in it', async (test) => {
    const runtime = await startProcessTier(test)
    const where = await (await runtime.enqueue(pid, null)).result(TIMEOUT)
    assert.equal(await (await runtime.enqueue(misbehave, { how: 'signal' })).result(TIMEOUT), where)
    const nested = await runtime.enqueue(misbehave, { how: 'nested' })
    await assert.rejects(nested.result(TIMEOUT), { code: 'MILLRACE_NESTED_RUNTIME' })
  })

  it('after a rejection that nobody handles is replaced, and the jobs after it are not blamed', async (test) => {
    const runtime = await startProcessTier(test)
    const stray = nextEvent(runtime, 'job.stray', TIMEOUT)
    const job = await runtime.enqueue(misbehave, { how: 'reject later' })
    const where = await job.result(TIMEOUT)
    const { id, error, place } = await stray
    assert.deepEqual([id, error.message, place], [job.id, 'late rejection', 'heavy'])
    assert.notEqual(await (await runtime.enqueue(pid, null)).result(TIMEOUT), where)
    assert.ok(await gone(where))
  })
})

describe('a process that makes way while its job runs', () => {
  /** Numbers of jobs, as they stand in the records behind the header. */
  const startsOn = (file: string) => {
    const content = readFileSync(`${file}.starts`)
    return Array.from({ length: (content.length - 64) / 16 }, (_, at) => content.readDoubleLE(64 + 16 * at))
  }

  it('keeps the start of that on file when its successor begins another', async (test) => {
    const [file, ledger] = [join(scratchFolder(), 'jobs.db'), join(scratchFolder(), 'ledger')]
    const runtime = await startProcessTier(test, {}, { journal: { file } })
    const stray = nextEvent(runtime, 'job.stray', TIMEOUT)
    const first = await runtime.enqueue(misbehave, { how: 'reject early' })
    await stray
    const second = await runtime.enqueue(traced, { ledger, ms: 10_000 })
    await ledgerOf(ledger)
    const begun = startsOn(file)
    for (const { id } of [first, second]) assert.ok(begun.includes(parseJobId(id)?.number ?? Number.NaN))
  })
})

describe('processes that cannot start', () => {
  it('make their place give up, while the others go on', async (test) => {
    process.env['BROKEN_PROCESS'] = 'yes'
    test.after(() => delete process.env['BROKEN_PROCESS'])
    const runtime = await startProcessTier(test)
    const { place, error } = await nextEvent(runtime, 'place.stopped', TIMEOUT)
    assert.equal(place, 'heavy')
    assert.match(error.message, /no luck in this process/)
    assert.equal(await (await runtime.enqueue(onThread, null)).result(TIMEOUT), process.pid)
    const job = await runtime.enqueue(pid, null)
    assert.equal((await job.record()).state, 'available')
  })
})

describe('a system that starts no process', () => {
  const { execPath } = process
  const ways = {
    'because there is no such program': () => {
      process.execPath = '/nonexistent/node'
      return () => {
        process.execPath = execPath
      }
    },
    'and refuses the call itself': () => {
      process.env['TOO_LONG'] = 'x'.repeat(256 * 1024)
      return () => delete process.env['TOO_LONG']
    },
  }
  for (const [why, spoil] of Object.entries(ways)) {
    it(`makes the place give up, and nothing else: ${why}`, async (test) => {
      const mend = spoil()
      test.after(mend)
      const runtime = await startProcessTier(test)
      const { place, error } = await nextEvent(runtime, 'place.stopped', TIMEOUT)
      assert.equal(place, 'heavy')
      assert.match(error.message, /ENOENT|E2BIG/)
      assert.equal(await (await runtime.enqueue(onThread, null)).result(TIMEOUT), process.pid)
    })
  }
})

describe('the options of a tier of processes', () => {
  const refused = (heavy: object, path: string) =>
    assert.rejects(
      createRuntime({ tasks: processTasks, journal: { file: ':memory:' }, tiers: { heavy } }),
      (error: { code: string; path: string }) => {
        assert.deepEqual([error.code, error.path], ['MILLRACE_INVALID_OPTION', path])
        return true
      },
    )

  it('are those of processes, and not of threads', async () => {
    await refused({ processes: 1, threads: 1 }, 'tiers.heavy.threads')
    await refused({ processes: 1, maxHeapMb: 100 }, 'tiers.heavy.maxHeapMb')
    await refused({ maxMemoryMb: 500 }, 'tiers.heavy.maxMemoryMb')
    await refused({ processes: 0 }, 'tiers.heavy.processes')
    await refused({ processes: 1, maxMemoryMb: 1 }, 'tiers.heavy.maxMemoryMb')
  })
})
