// needs-quiet: how soon it is seen that a loop stands still

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { after, describe, it, type TestContext } from 'node:test'
import {
  holds,
  holdsAsleep,
  holdsBriefly,
  holdsChecked,
  holdsLater,
  waits,
  yields,
} from '../../../fixtures/stalling-tasks.ts'
import { leakCheck } from '../../../helpers/leak-check.ts'
import { nextEvent } from '../../../helpers/next-event.ts'
import { ledgerOf, scratchFolder } from '../../../helpers/scratch.ts'
import { startRuntime } from '../../../helpers/start-runtime.ts'

leakCheck({ after }, { withinMs: 5_000 })

const TIMEOUT = { timeoutMs: 30_000 }
const LONG = { softLimitMs: 60_000, hardLimitMs: 60_000 }

function limits(ms: number) {
  return { softLimitMs: ms, hardLimitMs: ms }
}

async function lane(test: TestContext, { concurrency } = { concurrency: 10 }) {
  const runtime = await startRuntime(test, {
    tasks: new URL('../../../fixtures/stalling-tasks.js', import.meta.url),
    tiers: {},
    lanes: { network: { threads: 1, concurrency } },
  })
  const ledger = join(scratchFolder(), 'ledger')
  /** A job that waits for so long, once it has begun. */
  const waiting = async (ms: number, its: { softLimitMs: number; hardLimitMs: number }) => {
    const begun = await ledgerOf(ledger, 0, 'start')
    const job = await runtime.enqueue(waits, { ledger, ms }, its)
    await ledgerOf(ledger, begun.length + 1, 'start')
    return job
  }
  return { runtime, ledger, waiting }
}

/** More than its processors can do, until it is disposed of. */
function busyMachine(): Disposable {
  const spinning = Array.from({ length: 2 * availableParallelism() }, () =>
    spawn(process.execPath, ['--eval', 'for (;;);'], { stdio: 'ignore' }),
  )
  return { [Symbol.dispose]: () => spinning.forEach((each) => each.kill('SIGKILL')) }
}

describe('a job that holds the loop of a lane that has threads', () => {
  for (const [what, task] of [
    ['from its call on', holds],
    ['and has a schema', holdsChecked],
  ] as const) {
    it(`is charged at its own limit, and nobody beside it: ${what}`, async (test) => {
      const { runtime, ledger, waiting } = await lane(test)
      const beside = await waiting(2_000, LONG)
      const interrupted = nextEvent(runtime, 'job.interrupted', TIMEOUT)
      const culprit = await runtime.enqueue(task, { ledger }, limits(500))
      await assert.rejects(culprit.result(TIMEOUT), { code: 'MILLRACE_HARD_LIMIT' })
      assert.equal((await interrupted).id, beside.id)
      assert.equal(await beside.result(TIMEOUT), undefined, 'it has one attempt, and still had it')
    })
  }

  it('is charged each time, so that it ends', async (test) => {
    const { runtime, ledger, waiting } = await lane(test)
    const beside = await waiting(1_500, LONG)
    const retry = { attempts: 3, backoff: { type: 'fixed', delayMs: 1 } } as const
    const culprit = await runtime.enqueue(holdsAsleep, { ledger }, { ...limits(1_000), retry })
    await assert.rejects(culprit.result(TIMEOUT), { code: 'MILLRACE_HARD_LIMIT' })
    assert.equal((await culprit.record()).attempts, 3)
    assert.equal(await beside.result(TIMEOUT), undefined)
  })

  it('is waited for when another comes to its limit first, which goes back uncharged', async (test) => {
    const { runtime, ledger, waiting } = await lane(test)
    const beside = await waiting(1_500, limits(3_000))
    const interrupted = nextEvent(runtime, 'job.interrupted', TIMEOUT)
    const culprit = await runtime.enqueue(holds, { ledger }, limits(6_000))
    assert.equal((await interrupted).id, beside.id)
    assert.equal((await culprit.record()).state, 'running', 'it is within its own limit')
    await assert.rejects(culprit.result(TIMEOUT), { code: 'MILLRACE_HARD_LIMIT' })
    assert.equal(await beside.result(TIMEOUT), undefined)
  })

  it('does not excuse one that had run for most of its limit before', async (test) => {
    const { runtime, ledger, waiting } = await lane(test)
    const beside = await waiting(60_000, limits(3_000))
    await new Promise((resolve) => setTimeout(resolve, 2_000))
    const culprit = await runtime.enqueue(holds, { ledger }, limits(5_000))
    await assert.rejects(beside.result(TIMEOUT), { code: 'MILLRACE_HARD_LIMIT' })
    await assert.rejects(culprit.result(TIMEOUT), { code: 'MILLRACE_HARD_LIMIT' })
  })

  it('ends with its thread also where its limit is shorter than a silence', async (test) => {
    const { runtime, ledger, waiting } = await lane(test)
    const beside = await waiting(1_000, LONG)
    await assert.rejects((await runtime.enqueue(holds, { ledger }, limits(50))).result(TIMEOUT), {
      code: 'MILLRACE_HARD_LIMIT',
    })
    assert.equal(await beside.result(TIMEOUT), undefined)
  })
})

describe('a loop of a lane that stands still after an await', () => {
  it('costs all that ran on it an attempt, in words that say why', async (test) => {
    const { runtime, ledger, waiting } = await lane(test)
    const beside = await waiting(60_000, LONG)
    const culprit = await runtime.enqueue(holdsLater, { ledger }, limits(500))
    await assert.rejects(culprit.result(TIMEOUT), { code: 'MILLRACE_HARD_LIMIT' })
    await assert.rejects(beside.result(TIMEOUT), {
      code: 'MILLRACE_THREAD_EXIT',
      message: /its loop stood still when holds\.later came to its hard limit, .*; look for long work on this lane/,
    })
  })

  it('costs nobody else anything where a job is cancelled', async (test) => {
    const { runtime, ledger, waiting } = await lane(test)
    const beside = await waiting(500, LONG)
    const culprit = await runtime.enqueue(holdsLater, { ledger }, LONG)
    await ledgerOf(ledger, 1, 'holds')
    await new Promise((resolve) => setTimeout(resolve, 500))
    await culprit.cancel({ mode: 'terminate' })
    await assert.rejects(culprit.result(TIMEOUT), { code: 'MILLRACE_JOB_CANCELLED' })
    assert.equal(await beside.result(TIMEOUT), undefined)
  })
})

describe('a loop of a lane that waits for a processor', () => {
  it('costs nobody beside who comes to a limit anything', async (test) => {
    const { runtime, ledger, waiting } = await lane(test, { concurrency: 60 })
    await (await runtime.enqueue(yields, undefined)).result(TIMEOUT)
    const beside = await waiting(8_000, LONG)
    const interrupted: string[] = []
    runtime.on('job.interrupted', ({ id }) => interrupted.push(id))
    using _ = busyMachine()
    const late = Array.from({ length: 25 }, (_, at) =>
      runtime.enqueue(waits, { ledger, ms: 60_000 }, limits(800 + 200 * at)),
    )
    for (const job of await Promise.all(late)) {
      await assert.rejects(job.result(TIMEOUT), { code: 'MILLRACE_HARD_LIMIT' })
    }
    assert.equal(await beside.result(TIMEOUT), undefined)
    assert.deepEqual(interrupted, [])
  })
})

describe('a job that is cancelled while its handler holds the loop', () => {
  it('is given up, and ends nobody beside it, where the loop goes on', async (test) => {
    const { runtime, ledger, waiting } = await lane(test)
    const beside = await waiting(800, LONG)
    const interrupted: string[] = []
    runtime.on('job.interrupted', ({ id }) => interrupted.push(id))
    const culprit = await runtime.enqueue(holdsBriefly, { ledger, ms: 60 }, LONG)
    await ledgerOf(ledger, 1, 'holds')
    await culprit.cancel({ mode: 'terminate' })
    await assert.rejects(culprit.result(TIMEOUT), { code: 'MILLRACE_JOB_CANCELLED' })
    assert.equal(await beside.result(TIMEOUT), undefined)
    assert.deepEqual(interrupted, [])
    assert.equal((await ledgerOf(ledger, 1, 'start')).length, 1, 'it has run once')
  })

  it('is ended with its thread where the loop does not go on', async (test) => {
    const { runtime, ledger, waiting } = await lane(test)
    const beside = await waiting(800, LONG)
    const culprit = await runtime.enqueue(holds, { ledger }, LONG)
    await ledgerOf(ledger, 1, 'holds')
    await culprit.cancel({ mode: 'terminate' })
    await assert.rejects(culprit.result(TIMEOUT), { code: 'MILLRACE_JOB_CANCELLED' })
    assert.equal(await beside.result(TIMEOUT), undefined)
    assert.equal((await ledgerOf(ledger, 2, 'start')).length, 2, 'it was given back uncharged, and has run again')
  })
})
