import type { ClaimedJob } from '../../runtime/messages.ts'

/** A claim with what a test says of it; its number is its order number if that is not said. */
export function claimOf(claim: Partial<ClaimedJob> = {}): ClaimedJob {
  const ord = claim.ord ?? claim.number ?? 1
  return { number: ord, task: 0, input: 'null', claim: 1, attempt: 0, rank: 5, ord, extra: null, ...claim }
}

/** Claims of one rank, in their order. */
export function claimsOf(count: number, claim: Partial<ClaimedJob> = {}): ClaimedJob[] {
  return Array.from({ length: count }, (_, at) => claimOf({ ord: at + 1, ...claim }))
}

export function numbersOf(jobs: Iterable<Pick<ClaimedJob, 'number'>>): number[] {
  return [...jobs].map(({ number }) => number)
}
