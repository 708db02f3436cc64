import { MillraceError } from '../../../lib/errors.ts'
import { shown } from '../../../lib/options.ts'
import type { AnyTask } from '../../../lib/task.ts'
import type { CustomBackoff, RuntimeOptions } from '../../../runtime/index.ts'

type Backoffs = NonNullable<RuntimeOptions['backoffs']>

/** What a tasks module exports as `backoffs`: a command has no service beside it that could give them to its runtime. */
export function backoffsOf(path: string, exported: unknown): Backoffs {
  if (exported === undefined) return {}
  const isRecord = typeof exported === 'object' && exported !== null
  if (isRecord && Object.values(exported).every((each) => typeof each === 'function')) return exported as Backoffs
  throw new MillraceError(
    'MILLRACE_TASKS_MODULE',
    `the export backoffs of ${path} cannot be used; got ${shown(exported)}, expected functions by name: ` +
      '{ gentle: (attempt, error) => 1_000 }; give it another name if it is something else',
  )
}

/** The backoffs of all modules, which are to have those that their tasks name. */
export function allBackoffs(
  modules: readonly { readonly backoffs: Backoffs; readonly tasks: readonly AnyTask[] }[],
): Backoffs {
  const all: Record<string, CustomBackoff> = {}
  for (const { backoffs } of modules) {
    for (const [name, backoff] of Object.entries(backoffs)) {
      if (Object.hasOwn(all, name) && all[name] !== backoff) throw twice(name)
      all[name] = backoff
    }
  }
  for (const { name: task, retry } of modules.flatMap(({ tasks }) => tasks)) {
    const { backoff } = retry
    if (backoff.type === 'custom' && !Object.hasOwn(all, backoff.name)) throw missing(task, backoff.name)
  }
  return all
}

function twice(name: string): MillraceError {
  return new MillraceError(
    'MILLRACE_TASKS_MODULE',
    `two tasks modules export a backoff ${JSON.stringify(name)}; got different functions, expected one; give one another name`,
  )
}

function missing(task: string, name: string): MillraceError {
  return new MillraceError(
    'MILLRACE_TASKS_MODULE',
    `the task ${task} has a backoff that no module gives; got the name ${JSON.stringify(name)}, expected one that is ` +
      `exported; add it to the tasks module: export const backoffs = { ${JSON.stringify(name)}: (attempt, error) => 1_000 }`,
  )
}
