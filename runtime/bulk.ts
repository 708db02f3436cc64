import { jobStates, stateCodes } from '../lib/job-state.ts'
import type { JobFilter } from '../lib/job.ts'
import { ask } from './ask.ts'
import { heldBy } from './held.ts'
import type { Answer, Selection } from './journal/protocol.ts'
import { selectionOf } from './selection.ts'
import type { Wires } from './wires.ts'

/** Jobs that one commit of a bulk operation changes, so that nobody's own commit waits for more. */
const AT_ONCE = 500
const PAGE = 200

type Changed = Extract<Answer, { readonly type: 'changed' }>

/** Those that wait are cancelled in the journal; those in memory, and those that are away, one by one, as their handles would. */
export async function cancelMany(wires: Wires, filter: JobFilter): Promise<number> {
  const where = selectionOf(wires, filter, ['scheduled', 'available', 'running', 'away'])
  const waiting = where.states.filter((state) => state !== stateCodes.running && state !== stateCodes.away)
  let count = await many(wires, 'cancel-many', { ...where, states: waiting }, ({ numbers, tasks }) =>
    wires.announcer.cancelled(numbers, tasks),
  )
  if (where.states.includes(stateCodes.away)) count += await cancelAway(wires, filter)
  if (!where.states.includes(stateCodes.running)) return count
  const meant = [...heldBy(wires)].filter(({ task }) => where.tasks?.includes(task) ?? true)
  const ends = await Promise.all(meant.map(({ number }) => wires.desk.cancel(number, undefined)))
  for (const end of ends) if (end !== 'ended') count++
  return count
}

/** Asks those who have them; they stay away until the outcome is home. */
async function cancelAway({ desk, clock }: Wires, filter: JobFilter): Promise<number> {
  const begunAt = clock.now()
  let count = 0
  let after: string | undefined
  do {
    const page = await desk.page({ ...filter, state: 'away' }, { limit: PAGE, ...(after !== undefined && { after }) })
    const meant = page.jobs.filter(({ createdAt }) => createdAt <= begunAt)
    const ends = await Promise.all(meant.map(({ id }) => desk.cancel(desk.numberOf(id), undefined)))
    count += ends.filter((end) => end !== 'ended').length
    after = page.next
  } while (after !== undefined)
  return count
}

export async function retryMany(wires: Wires, filter: JobFilter): Promise<number> {
  const where = selectionOf(wires, filter, ['dead', 'cancelled', 'discarded', 'expired'], ['dead'])
  return many(wires, 'revive-many', where, ({ numbers }) => numbers.forEach((number) => wires.results.reopened(number)))
}

export async function purge(wires: Wires, filter: JobFilter): Promise<number> {
  const where = selectionOf(
    wires,
    filter,
    jobStates.filter((state) => state !== 'running' && state !== 'away'),
  )
  return many(wires, 'purge', where, ({ numbers }) => wires.results.removed(numbers))
}

/** Repeats a bounded request until it has been at all that is there when it begins; returns how many jobs it changed. */
async function many(
  wires: Wires,
  type: 'cancel-many' | 'revive-many' | 'purge',
  where: Selection,
  changed: (jobs: Changed) => void,
): Promise<number> {
  const { clock, config } = wires
  let count = 0
  let after: number | undefined
  let ends: readonly number[] | undefined
  do {
    const keepUntil = clock.now() + config.journal.keepEndedMs
    const answered = (await ask(wires, { type, where, limit: AT_ONCE, keepUntil, after, ends })) as Changed
    changed(answered)
    count += answered.numbers.length
    ;({ next: after, ends } = answered)
  } while (after !== undefined)
  return count
}
