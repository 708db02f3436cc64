import { Limiters } from '../../lib/limiter.ts'
import { PartGroup, type Ticket } from '../../lib/part-group.ts'

/** Somebody who shares a place with others. */
export interface Tenant {
  readonly name: string
  /** How long each of their jobs runs. */
  readonly runsMs: number
  /** Jobs that come at once, and how long after that the next ones do. */
  readonly jobs: number
  readonly everyMs: number
}

interface Job {
  readonly tenant: Tenant
  readonly ord: number
  readonly cameAt: number
}

/** One claim in this many takes the oldest job, as in a journal. */
const OLDEST_EVERY = 8

/** Runs tenants' jobs for a while in a place of so many slots; returns how long jobs waited, by tenant. */
export function runShared(
  tenants: readonly Tenant[],
  slots: number,
  forMs: number,
  fair: 'fair' | 'in order',
): ReadonlyMap<string, readonly number[]> {
  const waiting = new Map<number, Job>()
  const waits = new Map(tenants.map(({ name }): [string, number[]] => [name, []]))
  const group = new PartGroup(
    {
      gates: [],
      limitersOf: () => [],
      ...(fair === 'fair' && { shareOf: ({ part }) => part as string }),
      next: ({ part }, _rank, after) => {
        for (const { tenant, ord } of waiting.values()) if (tenant.name === part && ord > after) return ord
        throw new Error('no other job waits')
      },
    },
    new Limiters(),
  )
  let running: { readonly ticket: Ticket; readonly ranMs: number; readonly endsAt: number }[] = []
  let ord = 0
  for (let now = 0; now < forMs; now++) {
    for (const { ticket, ranMs } of running.filter(({ endsAt }) => endsAt <= now)) group.ended(ticket, ranMs, now)
    running = running.filter(({ endsAt }) => endsAt > now)
    for (const tenant of tenants) {
      for (let job = 0; now % tenant.everyMs === 0 && job < tenant.jobs; job++) {
        waiting.set(++ord, { tenant, ord, cameAt: now })
        group.add({ task: 0, part: tenant.name }, 5, ord)
      }
    }
    for (let turn = ord; running.length < slots; turn++) {
      const picked = group.pick(turn % OLDEST_EVERY === 0 ? 'oldest' : 'foremost', now)
      if (picked === undefined) break
      const { tenant, cameAt } = waiting.get(picked.ord) as Job
      waiting.delete(picked.ord)
      waits.get(tenant.name)?.push(now - cameAt)
      running.push({ ticket: picked.ticket, ranMs: tenant.runsMs, endsAt: now + tenant.runsMs })
    }
  }
  return waits
}

export function p95(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length * 0.95)] ?? Number.NaN
}
