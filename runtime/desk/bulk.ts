import { nextTurn } from '../../lib/clock.ts'
import { type JobState, jobStates, stateCodes } from '../../lib/job-state.ts'
import type { JobFilter } from '../../lib/job.ts'
import { ask } from '../ask.ts'
import { cancelAllUnbegun, cancelBegun } from './changes.ts'
import { cancelElsewhere } from '../control/cancel-elsewhere.ts'
import { heldBy } from '../held.ts'
import { type Ends, isUpTo } from '../journal/store/number-ranges.ts'
import type { Answer, Selection } from '../journal/protocol.ts'
import { selected } from './selection.ts'
import type { Wires } from '../wires.ts'

/** Jobs that one commit of a bulk operation changes, so that nobody's own commit waits for more. */
const AT_ONCE = 500
/** Jobs that are looked for in the hands at once: a hand seldom has more. */
const LOOKED_FOR_AT_ONCE = 4_000
/** Attempts that one turn of the loop asks to end: what hears of it is the work of their handlers. */
const ABORTED_AT_ONCE = 100

type Changed = Extract<Answer, { readonly type: 'changed' }>

/**
 * Those that wait are cancelled in the journal, then those in memory, as their handles would; of those that are away whoever
 * has them hears. A job goes the same way, so that none is passed over which moves on meanwhile.
 */
export async function cancelMany(wires: Wires, filter: JobFilter): Promise<number> {
  const where = await selected(wires, filter, ['scheduled', 'available', 'running', 'away'])
  const waiting = await many(wires, 'cancel-many', only(where, 'scheduled', 'available'), ({ numbers, tasks }) =>
    wires.announcer.cancelled(numbers, tasks),
  )
  const { ends } = waiting
  // One that was being sent when it was asked may be away by now: it is one job.
  const asked = where.states.includes(stateCodes.running) ? await cancelHeld(wires, where, ends) : new Set<number>()
  const tellOthers = ({ numbers }: Changed) => {
    for (const number of numbers) asked.add(number)
    return cancelElsewhere(wires, numbers)
  }
  if (where.states.includes(stateCodes.away)) await many(wires, 'cancel-many', only(where, 'away'), tellOthers, ends)
  return waiting.count + asked.size
}

function only({ states, tasks }: Selection, ...wanted: readonly JobState[]): Selection {
  return { states: wanted.map((state) => stateCodes[state]).filter((state) => states.includes(state)), tasks }
}

/** What has not started is taken out of hands and slots first, or it would start meanwhile. Resolves to all that was not too late. */
async function cancelHeld(wires: Wires, { tasks }: Selection, ends: Ends | undefined): Promise<Set<number>> {
  const meant = new Set<number>()
  for (const { number, task } of heldBy(wires)) {
    if (isUpTo(number, ends) && (tasks?.includes(task) ?? true)) meant.add(number)
  }
  const unstarted = new Set<number>()
  for await (const some of lots(wires, [...meant], LOOKED_FOR_AT_ONCE)) {
    for (const number of await cancelAllUnbegun(wires, new Set(some))) unstarted.add(number)
  }
  const rest = [...meant].filter((number) => !unstarted.has(number))
  for await (const some of lots(wires, rest, ABORTED_AT_ONCE)) {
    const came = await Promise.all(some.map((number) => cancelBegun(wires, number)))
    for (const [at, number] of some.entries()) if (came[at] === 'ended') meant.delete(number)
  }
  return meant
}

/** So many at once, each lot in a turn of the loop of its own. */
async function* lots({ clock }: Wires, numbers: readonly number[], size: number): AsyncGenerator<readonly number[]> {
  for (let at = 0; at < numbers.length; at += size) {
    await nextTurn(clock)
    yield numbers.slice(at, at + size)
  }
}

export async function retryMany(wires: Wires, filter: JobFilter): Promise<number> {
  const where = await selected(wires, filter, ['dead', 'cancelled', 'discarded', 'expired'], ['dead'])
  const { count } = await many(wires, 'revive-many', where, ({ numbers }) =>
    numbers.forEach((number) => wires.results.reopened(number)),
  )
  return count
}

export async function purge(wires: Wires, filter: JobFilter): Promise<number> {
  const where = await selected(
    wires,
    filter,
    jobStates.filter((state) => state !== 'running' && state !== 'away'),
  )
  const { count } = await many(wires, 'purge', where, ({ numbers }) => wires.results.removed(numbers))
  return count
}

/**
 * Repeats a bounded request until it has been at all that is there when it begins, or else was when the one did whose `ends`
 * it is given; returns how many jobs it changed.
 */
async function many(
  wires: Wires,
  type: 'cancel-many' | 'revive-many' | 'purge',
  where: Selection,
  changed: (jobs: Changed) => void | Promise<void>,
  upTo?: Ends,
): Promise<{ readonly count: number; readonly ends: Ends | undefined }> {
  let count = 0
  let after: number | undefined
  let ends = upTo
  do {
    const answered = (await ask(wires, { type, where, limit: AT_ONCE, after, ends })) as Changed
    await changed(answered)
    count += answered.numbers.length
    ;({ next: after, ends } = answered)
  } while (after !== undefined)
  return { count, ends }
}
