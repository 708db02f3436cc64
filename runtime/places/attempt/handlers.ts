import { type CollectedTasks, collectTasks, type ImportedModule } from '../../../lib/collect-tasks.ts'
import { MillraceError } from '../../../lib/errors.ts'
import { toErrorRecord } from '../../../lib/error-record.ts'
import {
  type AnyTask,
  type AroundHook,
  type LoadedHandler,
  type TaskManifest,
  taskManifest,
} from '../../../lib/task.ts'

/** In a URL that may end in a query. */
const TYPESCRIPT = /\.(?:[cm]?ts|tsx)(?=[?#]|$)/

/** The handlers of the tasks modules of one thread. A lazy one is loaded when its first job comes. */
export class Handlers {
  readonly around: readonly AroundHook[]
  readonly #tasks: CollectedTasks
  readonly #loaded = new Map<string, LoadedHandler | Promise<LoadedHandler>>()

  constructor(tasks: CollectedTasks) {
    this.#tasks = tasks
    this.around = tasks.around
  }

  get manifests(): TaskManifest[] {
    return [...this.#tasks.handlers.values()].map(({ task }) => taskManifest(task))
  }

  task(name: string): AnyTask | undefined {
    return this.#tasks.handlers.get(name)?.task
  }

  async setUp(): Promise<void> {
    for (const [hook, url] of this.#tasks.setup) {
      try {
        await hook()
      } catch (error) {
        throw unusable(error, `the setup of the tasks module ${url} has failed`, 'expected it to make the thread ready')
      }
    }
  }

  /** Calls every hook, whatever becomes of the others; rejects with the first error. */
  async tearDown(): Promise<void> {
    const errors: unknown[] = []
    for (const hook of this.#tasks.teardown) {
      try {
        await hook()
      } catch (error) {
        errors.push(error)
      }
    }
    if (errors.length > 0) throw errors[0]
  }

  loaded(name: string): LoadedHandler | Promise<LoadedHandler> {
    return this.#loaded.get(name) ?? this.#load(name)
  }

  #load(name: string): LoadedHandler | Promise<LoadedHandler> {
    const entry = this.#tasks.handlers.get(name)
    if (entry === undefined) {
      return Promise.reject(
        new MillraceError(
          'MILLRACE_UNKNOWN_TASK',
          `no tasks module of this thread handles ${name}; export its handler from one of them`,
        ),
      )
    }
    const run = entry.load()
    if (!(run instanceof Promise)) return this.#keep(name, { task: entry.task, run })
    const loading = run.then((loadedRun) => this.#keep(name, { task: entry.task, run: loadedRun }))
    // A module that does not load is tried again by the next job.
    loading.catch(() => this.#loaded.delete(name))
    this.#loaded.set(name, loading)
    return loading
  }

  #keep(name: string, handler: LoadedHandler): LoadedHandler {
    this.#loaded.set(name, handler)
    return handler
  }
}

/**
 * For a thread or a process of a place, which may first have to learn what the service's main thread knows. All of that is
 * loaded only for modules in TypeScript.
 */
export async function importInPlace(modules: readonly string[]): Promise<Handlers> {
  const inTypeScript = modules.find((url) => TYPESCRIPT.test(url))
  if (inTypeScript !== undefined) {
    try {
      const { learnTypeScript } = await import('./learn-typescript.ts')
      learnTypeScript(inTypeScript)
    } catch (error) {
      const expected = 'expected tsx 4; install that, or build the module'
      throw unusable(error, `tsx cannot be used for the tasks module ${inTypeScript}`, expected)
    }
  }
  return importHandlers(modules)
}

/** Imports the tasks modules and collects what they handle. */
export async function importHandlers(modules: readonly string[]): Promise<Handlers> {
  const loaded: ImportedModule[] = []
  for (const [at, url] of modules.entries()) {
    const path = modules.length === 1 ? 'tasks' : `tasks[${at}]`
    try {
      loaded.push({ url, exports: (await import(url)) as Record<string, unknown>, path })
    } catch (error) {
      throw unusable(error, `the tasks module ${url} cannot be imported`, await expectedOf(error), path)
    }
  }
  return new Handlers(collectTasks(loaded))
}

async function expectedOf(error: unknown): Promise<string> {
  const { typeScriptWayOut } = await import('../../../lib/typescript.ts')
  const wayOut = typeScriptWayOut(toErrorRecord(error).message)
  return wayOut === undefined
    ? 'expected an ES module that loads in a worker thread'
    : `expected a module that this Node can import; ${wayOut}`
}

function unusable(error: unknown, what: string, expected: string, path?: string): MillraceError {
  if (error instanceof MillraceError) return error
  const message = `${what}: ${toErrorRecord(error).message}; ${expected}; see the cause`
  return new MillraceError('MILLRACE_TASKS_MODULE', message, { cause: error, ...(path !== undefined && { path }) })
}
