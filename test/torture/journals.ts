import { existsSync } from 'node:fs'
import { endedStates, stateCodes } from '../../lib/job-state.ts'
import { Database } from '../../runtime/index.ts'

/** What of a journal is not as it should be when everything has ended: its damage, and jobs that have not ended. */
export function leftIn(journal: string): readonly string[] {
  if (!existsSync(journal)) return []
  const db = new Database(journal, { readonly: true })
  try {
    const damage = db.pragma('quick_check', { simple: true })
    const ended = endedStates.map((state) => stateCodes[state])
    const rows = db.prepare(`SELECT * FROM millrace_jobs WHERE state NOT IN (${ended.join(', ')})`).all()
    return [...(damage === 'ok' ? [] : [String(damage)]), ...rows.map((row) => JSON.stringify(row))]
  } finally {
    db.close()
  }
}
