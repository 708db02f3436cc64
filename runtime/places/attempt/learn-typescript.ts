import { register } from 'node:module'
import { pathToFileURL } from 'node:url'
import { isMainThread } from 'node:worker_threads'

/**
 * Lets this thread of a tier or a lane, or this process of a tier, import modules in TypeScript, if it cannot yet and tsx
 * can be found: as tsx itself does it in the service's main thread, and in threads only on later lines of Node.
 */
export function learnTypeScript(module: string): void {
  const flags = [...process.execArgv, ...(process.env['NODE_OPTIONS'] ?? '').split(' ')]
  const ofTsx = flags.filter((flag) => /\btsx\b/.test(flag))
  // A flag has done it in the main thread of a process. In a thread Node's own stripping takes less than tsx does: an
  // enum, or a file of TypeScript that is imported by a name in `.js`.
  if (ofTsx.length > 0 ? isMainThread : stripsTypes()) return
  const placesToLook = [...ofTsx.flatMap(urlIn), module, pathToFileURL(`${process.cwd()}/`).href]
  // Where none has it, the import says what is missing.
  if (placesToLook.some(registered)) process.setSourceMapsEnabled(true)
}

function stripsTypes(): boolean {
  return Boolean((process.features as { readonly typescript?: unknown }).typescript)
}

/** The command `tsx` starts Node with the URL of its own file, which may be nowhere near the service. */
function urlIn(flag: string): string[] {
  return /file:\S+/.exec(flag)?.slice(0, 1) ?? []
}

/** By Node's own resolver and not by `tsx/esm/api`, of which a thread can find only the form for CommonJS: that has failed. */
function registered(parentURL: string): boolean {
  try {
    register('tsx/esm', { parentURL, data: {} })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND') return false
    throw error
  }
}
