import { systemClock } from '../../../lib/clock.ts'
import { toErrorRecord } from '../../../lib/error-record.ts'
import { MillraceError } from '../../../lib/errors.ts'
import { typeScriptWayOut } from '../../../lib/typescript.ts'
import { LOADING_MS, withoutRuntimes } from '../../../runtime/cli-support.ts'
import { exitCodes } from '../exit-codes.ts'
import { reportError } from '../report-error.ts'
import { terminal } from '../terminal.ts'

/**
 * Imports a tasks module into this process. What keeps it from loading is told as an error here too, where no thread stands
 * between its top level and the command: that it ends the process, waits for ever, or starts a runtime.
 */
export async function importModule(path: string, url: URL): Promise<Readonly<Record<string, unknown>>> {
  const leaves = () => {
    reportError(
      unusable(path, 'it ends its process', 'take process.exit out of its top level'),
      terminal.detail,
      terminal,
    )
    process.exitCode = exitCodes.usage
  }
  process.on('exit', leaves)
  try {
    return await inTime(
      path,
      withoutRuntimes(() => import(url.href)),
    )
  } catch (error) {
    if (error instanceof MillraceError && error.code === 'MILLRACE_TASKS_MODULE') throw error
    const { message } = toErrorRecord(error)
    throw unusable(path, message, wayOut(message), error)
  } finally {
    process.off('exit', leaves)
  }
}

export function unusable(path: string, why: string, wayOut: string, cause?: unknown): MillraceError {
  return new MillraceError(
    'MILLRACE_TASKS_MODULE',
    `the tasks module ${path} cannot be imported: ${why}; expected an ES module that exports tasks; ${wayOut}`,
    { cause },
  )
}

function inTime<T>(path: string, loading: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = (why: string) => reject(unusable(path, why, 'look for a top-level await in it and in its imports'))
    const timer = systemClock.setTimer(LOADING_MS, () => late(`it has not loaded within ${LOADING_MS} ms`))
    // It does not keep the process: where nothing else does, nothing will come that the module waits for.
    timer.unref()
    const stalled = () => late('it waits for what does not come')
    process.on('beforeExit', stalled)
    const settled = () => {
      timer.cancel()
      process.off('beforeExit', stalled)
    }
    loading.finally(settled).then(resolve, reject)
  })
}

function wayOut(why: string): string {
  if (why.startsWith('MILLRACE_NESTED_RUNTIME')) return 'import the tasks from there, not the other way round'
  if (/outside a module|Unexpected token '?export/.test(why)) {
    return 'put "type": "module" into its package.json, or name it .mjs'
  }
  return typeScriptWayOut(why) ?? 'look at its path and its imports'
}
