import { stateCodes } from '../../lib/job-state.ts'
import { emptyClaim, push } from './claim.ts'
import type { Ledger } from './ledger.ts'
import type { ClaimColumns } from './protocol.ts'
import { SUSPECT_RANK } from './schema.ts'
import { prepareTuples, prepareValue } from './sqlite.ts'
import { WAITING_COLUMNS, type WaitingRow } from './statements.ts'

/**
 * Finds out which job takes the process down, in as few deaths as group testing needs. Of the suspects with the most
 * crashes one half is started; who survives is cleared by its settle, and if the process dies the half that had begun
 * has one crash more than the others and is halved next. When one is left it runs as the only suspect.
 * Suspects go from waiting to running in one commit, so that none is ever where an ordinary claim would take it.
 */
export function startTrial(ledger: Ledger, onTrial: Set<number>): ClaimColumns[] {
  const state = ledger.db.prepare<[number], number>('SELECT state FROM millrace_jobs WHERE id = ?').pluck()
  for (const number of onTrial) if (state.get(number) !== stateCodes.running) onTrial.delete(number)
  if (onTrial.size > 0 || ledger.suspects === 0) return []
  const suspects = suspectsOf(ledger)
  const most = Math.max(...suspects.map(({ row }) => crashesOf(row)))
  const hottest = suspects.filter(({ row }) => crashesOf(row) === most).sort((a, b) => a.row[1] - b.row[1])
  const claims = new Map<number, ClaimColumns>()
  for (const { task, rank, row } of hottest.slice(0, Math.ceil(hottest.length / 2))) {
    const place = ledger.waiting.placeOf(task)
    const claim = claims.get(place) ?? emptyClaim(place)
    claims.set(place, claim)
    const [number] = row
    ledger.db.prepare('UPDATE millrace_jobs SET rank = ? WHERE id = ?').run(rank - SUSPECT_RANK, number)
    ledger.sql.claim.run(number)
    ledger.suspects--
    onTrial.add(number)
    ledger.rooms.use(place, push(claim, task, rank - SUSPECT_RANK, row).length)
  }
  return [...claims.values()]
}

interface Suspect {
  readonly task: number
  readonly rank: number
  readonly row: WaitingRow
}

function crashesOf([, , , , crashes]: WaitingRow): number {
  return crashes
}

/** Suspects whose task has a place; the others wait for both. */
function suspectsOf(ledger: Ledger): Suspect[] {
  const rank = prepareValue<[number], number>(ledger.db, 'SELECT rank FROM millrace_jobs WHERE id = ?')
  const ofTask = prepareTuples<[number], WaitingRow>(
    ledger.db,
    `SELECT ${WAITING_COLUMNS} FROM millrace_jobs
     WHERE state = ${stateCodes.available} AND task = ? AND rank >= ${SUSPECT_RANK}`,
  )
  return ledger.tasks.names.flatMap((_, task) => {
    if (ledger.waiting.placeOf(task) < 0) return []
    return ofTask.all(ledger.tasks.idOf(task)).map((row) => ({ task, rank: rank.get(row[0]) as number, row }))
  })
}
