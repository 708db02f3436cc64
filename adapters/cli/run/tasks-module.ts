import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { MillraceError, nearest } from '../../../lib/errors.ts'
import { collectTasks } from '../../../lib/collect-tasks.ts'
import type { AnyTask } from '../../../lib/task.ts'
import type { RuntimeOptions } from '../../../runtime/index.ts'
import { backoffsOf } from './module-backoffs.ts'
import { importModule, unusable } from './import-module.ts'

export interface TasksModule {
  readonly url: URL
  readonly tasks: readonly AnyTask[]
  readonly backoffs: NonNullable<RuntimeOptions['backoffs']>
}

/** Imports a tasks module by its path. */
export async function importTasks(path: string): Promise<TasksModule> {
  const url = fileOf(path)
  const exports = await importModule(path, url)
  const { handlers } = collectTasks([{ url: url.href, exports }])
  const tasks = [...handlers.values()].map(({ task }) => task)
  return { url, tasks, backoffs: backoffsOf(path, exports['backoffs']) }
}

function fileOf(path: string): URL {
  const look = 'look at its path'
  try {
    const url = path.startsWith('file:') ? new URL(path) : pathToFileURL(resolve(path))
    const stat = statSync(url, { throwIfNoEntry: false })
    if (stat?.isFile() === true) return url
    if (stat === undefined) throw unusable(path, 'there is no such file', look)
    throw unusable(path, stat.isDirectory() ? 'it is a directory' : 'it is no ordinary file', look)
  } catch (error) {
    throw error instanceof MillraceError ? error : unusable(path, (error as Error).message, look, error)
  }
}

export function findTask({ tasks }: TasksModule, name: string): AnyTask {
  const found = tasks.find((task) => task.name === name)
  if (found !== undefined) return found
  const names = tasks.map((task) => task.name)
  const near = nearest(name, names)
  throw new MillraceError(
    'MILLRACE_UNKNOWN_TASK',
    `the module handles no task ${name}; expected one of ${names.join(', ') || 'those it exports, which are none'}` +
      (near === undefined ? '; export its handler' : `; did you mean ${near}?`),
  )
}

/** A name is that of one place: refuses tasks of which one names it as a tier and another one as a lane. */
export function refuseClashes(tasks: readonly AnyTask[]): void {
  const first = new Map<string, AnyTask>()
  for (const task of tasks) {
    const { type, name } = task.place
    const other = first.get(name) ?? task
    first.set(name, other)
    if (other.place.type === type) continue
    throw new MillraceError(
      'MILLRACE_TASKS_MODULE',
      `two tasks name one place as different ones; got the ${other.place.type} ${name} of ${other.name} and the ${type} ` +
        `${name} of ${task.name}, expected a name that only tiers or only lanes have; rename one of them`,
    )
  }
}

/**
 * The places that the module's tasks need: the one of the task that is run as large as asked for, the others small, and no
 * task is moved from the one to the others. Lanes have a thread, so that no handler blocks or ends this process.
 */
export function placesFor(
  { tasks }: TasksModule,
  { place }: AnyTask,
  size: { readonly threads?: number; readonly concurrency?: number },
): Pick<RuntimeOptions, 'tiers' | 'lanes' | 'promotion'> {
  const unfit = place.type === 'tier' ? 'concurrency' : 'threads'
  if (size[unfit] !== undefined) {
    throw new MillraceError(
      'MILLRACE_CLI',
      `--${unfit} does not fit: the task runs on the ${place.type} ${place.name}; ` +
        `use --${unfit === 'threads' ? 'concurrency' : 'threads'}`,
      { path: `--${unfit}` },
    )
  }
  refuseClashes(tasks)
  const named = (type: 'tier' | 'lane') =>
    tasks.filter((task) => task.place.type === type && task.place.name !== place.name).map((task) => task.place.name)
  const tiers = Object.fromEntries(named('tier').map((name) => [name, { threads: 1 }]))
  const lanes = Object.fromEntries(named('lane').map((name) => [name, { threads: 1 }]))
  return place.type === 'tier'
    ? { tiers: { ...tiers, [place.name]: size }, lanes, promotion: 'off' }
    : { tiers, lanes: { ...lanes, [place.name]: { ...size, threads: 1 } }, promotion: 'off' }
}
