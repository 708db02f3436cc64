import { formatJobId } from '../lib/job.ts'
import { type ClaimedJob, isOutbound, isSuspect } from './messages.ts'
import type { Wires } from './wires.ts'

/** Behind all places that tasks are routed to. */
export function trialIndex({ config }: Pick<Wires, 'config'>): number {
  return config.places.length
}

/** Behind the trial. */
export function outboxIndex(wires: Pick<Wires, 'config'>): number {
  return trialIndex(wires) + 1
}

/** The index of the place that a claim is for; -1 if there is none. */
export function placeOfClaim(wires: Pick<Wires, 'config' | 'catalog'>, job: ClaimedJob): number {
  if (isOutbound(job)) return outboxIndex(wires)
  return isSuspect(job) ? trialIndex(wires) : wires.catalog.placeOf(job.task)
}

/** Whether somebody has paused a task, or the place in which it runs. */
export function isPaused({ pauses, catalog }: Pick<Wires, 'pauses' | 'catalog'>, task: number): boolean {
  return pauses.holds(catalog.name(task), catalog.placeOf(task))
}

/** The id by which everybody knows a job: of a delivery it is the one of the node that has it. */
export function publicIdOf({ across, journal }: Pick<Wires, 'across' | 'journal'>, number: number): string {
  return across?.deliveries.of(number)?.envelope.id ?? formatJobId(journal.name, number)
}
