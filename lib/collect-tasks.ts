import { MillraceError } from './errors.ts'
import { shown } from './options.ts'
import { type AroundHook, handlerOf, type LoadableHandler, type ThreadHook } from './task.ts'

/** What tasks modules give to a thread. */
export interface CollectedTasks {
  /** By the name of the task. */
  readonly handlers: ReadonlyMap<string, LoadableHandler>
  /** With the module of each, in the order of the modules. */
  readonly setup: ReadonlyMap<ThreadHook, string>
  /** In the opposite order: what was set up last is torn down first. */
  readonly teardown: readonly ThreadHook[]
  /** The first one is the outermost. */
  readonly around: readonly AroundHook[]
}

/** A tasks module that was imported. */
export interface ImportedModule {
  readonly url: string
  readonly exports: Readonly<Record<string, unknown>>
  /** Where its URL stands in the options, if it does. */
  readonly path?: string
}

/**
 * Finds the handlers and hooks among the exports of tasks modules. Contracts without work are passed over, and so is
 * everything else; the same object exported twice counts once.
 * Throws `MILLRACE_DUPLICATE_TASK` for two handlers of one name, `MILLRACE_TASKS_MODULE` for a hook that is no function.
 */
export function collectTasks(modules: readonly ImportedModule[]): CollectedTasks {
  const found = new Map<string, { readonly handler: LoadableHandler; readonly value: unknown; readonly at: string }>()
  const hooks = {
    setup: new Map<ThreadHook, string>(),
    teardown: new Map<ThreadHook, string>(),
    around: new Map<AroundHook, string>(),
  }
  for (const module of modules) {
    const { url } = module
    for (const [name, value] of Object.entries(module.exports)) {
      if (Object.hasOwn(hooks, name)) keepFirst(hooks[name as keyof typeof hooks], hookOf(name, value, module), url)
      const handler = handlerOf(value)
      if (handler === undefined) continue
      const at = `${name} in ${url}`
      const other = found.get(handler.task.name)
      if (other !== undefined && other.value !== value) throw duplicate(handler.task.name, other.at, at, module)
      found.set(handler.task.name, { handler, value, at })
    }
  }
  return {
    handlers: new Map([...found].map(([name, { handler }]) => [name, handler])),
    setup: hooks.setup,
    teardown: [...hooks.teardown.keys()].reverse(),
    around: [...hooks.around.keys()],
  }
}

function keepFirst<K>(of: Map<K, string>, key: K, url: string): void {
  if (!of.has(key)) of.set(key, url)
}

function hookOf(name: string, value: unknown, { url, path }: ImportedModule): () => unknown {
  if (typeof value === 'function') return value as () => unknown
  throw new MillraceError(
    'MILLRACE_TASKS_MODULE',
    `the export ${name} of ${url} cannot be used; got ${shown(value)}, expected a function, since setup, teardown ` +
      'and around are called by the runtime; give it another name',
    path === undefined ? {} : { path },
  )
}

function duplicate(name: string, first: string, second: string, { path }: ImportedModule): MillraceError {
  return new MillraceError(
    'MILLRACE_DUPLICATE_TASK',
    `the task ${name} has two handlers; got ${first} and ${second}, expected one; export only one of them, or give ` +
      'one task another name',
    path === undefined ? {} : { path },
  )
}
