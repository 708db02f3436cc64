import { MillraceError } from '../lib/errors.ts'
import { jobStates, stateCodes } from '../lib/job-state.ts'
import type { JobFilter } from '../lib/job.ts'
import { heldBy } from './held.ts'
import type { ManyCursor, Request, Selection } from './journal/protocol.ts'
import { selectionOf } from './selection.ts'
import type { Wires } from './wires.ts'

/** Rows that one commit of a bulk operation looks at, so that nobody's own commit waits for more. */
const AT_ONCE = 500

/** Those that wait are cancelled in the journal; those in memory one by one, as their handles would. */
export async function cancelMany(wires: Wires, filter: JobFilter): Promise<number> {
  const where = selectionOf(wires, filter, ['scheduled', 'available', 'running'])
  const waiting = where.states.filter((state) => state !== stateCodes.running)
  let count = await many(wires, 'cancel-many', { ...where, states: waiting })
  if (waiting.length === where.states.length) return count
  const meant = [...heldBy(wires)].filter(({ task }) => where.tasks?.includes(task) ?? true)
  const ends = await Promise.all(meant.map(({ number }) => wires.desk.cancel(number, undefined)))
  for (const end of ends) if (end !== 'ended') count++
  return count
}

export async function retryMany(wires: Wires, filter: JobFilter): Promise<number> {
  const where = selectionOf(wires, { state: 'dead', ...filter }, ['dead', 'cancelled', 'discarded', 'expired'])
  return many(wires, 'revive-many', where)
}

export async function purge(wires: Wires, filter: JobFilter): Promise<number> {
  const where = selectionOf(
    wires,
    filter,
    jobStates.filter((state) => state !== 'running'),
  )
  return many(wires, 'purge', where)
}

/** Repeats a bounded request until it has been everywhere; returns how many jobs it changed. */
async function many(wires: Wires, type: 'cancel-many' | 'revive-many' | 'purge', where: Selection): Promise<number> {
  const { journal, clock, config } = wires
  let count = 0
  let after: ManyCursor | undefined
  do {
    const keepUntil = clock.now() + config.journal.keepEndedMs
    const answered = await journal.request({ type, where, limit: AT_ONCE, keepUntil, after } as Request)
    if (answered.type === 'failed') throw new MillraceError('MILLRACE_JOURNAL_IO', answered.error.message)
    if (answered.type !== 'many') return count
    count += answered.count
    after = answered.next
  } while (after !== undefined)
  return count
}
