import { invalidOption } from '../../lib/options.ts'
import { type AnyTask, collectTasks, type TaskHandler } from '../../lib/task.ts'
import type { PlaceConfig } from '../config.ts'
import { Handlers } from '../places/handlers.ts'

/** Tasks and handlers one by one, or all that a module exports: `import * as handlers from './handlers.js'`. */
export type TestTasks = readonly (AnyTask | TaskHandler)[] | Readonly<Record<string, unknown>>

const HAND_JOBS = 4_096
const LANE_JOBS = 1_000

export function handlersOf(tasks: TestTasks): Handlers {
  if (typeof tasks !== 'object' || tasks === null) {
    throw invalidOption('tasks', tasks, 'a list of tasks and handlers, or a module: import * as tasks from …')
  }
  // A list is by its indices what a module is by its names.
  return new Handlers(collectTasks([{ url: 'testRuntime', exports: { ...(tasks as Record<string, unknown>) } }]))
}

/** Every place that one of the tasks names, on this loop; a tier runs one job after another, so that order can be tested. */
export function placesOf(handlers: Handlers): readonly PlaceConfig[] {
  const places = new Map<string, PlaceConfig>()
  for (const { place } of handlers.manifests) {
    const { name, type: kind } = place
    const concurrency = kind === 'tier' ? 1 : LANE_JOBS
    const onThisLoop = { threads: 0, maxHeapMb: undefined, maxZombies: 0 }
    places.set(`${kind} ${name}`, { name, kind, concurrency, handJobs: HAND_JOBS, ...onThisLoop })
  }
  return [...places.values()]
}
