import type { PartGroup, Position } from '../../../lib/part-group.ts'
import { push } from '../claim-columns.ts'
import type { Ledger } from '../store/ledger.ts'
import type { ClaimColumns } from '../protocol.ts'
import { SUSPECT_RANK } from '../schema/schema.ts'
import type { WaitingRow } from '../schema/statements.ts'

/** Where the jobs without limits stand. */
interface Rival {
  readonly rank: number
  first(): WaitingRow | undefined
}

/** The jobs of a place that have limits, beside those that have none; `undefined` if there are none of them. */
export function limitedOf(ledger: Ledger, place: number): LimitedJobs | undefined {
  const groups = ledger.regulator.groupsOf(place)
  return groups.length === 0 ? undefined : new LimitedJobs(ledger, groups)
}

export class LimitedJobs {
  readonly #ledger: Ledger
  readonly #groups: readonly PartGroup[]

  constructor(ledger: Ledger, groups: readonly PartGroup[]) {
    this.#ledger = ledger
    this.#groups = groups
  }

  /** Claims the next of them if it goes before the rival's; returns its weight. */
  takeBefore(rival: Rival | undefined, which: 'foremost' | 'oldest', into: ClaimColumns): number | undefined {
    const first = this.#first(which)
    if (first === undefined) return undefined
    const row = rival?.first()
    if (rival !== undefined && row !== undefined) {
      const other = { rank: rival.rank, ord: row[1] }
      if (goesBefore(other, first.position, which)) return undefined
    }
    return this.#claim(first.group, first.position, which, into)
  }

  #first(which: 'foremost' | 'oldest'): { readonly group: PartGroup; readonly position: Position } | undefined {
    let best: { readonly group: PartGroup; readonly position: Position } | undefined
    for (const group of this.#groups) {
      const position = this.#ledger.regulator.position(group, which)
      if (position === undefined) continue
      if (best === undefined || goesBefore(position, best.position, which)) best = { group, position }
    }
    return best
  }

  #claim(group: PartGroup, position: Position, which: 'foremost' | 'oldest', into: ClaimColumns): number | undefined {
    const { regulator, sql, tasks } = this.#ledger
    const picked = regulator.pick(group, which)
    if (picked === undefined) return undefined
    const { task, rank, ord, ticket } = picked
    const row = sql.heads.get(tasks.idOf(task), rank, ord - 1, 1)
    if (row === undefined || row[1] !== ord) throw new Error(`job ${ord} of ${tasks.nameOf(task)} is not there`)
    sql.claim.run(row[0])
    this.#ledger.addWaiting(task, rank, -1)
    regulator.claimed(row[0], ticket)
    const weight = push(into, task, rank % SUSPECT_RANK, row)
    // A hand keeps its jobs by order number: among fair ones it is the order in which they were picked that counts.
    into.ords[into.ords.length - 1] = position.ord
    return weight
  }
}

function goesBefore(a: Position, b: Position, which: 'foremost' | 'oldest'): boolean {
  return which === 'foremost' && a.rank !== b.rank ? a.rank < b.rank : a.ord < b.ord
}
