import { stateCodes } from '../../../lib/job-state.ts'
import { emptyClaim, push } from '../claim-columns.ts'
import type { Ledger } from './ledger.ts'
import type { ClaimColumns } from '../protocol.ts'
import { IS_SUSPECT, SUSPECT_RANK } from '../schema/schema.ts'
import { prepare, prepareTuples, prepareValue } from '../files/sqlite.ts'
import { WAITING_COLUMNS, type WaitingRow } from '../schema/statements.ts'

/** Suspects that are claimed at once; they run one after another. */
const TRIAL_JOBS = 16

/**
 * Claims the next suspects for their trial, if none is on trial: in the order in which they became available, those first
 * that were there at the fewest deaths. They take no room, since the place of the trial is not their task's.
 * Suspects go from waiting to running in one commit, so that none is ever where an ordinary claim would take it.
 */
export function startTrial(ledger: Ledger, onTrial: Set<number>): ClaimColumns[] {
  const state = prepareValue<[number], number>(ledger.db, 'SELECT state FROM millrace_jobs WHERE id = ?')
  for (const number of onTrial) if (state.get(number) !== stateCodes.running) onTrial.delete(number)
  if (onTrial.size > 0 || ledger.suspects === 0) return []
  const suspects = suspectsOf(ledger).sort((a, b) => crashesOf(a.row) - crashesOf(b.row) || a.row[1] - b.row[1])
  const setRank = prepare<[number, number]>(ledger.db, 'UPDATE millrace_jobs SET rank = ? WHERE id = ?')
  const claim = emptyClaim(NO_PLACE)
  for (const { task, part, rank, row } of suspects) {
    if (claim.numbers.length === TRIAL_JOBS) break
    if (!ledger.regulator.mayRun({ task, part })) continue
    const [number] = row
    setRank.run(rank - SUSPECT_RANK, number)
    ledger.sql.claim.run(number)
    ledger.regulator.claimedAlone(number, { task, part })
    ledger.suspects--
    onTrial.add(number)
    push(claim, task, rank - SUSPECT_RANK, row)
  }
  return claim.numbers.length === 0 ? [] : [claim]
}

/** None of those that tasks are routed to. */
const NO_PLACE = -1

interface Suspect {
  readonly task: number
  readonly part: string | null
  readonly rank: number
  readonly row: WaitingRow
}

function crashesOf([, , , , crashes]: WaitingRow): number {
  return crashes
}

/** Suspects whose task has a place that takes jobs now; the others wait for both. */
function suspectsOf(ledger: Ledger): Suspect[] {
  const placed = prepare<[number], { readonly rank: number; readonly part: string | null }>(
    ledger.db,
    'SELECT rank, part FROM millrace_jobs WHERE id = ?',
  )
  const ofTask = prepareTuples<[number], WaitingRow>(
    ledger.db,
    `SELECT ${WAITING_COLUMNS} FROM millrace_jobs
     WHERE state = ${stateCodes.available} AND task = ? AND ${IS_SUSPECT}
     ORDER BY crashes, ord LIMIT ${TRIAL_JOBS}`,
  )
  return ledger.tasks.names.flatMap((_, task) => {
    if (!ledger.rooms.isOpen(ledger.waiting.placeOf(task))) return []
    return ofTask.all(ledger.tasks.idOf(task)).flatMap((row) => {
      const found = placed.get(row[0])
      return found === undefined ? [] : { task, ...found, row }
    })
  })
}
