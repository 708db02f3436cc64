import type { Ledger } from './ledger.ts'
import type { ClaimColumns, ClaimExtra } from './protocol.ts'
import type { WaitingRow } from './statements.ts'
import { RANKS } from './waiting.ts'

/** A claim is as long as a group may be, so that nobody's commit waits for more than that. */
const CLAIM_JOBS = 512
const CLAIM_BYTES = 256 * 1024

/** One claim in this many takes the oldest job whatever its priority, so that none starves. */
const OLDEST_EVERY = 8

/** The jobs of one task and rank in their order, read a few at a time. */
class Head {
  readonly task: number
  readonly rank: number
  readonly #ledger: Ledger
  readonly #id: number
  readonly #chunk: number
  #rows: WaitingRow[] = []
  #at = 0
  #takenUpTo = -1
  #taken = 0
  #more: 'maybe' | 'no' = 'maybe'

  constructor(ledger: Ledger, task: number, rank: number, chunk: number) {
    this.#ledger = ledger
    this.#id = ledger.tasks.idOf(task)
    this.task = task
    this.rank = rank
    this.#chunk = chunk
  }

  first(): WaitingRow | undefined {
    if (this.#at === this.#rows.length && this.#more === 'maybe') {
      this.#rows = this.#ledger.sql.heads.all(this.#id, this.rank, this.#takenUpTo, this.#chunk)
      this.#at = 0
      if (this.#rows.length < this.#chunk) this.#more = 'no'
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
    this.#ledger.waiting.add(this.task, this.rank, -this.#taken)
  }
}

/** Takes the next jobs for every place that has gone half empty; their rows become running in this transaction. */
export function claimForRooms(ledger: Ledger): ClaimColumns[] {
  const claims: ClaimColumns[] = []
  for (let place = 0; place < ledger.rooms.places; place++) {
    if (!ledger.waiting.any(place) || !ledger.rooms.wantsRefill(place)) continue
    claims.push(claimForPlace(ledger, place))
  }
  return claims
}

function claimForPlace(ledger: Ledger, place: number): ClaimColumns {
  const claim = emptyClaim(place)
  const heads = headsOf(ledger, place, Math.min(CLAIM_JOBS, ledger.rooms.jobs(place)))
  let bytes = 0
  let turn = ledger.turns[place] ?? 0
  for (const last = turn + CLAIM_JOBS; turn < last && bytes < CLAIM_BYTES && ledger.rooms.has(place); turn++) {
    const head = turn % OLDEST_EVERY === OLDEST_EVERY - 1 ? oldest(heads) : foremost(heads)
    const row = head?.first()
    if (head === undefined || row === undefined) break
    head.take(row)
    const input = push(claim, head.task, head.rank, row)
    ledger.rooms.use(place, input.length)
    bytes += input.length
  }
  ledger.turns[place] = turn
  for (const head of heads) head.write()
  return claim
}

function headsOf(ledger: Ledger, place: number, room: number): Head[] {
  const waiting: { task: number; rank: number }[] = []
  for (const task of ledger.waiting.tasksOf(place)) {
    for (let rank = 0; rank < RANKS; rank++) if (ledger.waiting.count(task, rank) > 0) waiting.push({ task, rank })
  }
  const chunk = Math.ceil(room / Math.max(1, waiting.length)) + 1
  return waiting.map(({ task, rank }) => new Head(ledger, task, rank, chunk))
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

export function emptyClaim(place: number): ClaimColumns {
  return { place, numbers: [], tasks: [], claims: [], attempts: [], ranks: [], ords: [], inputs: [], extras: [] }
}

/** Adds a row that is claimed in this transaction; returns its input. */
export function push(into: ClaimColumns, task: number, rank: number, row: WaitingRow): string {
  const [id, ord, claim, attempt, crashes, expiresAt, overrides, key, input] = row
  into.numbers.push(id)
  into.tasks.push(task)
  into.claims.push(claim + 1)
  into.attempts.push(attempt)
  into.ranks.push(rank)
  into.ords.push(ord)
  into.inputs.push(input)
  const plain = overrides === null && key === null && expiresAt === null && crashes === 0
  into.extras.push(plain ? null : extraOf(crashes, expiresAt, overrides, key))
  return input
}

function extraOf(crashes: number, expiresAt: number | null, overrides: string | null, key: string | null): ClaimExtra {
  return {
    ...(overrides !== null && { overrides }),
    ...(key !== null && { key }),
    ...(expiresAt !== null && { expiresAt }),
    ...(crashes > 0 && { crashes }),
  }
}
