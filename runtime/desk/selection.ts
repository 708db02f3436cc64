import { MillraceError } from '../../lib/errors.ts'
import { type JobState, stateCodes } from '../../lib/job-state.ts'
import type { JobFilter } from '../../lib/job.ts'
import { commitHeard, inboxTaken } from './inbox-taken.ts'
import type { Selection } from '../journal/protocol.ts'
import { invalidOption, refuseUnknown } from '../../lib/options.ts'
import type { Wires } from '../wires.ts'

/**
 * Turns a filter of a user into codes; `states` are those that may be asked for, and `usual` are the default. A task of which
 * only the inbox speaks is known once that has been taken over.
 */
export async function selected(
  wires: Wires,
  filter: JobFilter,
  states: readonly JobState[],
  usual?: readonly JobState[],
): Promise<Selection> {
  const where = selectionOf(wires, filter, states, usual)
  if (where.tasks?.length !== 0) return where
  await inboxTaken(wires)
  await commitHeard(wires)
  return selectionOf(wires, filter, states, usual)
}

function selectionOf(
  wires: Wires,
  filter: JobFilter,
  states: readonly JobState[],
  usual: readonly JobState[] = states,
): Selection {
  refuseVague(filter)
  const { state = usual, task, place } = filter
  const wanted = typeof state === 'string' ? [state] : state
  if (!Array.isArray(wanted as unknown)) throw invalidOption('state', state, 'a state, or an array of them')
  for (const each of wanted) if (!states.includes(each)) throw badFilter('state', each, states)
  return { states: [...new Set(wanted)].map((each) => stateCodes[each]), tasks: tasksOf(wires, task, place) }
}

function tasksOf({ catalog, journal, config }: Wires, task: JobFilter['task'], place: string | undefined) {
  // Not the places that there are: those of trials and of what goes out have no name that anybody has given.
  const at = config.places.findIndex(({ name }) => name === place)
  if (place !== undefined && at < 0) {
    const names = config.places.map(({ name }) => name)
    throw badFilter('place', place, names)
  }
  if (task === undefined) return at < 0 ? undefined : catalog.homes.flatMap((each, index) => (each === at ? index : []))
  const name = typeof task === 'object' && task !== null ? task.name : task
  if (typeof name !== 'string') throw invalidOption('task', task, 'a task, or its name')
  const index = journal.taskIndex(name)
  return index === undefined || (at >= 0 && catalog.homeOf(index) !== at) ? [] : [index]
}

/** What is left out means all of them, so nothing may be left out by mistake. */
function refuseVague(filter: JobFilter): void {
  refuseUnknown(filter, ['state', 'task', 'place'], '')
  for (const [part, value] of Object.entries(filter)) {
    if (value === undefined) throw invalidOption(part, value, `no ${part}, or which one`)
  }
}

function badFilter(path: string, got: string, expected: readonly string[]): MillraceError {
  return new MillraceError(
    'MILLRACE_INVALID_OPTION',
    `the filter's ${path} cannot be used; got ${JSON.stringify(got)}, expected one of ${expected.join(', ') || 'none'}`,
    { path },
  )
}
