import { pathToFileURL } from 'node:url'
import { invalidOption } from '../../lib/options.ts'

export type Modules = URL | string | readonly (URL | string)[]

/** The URLs of the modules that threads import to find handlers. */
export function modulesOf(tasks: Modules | undefined): string[] {
  const list = Array.isArray(tasks) ? (tasks as readonly (URL | string)[]) : [tasks as URL | string]
  if (tasks === undefined || list.length === 0) {
    throw invalidOption('tasks', tasks, "the URL of a module: new URL('./tasks.js', import.meta.url)")
  }
  return list.map((module, at) => moduleUrl(module, list.length === 1 ? 'tasks' : `tasks[${at}]`))
}

function moduleUrl(module: URL | string, path: string): string {
  const text = module instanceof URL ? module.href : module
  if (typeof text === 'string' && text.startsWith('file:')) return text
  // Not as a URL: a folder may have any of its signs in its name.
  if (typeof text === 'string' && text.startsWith('/')) return pathToFileURL(text).href
  throw invalidOption(path, text, "a file URL: new URL('./tasks.js', import.meta.url)")
}
