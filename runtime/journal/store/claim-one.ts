import { emptyClaim, push } from '../claim-columns.ts'
import type { Ledger } from './ledger.ts'
import { LimitedJobs } from '../limits/limited-jobs.ts'
import type { ClaimColumns } from '../protocol.ts'
import { RETRIED_RANK, SUSPECT_RANK } from '../schema/schema.ts'
import { RANKS } from './waiting.ts'

/** Fresh work first, as for any claim. */
const RANKS_IN_ORDER = [0, RETRIED_RANK].flatMap((band) => Array.from({ length: RANKS }, (_, rank) => band + rank))

/** Claims the next job of a task, which may be parked, for a place that takes jobs; `undefined` where none may run now. */
export function claimOne(ledger: Ledger, task: number, place: number): ClaimColumns | undefined {
  if (!ledger.rooms.isOpen(place)) return undefined
  const claim = emptyClaim(place)
  const group = ledger.regulator.groupOf(task)
  const weight =
    group === undefined
      ? claimFirst(ledger, task, claim)
      : new LimitedJobs(ledger, [group]).takeBefore(undefined, 'foremost', claim)
  if (weight === undefined) return undefined
  ledger.rooms.use(place, weight, claim.ranks[0] as number)
  return claim
}

function claimFirst(ledger: Ledger, task: number, into: ClaimColumns): number | undefined {
  const { sql, tasks, waiting, retried } = ledger
  const rank = RANKS_IN_ORDER.find((each) =>
    each < RETRIED_RANK ? waiting.count(task, each) > 0 : retried.count(task, each - RETRIED_RANK) > 0,
  )
  const row = rank === undefined ? undefined : sql.heads.get(tasks.idOf(task), rank, -1, 1)
  if (rank === undefined || row === undefined) return undefined
  sql.claim.run(row[0])
  ledger.addWaiting(task, rank, -1)
  return push(into, task, rank % SUSPECT_RANK, row)
}
