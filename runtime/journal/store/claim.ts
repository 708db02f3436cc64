import type { Ledger } from './ledger.ts'
import { limitedOf } from '../limits/limited-jobs.ts'
import { CLAIM_BYTES, CLAIM_JOBS, emptyClaim, push } from '../claim-columns.ts'
import type { ClaimColumns } from '../protocol.ts'
import type { WaitingRow } from '../schema/statements.ts'
import { isOutboundRank, OUTBOUND_RANK, RETRIED_RANK, SUSPECT_RANK } from '../schema/schema.ts'
import { RANKS, type Waiting } from './waiting.ts'

const NONE: readonly Head[] = []

/** Rows of a head are read so many at first and ever more after, since one of them may be as large as a whole claim. */
const FIRST_ROWS = 8
const MORE_ROWS = 4

/** The jobs of one task and rank in their order, read a few at a time. */
class Head {
  readonly task: number
  readonly rank: number
  readonly #ledger: Ledger
  readonly #id: number
  #chunk = FIRST_ROWS
  #rows: WaitingRow[] = []
  #at = 0
  #takenUpTo = -1
  #taken = 0
  #more: 'maybe' | 'no' = 'maybe'

  constructor(ledger: Ledger, task: number, rank: number) {
    this.#ledger = ledger
    this.#id = ledger.tasks.idOf(task)
    this.task = task
    this.rank = rank
  }

  first(): WaitingRow | undefined {
    if (this.#at === this.#rows.length && this.#more === 'maybe') {
      this.#rows = this.#ledger.sql.heads.all(this.#id, this.rank, this.#takenUpTo, this.#chunk)
      this.#at = 0
      if (this.#rows.length < this.#chunk) this.#more = 'no'
      this.#chunk *= MORE_ROWS
    }
    return this.#rows[this.#at]
  }

  take([, ord]: WaitingRow): void {
    this.#takenUpTo = ord
    this.#taken++
    this.#at++
  }

  /** Writes all that was taken as claimed, in one statement. */
  write(): void {
    if (this.#taken === 0) return
    this.#ledger.sql.claimUpTo.run(this.#id, this.rank, this.#takenUpTo)
    this.#ledger.addWaiting(this.task, this.rank, -this.#taken)
  }
}

/**
 * Takes the next jobs for every place that wants a refill, and what a place owes to those that wait; their rows become
 * running in this transaction.
 */
export function claimForRooms(ledger: Ledger): ClaimColumns[] {
  const claims: ClaimColumns[] = []
  for (let place = 0; place < ledger.rooms.places; place++) {
    const firstRank = firstRankOf(ledger, place)
    if (firstRank === undefined) ledger.turns.owesNothing(place)
    else if (ledger.rooms.wantsRefill(place, firstRank)) claims.push(claimForPlace(ledger, place, CLAIM_JOBS))
    else if (ledger.rooms.has(place) && ledger.turns.owed(place) > 0) {
      claims.push(claimForPlace(ledger, place, Math.min(ledger.turns.owed(place), CLAIM_JOBS)))
    }
  }
  return claims
}

/** What the place owes comes first. */
function claimForPlace(ledger: Ledger, place: number, most: number): ClaimColumns {
  const claim = emptyClaim(place)
  const heads =
    place === ledger.outbound.place
      ? headsOf(ledger, ledger.outbound.waiting, OUTBOUND_RANK, place)
      : headsOf(ledger, ledger.waiting, 0, place)
  const again =
    ledger.retried.firstRank(place) === undefined ? NONE : headsOf(ledger, ledger.retried, RETRIED_RANK, place)
  const limited = limitedOf(ledger, place)
  let bytes = 0
  const turn = ledger.turns.begin(place)
  for (; turn.taken < most && bytes < CLAIM_BYTES && ledger.rooms.has(place); turn.taken++) {
    const { which } = turn
    const retry = again.length > 0 && ledger.retryBudget.allows(place) ? foremost(again) : undefined
    const fresh = which === 'oldest' ? oldest(heads) : foremost(heads)
    const head = fresh ?? foremost(again)
    const weight =
      retry === undefined ? (limited?.takeBefore(head, which, claim) ?? takeFrom(head, claim)) : takeFrom(retry, claim)
    if (weight === undefined) break
    if (retry !== undefined) ledger.retryBudget.retried(place)
    else if (fresh !== undefined) ledger.retryBudget.fresh(place)
    ledger.rooms.use(place, weight, claim.ranks.at(-1) as number)
    bytes += weight
  }
  ledger.turns.end(place, turn)
  for (const head of [...heads, ...again]) head.write()
  return claim
}

/** The rank of what would be claimed first for a place: retries are behind all fresh work. */
function firstRankOf({ waiting, retried, regulator, outbound }: Ledger, place: number): number | undefined {
  if (place === outbound.place) {
    const out = outbound.waiting.firstRank(place)
    return out === undefined ? undefined : out + OUTBOUND_RANK
  }
  const [fresh, limited] = [waiting.firstRank(place), regulator.firstRank(place)]
  if (fresh !== undefined && limited !== undefined) return Math.min(fresh, limited)
  if (fresh !== undefined || limited !== undefined) return fresh ?? limited
  const again = retried.firstRank(place)
  return again === undefined ? undefined : again + RETRIED_RANK
}

function takeFrom(head: Head | undefined, claim: ClaimColumns): number | undefined {
  const row = head?.first()
  if (head === undefined || row === undefined) return undefined
  head.take(row)
  return push(claim, head.task, isOutboundRank(head.rank) ? head.rank : head.rank % SUSPECT_RANK, row)
}

/** `band` is what the ranks of those rows have besides. */
function headsOf(ledger: Ledger, waiting: Waiting, band: number, place: number): Head[] {
  const heads: Head[] = []
  for (const task of waiting.tasksOf(place)) {
    for (let rank = 0; rank < RANKS; rank++) {
      if (waiting.count(task, rank) > 0) heads.push(new Head(ledger, task, rank + band))
    }
  }
  return heads
}

function foremost(heads: readonly Head[]): Head | undefined {
  let best: Head | undefined
  for (const head of heads) {
    const row = head.first()
    if (row === undefined) continue
    const ahead = best === undefined || head.rank < best.rank || (head.rank === best.rank && row[1] < ordOf(best))
    if (ahead) best = head
  }
  return best
}

function oldest(heads: readonly Head[]): Head | undefined {
  let best: Head | undefined
  for (const head of heads) if (ordOf(head) < (best === undefined ? Number.POSITIVE_INFINITY : ordOf(best))) best = head
  return best
}

function ordOf(head: Head): number {
  return head.first()?.[1] ?? Number.POSITIVE_INFINITY
}
