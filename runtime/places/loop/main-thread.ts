import { type Debugger, Session } from 'node:inspector'
import { systemClock } from '../../../lib/clock.ts'

/** What the watchdog's thread can do to the thread that it watches, through the inspector. */

/** The debugger stops JavaScript at once; what it cannot stop within this is a native call. */
const PAUSE_MS = 500

/** Stops the main thread for the moment that it takes to read where it is; nothing where it is not in JavaScript. */
export function stackOfMainThread(): Promise<readonly string[]> {
  const session = new Session()
  session.connectToMainThread()
  return new Promise((resolve) => {
    const done = (stack: readonly string[]) => {
      timer.cancel()
      // A session that stays makes the process wait for it at its end.
      session.disconnect()
      resolve(stack)
    }
    const timer = systemClock.setTimer(PAUSE_MS, () => done([]))
    const urls = new Map<string, string>()
    session.on('Debugger.scriptParsed', ({ params }) => urls.set(params.scriptId, params.url))
    session.once('Debugger.paused', ({ params }) => done(params.callFrames.map((frame) => frameOf(frame, urls))))
    session.post('Debugger.enable')
    session.post('Debugger.pause')
  })
}

/**
 * Whether what stands on this stack may be unwound. Node counts the asynchronous contexts that code enters by hand, and
 * ends the process when one is left that nobody has left properly.
 */
export function mayBeUnwound(stack: readonly string[]): boolean {
  return !stack.some((frame) => frame.startsWith('runInAsyncScope '))
}

/**
 * Ends what the main thread runs now, down to where its loop had called it; no `catch` and no `finally` of it runs.
 * Resolves when that has happened: at once in JavaScript, at its return in a native call.
 */
export function unwindMainThread(): Promise<void> {
  const session = new Session()
  session.connectToMainThread()
  return new Promise((resolve) => {
    session.post('Runtime.terminateExecution', () => {
      session.disconnect()
      resolve()
    })
  })
}

function frameOf({ functionName, location }: Debugger.CallFrame, urls: ReadonlyMap<string, string>): string {
  const at = `${urls.get(location.scriptId) ?? ''}:${location.lineNumber + 1}:${(location.columnNumber ?? 0) + 1}`
  return functionName === '' ? at : `${functionName} (${at})`
}
