// needs-quiet: an attempt has 100 ms to hear of a drain
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, describe, it, type TestContext } from 'node:test'
import type { Job, Runtime } from '../../../../runtime/index.ts'
import { onLoop, onThreads, onTier } from '../../../fixtures/asked-tasks.ts'
import { leakCheck } from '../../../helpers/leak-check.ts'
import { ledgerLines, ledgerOf, scratchFolder } from '../../../helpers/scratch.ts'
import { startRuntime } from '../../../helpers/start-runtime.ts'

leakCheck({ after }, { withinMs: 5_000 })

const TIMEOUT = { timeoutMs: 20_000 }
const LONG = { softLimitMs: 60_000, hardLimitMs: 60_000 }

const places = { 'a tier': onTier, 'a lane on threads': onThreads, "a lane on the service's own loop": onLoop }

async function begun(test: TestContext, task: typeof onTier, reply: 'ends' | 'goes on', limits = LONG) {
  const runtime = await startRuntime(test, {
    tasks: new URL('../../../fixtures/asked-tasks.js', import.meta.url),
    tiers: { default: { threads: 1 } },
    lanes: { threads: { threads: 1, concurrency: 10 }, loop: { concurrency: 10 } },
  })
  const ledger = join(scratchFolder(), 'ledger')
  const job = await runtime.enqueue(task, { ledger, reply }, limits)
  await ledgerOf(ledger, 1, 'start')
  return { runtime, job, ledger }
}

function reasonsIn(ledger: string): string[] {
  return ledgerLines(ledger).flatMap(([what, code]) => (what === 'start' ? [] : [`${what} ${code}`]))
}

function twice(code: string): string[] {
  return [`signal ${code}`, `checkpoint ${code}`]
}

for (const [where, task] of Object.entries(places)) {
  describe(`an attempt on ${where} that is asked to end`, () => {
    const causes: readonly [string, string, (runtime: Runtime, job: Job) => Promise<unknown>][] = [
      ['by a drain', 'MILLRACE_DRAINING', (runtime) => runtime.stop({ graceMs: 0 })],
      ['by a cancel', 'MILLRACE_JOB_CANCELLED', (_runtime, job) => job.cancel()],
    ]
    for (const [by, code, ask] of causes) {
      it(`${by} hears that it is one`, async (test) => {
        const { runtime, job, ledger } = await begun(test, task, 'ends')
        await ask(runtime, job)
        await ledgerOf(ledger, 1, 'checkpoint')
        assert.deepEqual(reasonsIn(ledger), twice(code))
      })
    }

    it('at its soft limit hears that it is one, and is dead of it', async (test) => {
      const { job, ledger } = await begun(test, task, 'ends', { softLimitMs: 100, hardLimitMs: 60_000 })
      await assert.rejects(job.result(TIMEOUT), { code: 'MILLRACE_SOFT_LIMIT' })
      assert.deepEqual(reasonsIn(ledger), twice('MILLRACE_SOFT_LIMIT'))
    })

    it('and goes on has heard of the soft limit when it comes to the hard one, and of nothing since', async (test) => {
      const { job, ledger } = await begun(test, task, 'goes on', { softLimitMs: 100, hardLimitMs: 300 })
      await assert.rejects(job.result(TIMEOUT), { code: 'MILLRACE_HARD_LIMIT' })
      assert.deepEqual(reasonsIn(ledger), twice('MILLRACE_SOFT_LIMIT'))
    })
  })
}
