import { invalidOption } from '../../lib/options.ts'
import { collectTasks } from '../../lib/collect-tasks.ts'
import type { AnyTask, TaskHandler } from '../../lib/task.ts'
import { laneConfig, type PlaceConfig } from '../config.ts'
import { Handlers } from '../places/handlers.ts'

/** Tasks and handlers one by one, or all that a module exports: `import * as handlers from './handlers.js'`. */
export type TestTasks = readonly (AnyTask | TaskHandler)[] | Readonly<Record<string, unknown>>

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
    places.set(`${kind} ${name}`, { ...laneConfig(name, kind === 'tier' ? { concurrency: 1 } : {}), kind })
  }
  return [...places.values()]
}
