import { openSync, readSync, writeSync } from 'node:fs'
import { workerData } from 'node:worker_threads'
import { LAST_WORDS } from './process-protocol.ts'

/**
 * A thread in each process of a tier that ends it whatever its handler does: when the service is gone, and when it has
 * more memory than it may. It waits without a loop, so that nothing of the handler's can hold it up.
 */

export interface GuardData {
  readonly parent: number
  readonly maxBytes: number
}

/** The service's life is looked at as often as this, and memory at least. */
const RARELY_MS = 200
const OFTEN_MS = 2
/** Nobody allocates faster than this: what is left says when to look again. */
const BYTES_PER_MS = 2 * 2 ** 20

const { parent, maxBytes } = workerData as GuardData
const never = new Int32Array(new SharedArrayBuffer(4))
const buffer = Buffer.alloc(128)
const statm = openStatm()
const bytesPerPage = statm === undefined ? 1 : pageBytes()

for (;;) {
  if (process.ppid !== parent) endGroup()
  const bytes = residentBytes()
  if (bytes > maxBytes) {
    // Where a handler has closed what it is written to, the end comes without its reason.
    try {
      writeSync(LAST_WORDS, `${bytes}\n`)
    } finally {
      endGroup()
    }
  }
  Atomics.wait(never, 0, 0, Math.min(RARELY_MS, Math.max(OFTEN_MS, (maxBytes - bytes) / BYTES_PER_MS)))
}

/** With what the handler has started: a command of its own would go on by itself. */
function endGroup(): void {
  process.kill(-process.pid, 'SIGKILL')
}

/** Where the system does not tell in a file it is asked each time, which takes longer. */
function openStatm(): number | undefined {
  try {
    return openSync('/proc/self/statm', 'r')
  } catch {
    return undefined
  }
}

/** 4 KiB on most machines, up to 64 KiB on others: a power of two, whatever has come and gone between the two questions. */
function pageBytes(): number {
  return 2 ** Math.round(Math.log2(process.memoryUsage.rss() / pages()))
}

function residentBytes(): number {
  return statm === undefined ? process.memoryUsage.rss() : pages() * bytesPerPage
}

function pages(): number {
  const length = readSync(statm as number, buffer, 0, buffer.length, 0)
  return Number(buffer.toString('latin1', 0, length).split(' ')[1])
}
