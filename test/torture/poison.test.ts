import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { stateCodes } from '../../lib/job-state.ts'
import { Database } from '../../runtime/index.ts'
import { killOnStart, runVictim } from '../helpers/kill-loop.ts'
import { built, mutant } from '../helpers/mutant.ts'
import { ledgerLines, scratchFolder } from '../helpers/scratch.ts'

const INNOCENTS = 60
/** Three make it a suspect; then it is found without another. */
const DEATHS = 3
const MOST_DEATHS = 6

type Poison = 'poison' | 'poison-lane'

/** Starts the victim again and again until it ends by itself; says how often it died. */
async function deathsOf(from: string, folder: string, poison: Poison): Promise<number> {
  const ledger = join(folder, 'ledger')
  for (let deaths = 0; deaths < MOST_DEATHS; deaths++) {
    const mode = [poison, deaths === 0 ? String(INNOCENTS) : '0']
    if ((await runVictim({ built: from, folder, ledger, mode })) === 0) return deaths
  }
  return MOST_DEATHS
}

interface Row {
  readonly state: number
  readonly crashes: number
  readonly error: string | null
}

function stillThere(folder: string): Row[] {
  const db = new Database(join(folder, 'jobs.db'), { readonly: true })
  const rows = db
    .prepare<[], Row>(
      `SELECT j.state, j.crashes, json_extract(a.record, '$.error.code') AS error FROM millrace_jobs j
       LEFT JOIN millrace_attempts a ON a.job = j.id`,
    )
    .all()
  db.close()
  return rows
}

describe('a job that takes its process down', () => {
  for (const poison of ['poison', 'poison-lane'] as const) {
    it(`is found and dead while the service lives, and all beside it succeed: ${poison}`, {
      timeout: 120_000,
    }, async () => {
      const folder = scratchFolder()
      assert.equal(await deathsOf(built, folder, poison), DEATHS)
      assert.deepEqual(
        stillThere(folder).map(({ error }) => error),
        ['MILLRACE_POISON'],
      )
      const lines = ledgerLines(join(folder, 'ledger'))
      assert.equal(lines.filter(([what]) => what === 'dead').length, 1, 'told while the service lives')
      const ends = lines.filter(([what]) => what === 'end')
      assert.equal(new Set(ends.map(([, id]) => id)).size, INNOCENTS)
    })
  }

  it('would take it down for ever if nobody counted', { timeout: 120_000 }, async () => {
    using copy = mutant({
      file: 'runtime/journal/store/recover.js',
      from: /const hadBegun = .*/,
      to: 'const hadBegun = false;',
    })
    assert.equal(await deathsOf(copy.folder, scratchFolder(), 'poison'), MOST_DEATHS)
  })
})

describe('a job whose service is killed from outside', () => {
  const KILLS = 10

  it('ten times, and nothing else runs, is not dead; left alone it ends', { timeout: 240_000 }, async () => {
    const folder = scratchFolder()
    const ledger = join(folder, 'ledger')
    for (let kill = 0; kill < KILLS; kill++) {
      await killOnStart({ built, folder, ledger, mode: ['long', kill === 0 ? '3000' : '0'], whom: 'service' })
      assert.deepEqual(stillThere(folder), [{ state: stateCodes.running, crashes: kill, error: null }])
    }
    assert.equal(await runVictim({ built, folder, ledger, mode: ['drain'] }), 0)
    assert.deepEqual(stillThere(folder), [])
    assert.equal(ledgerLines(ledger).filter(([what]) => what === 'end').length, 1)
  })

  it('is dead when it is its own process that dies: the control', { timeout: 120_000 }, async () => {
    const folder = scratchFolder()
    const ledger = join(folder, 'ledger')
    for (let kill = 0; kill < 3; kill++) {
      await killOnStart({ built, folder, ledger, mode: ['long', kill === 0 ? '3000' : '0'], whom: 'service' })
    }
    await killOnStart({ built, folder, ledger, mode: ['drain'], whom: 'its process, twice' })
    assert.deepEqual(
      stillThere(folder).map(({ error }) => error),
      ['MILLRACE_POISON'],
    )
  })
})
