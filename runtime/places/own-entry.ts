import { realpathSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import type { Clock } from '../../lib/clock.ts'
import { MillraceError } from '../../lib/errors.ts'

/** One that is evaluated is imported at once; this is for a loop that has much else to do. */
const ENTRY_MS = 3_000

/**
 * What is imported of tasks modules on the service's own loop; rejects where one of them waits, in a top-level await, for the
 * runtime that waits for its import here: it is the module that started the process, or threads that import the same have
 * called `createRuntime` in doing so, which `nested` says then.
 */
export function unlessForItself<T>(
  clock: Clock,
  modules: readonly string[],
  importing: Promise<T>,
  nested: () => Error | undefined,
): Promise<T> {
  let waiting = entryAmong(modules)
  const evaluated = () => {
    waiting = undefined
  }
  if (waiting !== undefined) import(waiting).then(evaluated, evaluated)
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(ENTRY_MS, () => {
      const error = waiting === undefined ? nested() : waitsForItself(waiting)
      if (error !== undefined) reject(error)
    })
    importing.then(resolve, reject).finally(() => timer.cancel())
  })
}

function entryAmong(modules: readonly string[]): string | undefined {
  try {
    const entry = pathToFileURL(realpathSync(process.argv[1] as string)).href
    return modules.includes(entry) ? entry : undefined
  } catch {
    // Started from no file, as by `node --eval`, or it is gone.
    return undefined
  }
}

function waitsForItself(entry: string): MillraceError {
  return new MillraceError(
    'MILLRACE_TASKS_MODULE',
    `the tasks module ${entry} has not been evaluated: it is the one that started this process, and most likely its ` +
      'top-level await waits for createRuntime, which waits for its import; expected a module that does not start the ' +
      'runtime; put tasks and handlers into a module of their own, and give that as `tasks`',
  )
}
