import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { createRuntime } from '../../../../runtime/index.ts'
import type { Conduct } from '../../../fixtures/conduct-tasks.ts'
import { type NodeProcess, startNode } from '../../../helpers/node-process.ts'
import { scratchFolder } from '../../../helpers/scratch.ts'

const service = new URL('../../../fixtures/blocked-service.js', import.meta.url)

interface Test {
  after(clean: () => unknown): unknown
}

function startService(test: Test, then: string, conduct: Conduct, ms: number, journal = ':memory:'): NodeProcess {
  return startNode(test, service, journal, then, conduct, String(ms))
}

async function next<T>(process: NodeProcess, word: string): Promise<T> {
  return JSON.parse((await process.line(`${word} `)).slice(word.length)) as T
}

interface Blocked {
  readonly id?: string
  readonly verdict: string
  readonly stack: readonly string[]
}

describe('the watchdog, told to report', () => {
  for (const [conduct, verdict] of [
    ['loop', 'spinning'],
    ['Atomics.wait', 'blocked'],
    ['execSync', 'blocked'],
    ['query', 'spinning'],
  ] as const) {
    it(`says that the loop is ${verdict} in ${conduct}, and lets it be, past its hard limit`, async (test) => {
      const process = startService(test, 'report', conduct, 2_500)
      const blocked = await next<Blocked>(process, 'blocked')
      assert.equal(blocked.verdict, verdict)
      assert.equal(await next(process, 'succeeded'), blocked.id)
    })
  }
})

describe('the watchdog, told to interrupt', () => {
  for (const [conduct, verdict] of [
    ['loop', 'spinning'],
    ['regular expression', 'spinning'],
    ['Atomics.wait', 'blocked'],
    ['execSync', 'blocked'],
  ] as const) {
    it(`ends the handler in ${conduct} at the hard limit of its job, and nothing else`, async (test) => {
      const process = startService(test, 'interrupt', conduct, conduct === 'execSync' ? 3_000 : 20_000)
      assert.equal((await next<Blocked>(process, 'blocked')).verdict, verdict)
      const interrupted = await next<{ id: string; task: string; ranMs: number }>(process, 'interrupted')
      assert.equal(interrupted.task, 'conduct.loop')
      assert.ok(interrupted.ranMs >= 1_500, `after ${interrupted.ranMs} ms`)
      assert.equal(await next(process, 'failed'), 'MILLRACE_HARD_LIMIT')
      assert.deepEqual(await next(process, 'next'), [interrupted.id, 'ended'])
      process.child.stdin?.write('stop\n')
      process.child.stdin?.end()
      const { code, errors } = await process.exited
      assert.match(errors, /interrupting the event loop at the hard limit of 1500 ms by the task conduct\.loop, job /)
      assert.equal(code, 0, errors)
    })
  }

  it('loses nothing that was under way beside it', async (test) => {
    const process = startService(test, 'interrupt', 'loop', 20_000)
    for (let at = 0; at < 3; at++) assert.equal(await next(process, 'promise'), at)
    const seen = new Set<number>()
    for (let at = 0; at < 3; at++) seen.add(await next<number>(process, 'immediate'))
    assert.deepEqual([...seen], [0, 1, 2])
    await next(process, 'beside')
  })

  it('leaves alone what cannot be unwound without ending the process', async (test) => {
    const process = startService(test, 'interrupt', 'loop in a scope', 3_500)
    await next(process, 'next')
    process.child.stdin?.end('stop')
    const { code, errors } = await process.exited
    assert.match(errors, /cannot be interrupted inside of AsyncResource\.runInAsyncScope by the task conduct\.loop/)
    assert.equal(code, 0, errors)
  })

  it('leaves alone what no job has to answer for: the code behind an await', async (test) => {
    const process = startService(test, 'interrupt', 'loop behind an await', 2_500)
    assert.equal((await next<Blocked>(process, 'blocked')).id, undefined)
    await next(process, 'succeeded')
  })
})

describe('the watchdog, told to end the process', () => {
  it('kills it at the hard limit of the job that holds the loop, which the next start finds', async (test) => {
    const journal = join(scratchFolder(), 'jobs.db')
    const process = startService(test, 'end', 'loop', 20_000, journal)
    const { signal, errors } = await process.exited
    assert.equal(signal, 'SIGKILL', errors)
    const [, id = ''] =
      /ending the process, .* blocked for over 1500 ms by the task conduct\.loop, job (\S+)/.exec(errors) ?? []
    await using runtime = await createRuntime({
      tasks: new URL('../../../fixtures/tasks.js', import.meta.url),
      journal: { file: journal },
      tiers: { default: { threads: 1 }, small: { threads: 1 } },
      lanes: { network: {} },
    })
    const { state, crashes } = await runtime.job(id).record()
    assert.deepEqual([state, crashes], ['available', 1])
  })

  it('kills it although nobody reads what it says about that', async (test) => {
    const process = startService(test, 'end', 'loop', 6_000)
    process.child.stderr?.destroy()
    const killed = process.exited.then(({ signal }) => signal)
    const outlived = process.line('succeeded ').then(
      () => 'outlived',
      () => 'ended',
    )
    assert.equal(await Promise.race([killed, outlived]), 'SIGKILL')
  })
})

describe('the options of the watchdog', () => {
  const withWatchdog = (watchdog: object) =>
    createRuntime({ tasks: service, journal: { file: ':memory:' }, watchdog: watchdog as never })

  it('are refused when they mean nothing, with the way out', async () => {
    await assert.rejects(withWatchdog({ atHardLimit: 'restart' }), {
      code: 'MILLRACE_INVALID_OPTION',
      path: 'watchdog.atHardLimit',
    })
    await assert.rejects(withWatchdog({ blockedMs: 10 }), {
      code: 'MILLRACE_INVALID_OPTION',
      path: 'watchdog.blockedMs',
    })
    await assert.rejects(withWatchdog({ atHardLimits: 'end' }), {
      code: 'MILLRACE_UNKNOWN_OPTION',
      path: 'watchdog.atHardLimits',
    })
  })
})
