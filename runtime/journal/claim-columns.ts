import type { ClaimColumns, ClaimExtra } from './protocol.ts'
import { isOutboundRank } from './schema/schema.ts'
import type { WaitingRow } from './schema/statements.ts'

/** A claim is as long as a group may be, so that nobody's commit waits for more than that. */
export const CLAIM_JOBS = 512
export const CLAIM_BYTES = 256 * 1024

/** Whether it has come to its bound, so that its place may have room for more of what waits. */
export function isFull({ numbers, inputs, extras }: ClaimColumns): boolean {
  if (numbers.length >= CLAIM_JOBS) return true
  let bytes = 0
  for (let at = 0; at < inputs.length; at++) {
    bytes += (inputs[at] as string).length + (extras[at]?.overrides?.length ?? 0)
  }
  return bytes >= CLAIM_BYTES
}

export function emptyClaim(place: number): ClaimColumns {
  return { place, numbers: [], tasks: [], claims: [], attempts: [], ranks: [], ords: [], inputs: [], extras: [] }
}

/** Adds a row that is claimed in this transaction; returns its weight. */
export function push(into: ClaimColumns, task: number, rank: number, row: WaitingRow): number {
  const [id, ord, claim, attempt, crashes, expiresAt, overrides, key, input, dueAt] = row
  // Who runs it needs its keys; here they are in its row.
  const part = isOutboundRank(rank) ? row[10] : null
  into.numbers.push(id)
  into.tasks.push(task)
  into.claims.push(claim + 1)
  into.attempts.push(attempt)
  into.ranks.push(rank)
  into.ords.push(ord)
  into.inputs.push(input)
  const plain = overrides === null && key === null && expiresAt === null && crashes === 0 && dueAt === null
  into.extras.push(plain && part === null ? null : extraOf(row, part))
  return overrides === null ? input.length : input.length + overrides.length
}

function extraOf([, , , , crashes, expiresAt, overrides, key, , dueAt]: WaitingRow, part: string | null): ClaimExtra {
  return {
    ...(overrides !== null && { overrides }),
    ...(key !== null && { key }),
    ...(expiresAt !== null && { expiresAt }),
    ...(crashes > 0 && { crashes }),
    ...(dueAt !== null && { dueAt }),
    ...(part !== null && { part }),
  }
}
