import { BatchPolicy } from '../../runtime/places/batch-policy.ts'
import { lane, tier } from '../fixtures/victim-places.ts'

/** What an owner has claimed of each kind of place and not ended, at most. */
const ROOM: Readonly<Record<string, number>> = {
  thread: tier.handJobs + tier.threads * new BatchPolicy(1).slots,
  loop: lane.handJobs + lane.concurrency,
}

/** On a starved loop an outcome is written some commits after its room was given back, and used again. */
const TIMES_ROOM = 3

/**
 * How many jobs were begun anew after a kill beyond those that a place has room for: their outcomes were kept back where a
 * kill takes them along. Each is counted with the life in which it was begun before.
 */
export function beyondRoom(lines: readonly (readonly string[])[]): number {
  const begunIn = new Map<string, string>()
  const again = new Map<string, number>()
  for (const [what, id = '', pid = '', , where = ''] of lines) {
    if (what !== 'start') continue
    const before = begunIn.get(id)
    if (before !== undefined) again.set(before, (again.get(before) ?? 0) + 1)
    begunIn.set(id, `${where} ${pid}`)
  }
  return [...again].reduce((sum, [life, jobs]) => sum + Math.max(0, jobs - TIMES_ROOM * roomOf(life)), 0)
}

function roomOf(life: string): number {
  const [where = ''] = life.split(' ')
  return ROOM[where] ?? 0
}
