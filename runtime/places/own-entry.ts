import { realpathSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import type { Clock } from '../../lib/clock.ts'
import { MillraceError } from '../../lib/errors.ts'

/** One that is evaluated is imported at once; this is for a loop that has much else to do. */
const ENTRY_MS = 3_000

/**
 * What is imported of tasks modules on the service's own loop; rejects where one of them is the module that started the
 * process and waits, in a top-level await, for the runtime that waits for its import here.
 */
export function unlessOwnEntry<T>(clock: Clock, modules: readonly string[], importing: Promise<T>): Promise<T> {
  const entry = entryUrl()
  if (entry === undefined || !modules.includes(entry)) return importing
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(ENTRY_MS, () => reject(waitsForItself(entry)))
    const evaluated = () => timer.cancel()
    import(entry).then(evaluated, evaluated)
    importing.then(resolve, reject)
  })
}

function entryUrl(): string | undefined {
  try {
    return pathToFileURL(realpathSync(process.argv[1] as string)).href
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
