import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')

export const collectGarbage = runInNewContext('gc') as () => void

/** Bytes of the heap that somebody still holds. */
export function bytesHeld(): number {
  collectGarbage()
  return process.memoryUsage().heapUsed
}
