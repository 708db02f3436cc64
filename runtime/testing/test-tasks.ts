import { invalidOption } from '../../lib/options.ts'
import { collectTasks } from '../../lib/collect-tasks.ts'
import { type AnyTask, handlerOf, isTask, type TaskHandler } from '../../lib/task.ts'
import type { CustomBackoff } from '../config/backoffs-config.ts'
import { laneConfig, type PlaceConfig } from '../config/config.ts'
import { Handlers } from '../places/attempt/handlers.ts'

/** Tasks and handlers one by one, or all that a module exports: `import * as handlers from './handlers.js'`. */
export type TestTasks = readonly (AnyTask | TaskHandler)[] | Readonly<Record<string, unknown>>

const MODULE = 'a list of tasks and handlers, or a module: import * as tasks from …'

export function handlersOf(tasks: TestTasks): Handlers {
  if (Array.isArray(tasks)) tasks.forEach(refuseOther)
  else if (!isModule(tasks)) throw invalidOption('tasks', tasks, MODULE)
  // A list is by its indices what a module is by its names.
  return new Handlers(collectTasks([{ url: 'testRuntime', exports: { ...(tasks as Record<string, unknown>) } }]))
}

/** What a module has for `millrace run` and `millrace worker`; nothing where its tasks are given one by one. */
export function exportedBackoffs(tasks: TestTasks): Readonly<Record<string, CustomBackoff>> {
  if (!isModule(tasks)) return {}
  const { backoffs = {} } = tasks as { readonly backoffs?: Readonly<Record<string, CustomBackoff>> }
  return backoffs
}

/** In a module it would be one of the things that are passed over; here nobody would see why it does not run. */
function refuseOther(item: unknown, at: number): void {
  if (isTask(item) || handlerOf(item) !== undefined) return
  throw invalidOption(`tasks[${at}]`, item, 'a task, or what handle() has returned; a module is given without a list')
}

/** What was imported or looks like it: no URL of a module, no promise of one, and no task, of which the properties are no exports. */
function isModule(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return (prototype === null || prototype === Object.prototype) && !isTask(value) && handlerOf(value) === undefined
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
