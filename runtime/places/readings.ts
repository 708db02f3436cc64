import { readFileSync, readlinkSync } from 'node:fs'
import type { ThreadState } from '../../lib/verdict.ts'

/** A processor's time as the kernel counts it for one thread, in ms. */
export interface ProcessorTime {
  readonly processorMs: number
  /** Ready to run, while no processor was free; `undefined` where the kernel does not count it. */
  readonly queuedMs: number | undefined
  /** Ready: on a processor now, or in the queue for one. */
  readonly state: ThreadState
}

/** The kernel's number of the calling thread, by which others can read of it; `undefined` where there is none. */
export function kernelThread(): number | undefined {
  try {
    return Number(readlinkSync('/proc/thread-self').split('/').at(-1))
  } catch {
    // No Linux: what needs it says so in its verdict.
    return undefined
  }
}

/** What is known of a thread of which the system does not tell. */
export const UNTOLD = { processorMs: undefined, queuedMs: undefined, state: undefined } as const

/** Reads of a thread without asking it; `undefined` where the system does not tell, or it is gone. */
export function processorTimeOf(
  thread: number | undefined,
  process: number | 'self' = 'self',
): ProcessorTime | undefined {
  if (thread === undefined) return undefined
  const folder = `/proc/${process}/task/${thread}`
  // The name of the thread comes before, in brackets, and may hold anything.
  const fields = fieldsOf(`${folder}/stat`, ') ')
  if (fields.length <= SYSTEM) return undefined
  return { ...(scheduled(folder) ?? ticks(fields)), state: fields[STATE] === 'R' ? 'ready' : 'asleep' }
}

/** In nanoseconds: time on a processor, time in its queue. */
function scheduled(folder: string): Omit<ProcessorTime, 'state'> | undefined {
  const [processor = 0, queued = 0] = fieldsOf(`${folder}/schedstat`).map(Number)
  // A kernel that does not keep these figures says 0; a thread has run before anybody can read of it.
  return processor > 0 ? { processorMs: processor / 1e6, queuedMs: queued / 1e6 } : undefined
}

/** The kernel's ticks are of 10 ms on every Linux that Node runs on. */
const TICK_MS = 10
const STATE = 0
const USER = 11
const SYSTEM = 12

/** Where there is nothing better: user and system time in ticks. */
function ticks(fields: readonly string[]): Omit<ProcessorTime, 'state'> {
  return { processorMs: TICK_MS * (Number(fields[USER]) + Number(fields[SYSTEM])), queuedMs: undefined }
}

function fieldsOf(path: string, after?: string): string[] {
  try {
    const text = readFileSync(path, 'latin1')
    const from = after === undefined ? 0 : text.lastIndexOf(after) + after.length
    return text.slice(from).trim().split(' ')
  } catch {
    // The thread has exited, or there is no such file on this system.
    return []
  }
}
