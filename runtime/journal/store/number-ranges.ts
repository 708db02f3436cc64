import { INBOX_NUMBERS_FROM, TAKEN_NUMBERS_FROM } from '../schema/schema.ts'

/** The owner's own numbers, a broker's and the inbox's: in each range new rows come behind those that are there. */
export const RANGES = [
  { from: 1, before: TAKEN_NUMBERS_FROM },
  { from: TAKEN_NUMBERS_FROM, before: INBOX_NUMBERS_FROM },
  { from: INBOX_NUMBERS_FROM, before: Number.MAX_SAFE_INTEGER },
] as const

/** The last row of each range at one moment: what is behind it was not there; `undefined`: none is. */
export type Ends = readonly number[]

export function isUpTo(number: number, ends: Ends | undefined): boolean {
  const range = RANGES.findIndex(({ before }) => number < before)
  return ends === undefined || number <= (ends[range] ?? 0)
}
