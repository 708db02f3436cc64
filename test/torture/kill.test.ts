import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { examine } from '../../runtime/journal/tools/doctor.ts'
import { killLoop, type Verdict } from '../helpers/kill-loop.ts'
import { ledgerFaults } from '../helpers/kill-verdict.ts'
import { built } from '../helpers/mutant.ts'
import { scratchFolder } from '../helpers/scratch.ts'

/** More of them for a longer run: MILLRACE_KILL_CYCLES=2000 npm test -- torture/kill */
const CYCLES = Number(process.env['MILLRACE_KILL_CYCLES'] ?? 200)
const WITHIN_MS = Number(process.env['MILLRACE_KILL_WITHIN_MS'] ?? 100)
const LIMIT = { timeout: CYCLES * 5_000 + 60_000 }
const TRIED_LIMIT = { timeout: 300_000 }
/** A busy machine may have no process for a trial in the time that a life has. */
const MOST_ROUNDS = 10

/** Its ledger has no fault, and what was left has been worked off by a victim that has ended by itself. */
function assertFaultless({ evidence, drained, ...verdict }: Verdict): void {
  const found = ledgerFaults.filter((fault) => verdict[fault] > 0)
  assert.deepEqual([found, drained], [[], 0], [JSON.stringify(verdict), ...evidence].join('\n'))
}

/** Its rows and indexes agree, it ends where it last did, and nothing is left in it. */
function assertWhole(journal: string): void {
  const { damage, lost, counts, inboxRows } = examine(journal, 'full')
  assert.deepEqual({ damage, lost, counts, inboxRows }, { damage: [], lost: undefined, counts: [], inboxRows: 0 })
}

describe('a service that is killed', () => {
  it(`loses nothing in ${CYCLES} kills, and runs nothing again that was committed`, LIMIT, async (test) => {
    const folder = scratchFolder()
    const verdict = await killLoop({ built, folder, cycles: CYCLES, withinMs: WITHIN_MS })
    test.diagnostic(JSON.stringify({ ...verdict, evidence: verdict.evidence.length }))
    assertFaultless(verdict)
    assert.ok(verdict.acknowledged > CYCLES * 30, `only ${verdict.acknowledged} jobs were acknowledged`)
    assert.ok(verdict.ranTwice > 0, 'no kill has hit a running job')
    assertWhole(`${folder}/jobs.db`)
  })

  it('blames nobody where suspects are tried between two kills', TRIED_LIMIT, async (test) => {
    // The first job has begun at four deaths when a life comes that leaves time for its trial.
    const soon = [0, 60] as const
    const withinMs = [soon, soon, soon, soon, [2_500, 4_000]] as const
    let tried = 0
    for (let round = 0; round < 3 || (tried === 0 && round < MOST_ROUNDS); round++) {
      const folder = scratchFolder()
      const verdict = await killLoop({ built, folder, cycles: withinMs.length, withinMs, longMs: 400 })
      test.diagnostic(JSON.stringify({ ...verdict, evidence: verdict.evidence.length }))
      assertFaultless(verdict)
      assertWhole(`${folder}/jobs.db`)
      tried += verdict.tried
    }
    assert.ok(tried > 0, 'none was tried')
  })
})
