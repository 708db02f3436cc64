import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { Database } from '../../runtime/index.ts'
import { runVictim } from '../helpers/kill-loop.ts'
import { built, mutant } from '../helpers/mutant.ts'
import { ledgerLines, scratchFolder } from '../helpers/scratch.ts'

const INNOCENTS = 60
/** Three to make it a suspect, then halves of those that were beside it, then twice alone. */
const MOST_DEATHS = 14

/** Starts the victim again and again until it ends by itself; says how often it died. */
async function deathsOf(from: string, folder: string, most: number): Promise<number> {
  const ledger = join(folder, 'ledger')
  for (let deaths = 0; deaths < most; deaths++) {
    const mode = ['poison', deaths === 0 ? String(INNOCENTS) : '0']
    if ((await runVictim({ built: from, folder, ledger, mode })) === 0) return deaths
  }
  return most
}

function stillThere(folder: string): { state: number; error: string | null }[] {
  const db = new Database(join(folder, 'jobs.db'), { readonly: true })
  const rows = db
    .prepare<[], { state: number; error: string | null }>(
      `SELECT j.state, json_extract(a.record, '$.error.code') AS error FROM millrace_jobs j
       LEFT JOIN millrace_attempts a ON a.job = j.id`,
    )
    .all()
  db.close()
  return rows
}

describe('a job that takes its process down', () => {
  it('is found and ends as dead, and all that ran beside it succeed', { timeout: 120_000 }, async (test) => {
    const folder = scratchFolder()
    const deaths = await deathsOf(built, folder, MOST_DEATHS)
    test.diagnostic(`${deaths} deaths`)
    assert.ok(deaths < MOST_DEATHS, `still dying after ${deaths} deaths`)
    assert.deepEqual(
      stillThere(folder).map(({ error }) => error),
      ['MILLRACE_POISON'],
    )
    const ends = ledgerLines(join(folder, 'ledger')).filter(([what]) => what === 'end')
    assert.equal(new Set(ends.map(([, id]) => id)).size, INNOCENTS)
  })

  it('would take it down for ever if nobody counted', { timeout: 120_000 }, async () => {
    using copy = mutant({
      file: 'runtime/journal/recover.js',
      from: /const hadBegun = .*/,
      to: 'const hadBegun = () => false;',
    })
    assert.equal(await deathsOf(copy.folder, scratchFolder(), MOST_DEATHS), MOST_DEATHS)
  })
})
