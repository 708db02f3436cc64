// needs-quiet: how soon a killed job runs again
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { createRuntime } from '../../runtime/index.ts'
import { slow } from '../fixtures/victim-tasks.ts'
import { killOnStart } from '../helpers/kill-loop.ts'
import { built, mutant } from '../helpers/mutant.ts'
import { ledgerLines, scratchFolder } from '../helpers/scratch.ts'

const WAITING = 1_000_000
const AGAIN_WITHIN_MS = 1_000
/** On a machine that is slow: so many times what it takes to the first job of an empty journal. */
const TIMES_COLD = 4
/** None ends before the kill. */
const JOB_MS = 5_000

/** Leaves so many jobs waiting, with nobody who runs them. */
async function fill(file: string): Promise<void> {
  function* inputs() {
    for (let at = 0; at < WAITING; at++) yield { ms: JOB_MS }
  }
  const runtime = await createRuntime({
    tasks: new URL('../../bench/no-tasks.js', import.meta.url),
    journal: { file, durability: 'relaxed' },
    tiers: { default: { threads: 1 } },
  })
  const { enqueued } = await runtime.enqueueMany(slow, inputs())
  await runtime.stop()
  assert.equal(enqueued, WAITING)
}

/** A life of the victim that is killed when its first job has begun: which have, and how many ms after `createRuntime`. */
async function live(from: string, folder: string, mode: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const ledger = join(folder, 'ledger')
  const before = ledgerLines(ledger).length
  await killOnStart({ built: from, folder, ledger, mode, whom: 'service' })
  let openingAt = Number.NaN
  const starts = new Map<string, number>()
  for (const [what, id = '', at, , , startedAt, whole] of ledgerLines(ledger).slice(before)) {
    if (what === 'opening') openingAt = Number(at)
    if (what === 'start' && whole === '.') starts.set(id, Number(startedAt) - openingAt)
  }
  return starts
}

/** When the first of the jobs of one life has begun in the next. */
function againIn(next: ReadonlyMap<string, number>, killed: ReadonlyMap<string, number>): number | undefined {
  return [...next].find(([id]) => killed.has(id))?.[1]
}

describe('a service that is killed while 1,000,000 jobs wait', () => {
  it('runs again within a second what was running, before all that waits', { timeout: 120_000 }, async (test) => {
    const empty = await live(built, scratchFolder(), ['long', String(JOB_MS)])
    const [coldMs = 0] = empty.values()
    const folder = scratchFolder()
    await fill(join(folder, 'jobs.db'))
    const killed = await live(built, folder, ['drain'])
    const next = await live(built, folder, ['drain'])
    const againMs = againIn(next, killed)
    test.diagnostic(`${againMs} ms; with an empty journal ${coldMs} ms`)
    assert.ok(againMs !== undefined, 'others have begun before it')
    assert.ok(againMs <= Math.max(AGAIN_WITHIN_MS, TIMES_COLD * coldMs), `${againMs} ms; cold ${coldMs} ms`)
    await isFoundOut(folder)
  })
})

/** What was running goes to the end of the queue: others begin instead. */
async function isFoundOut(folder: string): Promise<void> {
  using copy = mutant({
    file: 'runtime/journal/store/recover.js',
    from: 'crashes = ?, rank = ?, interrupted_at = NULL',
    to: 'crashes = ?, rank = ?, ord = ord + 1e9, interrupted_at = NULL',
  })
  const killed = await live(copy.folder, folder, ['drain'])
  const next = await live(copy.folder, folder, ['drain'])
  assert.equal(againIn(next, killed), undefined, 'the control')
}
