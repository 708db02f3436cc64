import { MillraceError } from '../lib/errors.ts'
import { type JobState, stateCodes } from '../lib/job-state.ts'
import type { JobFilter } from '../lib/job.ts'
import type { Selection } from './journal/protocol.ts'
import type { Wires } from './wires.ts'

/** Turns a filter of a user into codes; `states` are those that may be asked for, and all of them are the default. */
export function selectionOf(wires: Wires, filter: JobFilter, states: readonly JobState[]): Selection {
  const { state = states, task, place } = filter
  const wanted = typeof state === 'string' ? [state] : state
  for (const each of wanted) if (!states.includes(each)) throw badFilter('state', each, states)
  return { states: wanted.map((each) => stateCodes[each]), tasks: tasksOf(wires, task, place) }
}

function tasksOf({ catalog, journal, places }: Wires, task: JobFilter['task'], place: string | undefined) {
  const at = places.findIndex(({ name }) => name === place)
  if (place !== undefined && at < 0) {
    const names = places.map(({ name }) => name)
    throw badFilter('place', place, names)
  }
  if (task === undefined)
    return at < 0 ? undefined : catalog.places.flatMap((each, index) => (each === at ? index : []))
  const index = journal.taskIndex(typeof task === 'string' ? task : task.name)
  return index === undefined || (at >= 0 && catalog.placeOf(index) !== at) ? [] : [index]
}

function badFilter(path: string, got: string, expected: readonly string[]): MillraceError {
  return new MillraceError(
    'MILLRACE_INVALID_OPTION',
    `the filter's ${path} cannot be used; got ${JSON.stringify(got)}, expected one of ${expected.join(', ')}`,
    { path },
  )
}
