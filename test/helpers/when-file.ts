import { watch } from 'node:fs'
import { dirname } from 'node:path'

/** Looks at a file at each change in its folder: resolves once `holds` does; to `false` when `over` comes first. */
export function whenFile(path: string, holds: () => boolean, over: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    const watcher = watch(dirname(path), () => {
      if (holds()) finish(true)
    })
    const finish = (value: boolean) => {
      watcher.close()
      resolve(value)
    }
    if (holds()) finish(true)
    void over.then(() => finish(false))
  })
}
