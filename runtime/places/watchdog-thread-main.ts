import { writeSync } from 'node:fs'
import { type Debugger, Session } from 'node:inspector'
import { isMainThread, parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../../lib/clock.ts'
import { type Blocked, type ToWatchdog, watchWords } from './watchdog.ts'

if (isMainThread || parentPort === null) throw new Error('the watchdog thread is started by the runtime')

const LOOK_MS = 200
const BLOCKED_MS = 1_000
/** The debugger stops JavaScript at once; what it cannot stop within this is a native call. */
const PAUSE_MS = 500
const FRAMES = 10

const port = parentPort
const words = new Int32Array(workerData as SharedArrayBuffer)
const names = new Map<number, string>()
let lastBeat = -1
let lastBeatAt = systemClock.monotonicMs()
let status: 'watching' | 'reported' = 'watching'

port.on('message', ({ task, name }: ToWatchdog) => names.set(task, name))
look()

function look(): void {
  const now = systemClock.monotonicMs()
  const beat = Atomics.load(words, watchWords.beat)
  if (beat !== lastBeat) {
    lastBeat = beat
    lastBeatAt = now
    status = 'watching'
  } else if (status === 'watching' && now - lastBeatAt >= BLOCKED_MS) {
    status = 'reported'
    void report(now - lastBeatAt)
  }
  systemClock.setTimer(LOOK_MS, look)
}

async function report(blockedMs: number): Promise<void> {
  const task = names.get(Atomics.load(words, watchWords.task) - 1)
  const stack = await stackOfMainThread()
  if (Atomics.load(words, watchWords.beat) !== lastBeat) return
  const incident: Blocked = { task, stack, blockedMs }
  // The loop that would print it stands still, and may do so for ever.
  writeSync(2, textOf(incident))
  port.postMessage(incident)
}

function textOf({ task, stack, blockedMs }: Blocked): string {
  const who = task === undefined ? '' : ` by the task ${task}`
  const where = stack.length === 0 ? ', in a native call' : `:\n${stack.map((frame) => `    at ${frame}`).join('\n')}`
  return `millrace: the event loop has been blocked for ${Math.round(blockedMs)} ms${who}${where}\n`
}

/** Stops the loop's thread for the moment that it takes to read where it is. */
function stackOfMainThread(): Promise<readonly string[]> {
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
    session.once('Debugger.paused', ({ params }) =>
      done(params.callFrames.slice(0, FRAMES).map((frame) => frameOf(frame, urls))),
    )
    session.post('Debugger.enable')
    session.post('Debugger.pause')
  })
}

function frameOf({ functionName, location }: Debugger.CallFrame, urls: ReadonlyMap<string, string>): string {
  const at = `${urls.get(location.scriptId) ?? ''}:${location.lineNumber + 1}:${(location.columnNumber ?? 0) + 1}`
  return functionName === '' ? at : `${functionName} (${at})`
}
