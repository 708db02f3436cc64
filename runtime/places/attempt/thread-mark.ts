import { MillraceError } from '../../../lib/errors.ts'

const MARK = Symbol.for('millrace.thread')

/** Says that this thread belongs to a runtime; the mark is the process's word, whichever copy of this module asks. */
export function markMillraceThread(): void {
  Object.defineProperty(globalThis, MARK, { value: true })
}

/** Nor is one started while a command imports a tasks module. */
export async function withoutRuntimes<T>(importing: () => Promise<T>): Promise<T> {
  Object.defineProperty(globalThis, MARK, { value: true, configurable: true })
  try {
    return await importing()
  } finally {
    Reflect.deleteProperty(globalThis, MARK)
  }
}

/** A runtime in a thread of a runtime would start threads that start runtimes, and so on. */
export function refuseNestedRuntime(): void {
  if (!(MARK in globalThis)) return
  throw new MillraceError(
    'MILLRACE_NESTED_RUNTIME',
    'createRuntime was called in a thread of a runtime or a command, since a tasks module imports the module that calls ' +
      'it; expected it in the service only; put tasks and handlers into a module that does not import the service, and give that as `tasks`',
  )
}
