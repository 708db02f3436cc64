import { AsyncLocalStorage } from 'node:async_hooks'
import { toErrorRecord } from '../../../lib/error-record.ts'
import type { AttemptContext } from './attempt-context.ts'
import type { FromThread } from '../thread-protocol.ts'

/** What comes of a job's code, perhaps after its end. */
type LeftBehind = Extract<FromThread, { type: 'stray' | 'leaves' }>

const whose = new AsyncLocalStorage<AttemptContext>()
let reporting: ((what: LeftBehind) => void) | undefined

/** Runs a handler so that what it leaves behind can be told from others'. */
export function attribute<T>(context: AttemptContext, run: () => T): T {
  return whose.run(context, run)
}

/** What nobody handles is reported as the job's whose code it came from, and does not reach the job that runs by then. */
export function reportStrays(send: (what: LeftBehind) => void): void {
  if (reporting === undefined) {
    const stray = (error: unknown) =>
      reporting?.({ type: 'stray', number: whose.getStore()?.number, error: toErrorRecord(error) })
    process.on('unhandledRejection', stray)
    process.on('uncaughtException', stray)
  }
  reporting = send
}

/**
 * The job that runs when the thread or process ends need not be the one whose code ends it. To be called before any
 * module of the user's is there, which might keep the exit that it finds.
 */
export function reportExits(): void {
  const exit = process.exit.bind(process)
  process.exit = (code) => {
    reporting?.({ type: 'leaves', number: whose.getStore()?.number })
    return exit(code)
  }
}
