import { writeSync } from 'node:fs'
import { isMainThread, parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../../../lib/clock.ts'
import { formatJobId } from '../../../lib/job.ts'
import type { Reading } from '../../../lib/verdict.ts'
import { Gauge } from '../gauge.ts'
import { mayBeUnwound, stackOfMainThread, unwindMainThread } from './main-thread.ts'
import { processorTimeOf, UNTOLD } from '../readings.ts'
import type { Blocked, FromWatchdog, ToWatchdog, WatchdogData } from './watchdog.ts'
import { type WatchedCall, WatchedLoop } from './watched-loop.ts'

if (isMainThread || parentPort === null) throw new Error('the watchdog thread is started by the runtime')

const LOOK_MS = 200
/** For code that belongs to no job: as long as a job may run by default. */
const NOBODYS_LIMIT_MS = 30_000
/** Of a stack, in a report. */
const FRAMES = 10

const port = parentPort
const { loop: buffer, journal, blockedMs: patienceMs, atHardLimit } = workerData as WatchdogData
const loop = new WatchedLoop(buffer)
const names = new Map<number, string>()
const gauge = new Gauge(read)
let lastBeats = -1
let lastBeatAt = systemClock.monotonicMs()
let told: 'yes' | 'no' = 'no'
/** The call that cannot be interrupted. */
let spared = 0
let activity: 'looking' | 'acting' = 'looking'

port.on('message', ({ task, name }: ToWatchdog) => names.set(task, name))
look()

function look(): void {
  const now = systemClock.monotonicMs()
  const { beats } = loop
  if (beats !== lastBeats) {
    lastBeats = beats
    lastBeatAt = now
    told = 'no'
  } else if (activity === 'looking') {
    activity = 'acting'
    void act(now - lastBeatAt).finally(() => {
      activity = 'looking'
    })
  }
  systemClock.setTimer(Math.min(LOOK_MS, patienceMs / 2), look)
}

async function act(silentMs: number): Promise<void> {
  // The first look of a silence is what a later one is compared with.
  const { verdict } = judge()
  if (silentMs < patienceMs) return
  if (told === 'no') {
    told = 'yes'
    await report(silentMs, verdict as Blocked['verdict'])
  }
  if (atHardLimit === 'report' || loop.beats !== lastBeats) return
  const now = systemClock.monotonicMs()
  const call = loop.present
  const limitAt = call === undefined ? lastBeatAt + NOBODYS_LIMIT_MS : call.startedAt + call.hardLimitMs
  if (now < limitAt) return
  if (atHardLimit === 'end') end(call)
  else if (call !== undefined) await interrupt(call)
}

async function report(blockedMs: number, verdict: Blocked['verdict']): Promise<void> {
  const call = loop.present
  const stack = (await stackOfMainThread()).slice(0, FRAMES)
  if (loop.beats !== lastBeats) return
  const incident: Blocked = { id: idOf(call), task: nameOf(call), stack, blockedMs, verdict }
  // The loop that would print it stands still, and may do so for ever.
  say(`the event loop has been blocked for ${Math.round(blockedMs)} ms${byWhom(call)}, ${verdict}${where(stack)}`)
  post({ type: 'blocked', incident })
}

async function interrupt(call: WatchedCall): Promise<void> {
  if (call.call === spared) return
  if (!mayBeUnwound(await stackOfMainThread())) {
    spared = call.call
    return say(`the event loop cannot be interrupted inside of AsyncResource.runInAsyncScope${byWhom(call)}`)
  }
  if (loop.condemn(call.call) === 'lost') return
  say(`interrupting the event loop at the hard limit of ${call.hardLimitMs} ms${byWhom(call)}`)
  await unwindMainThread()
  const ranMs = systemClock.monotonicMs() - call.startedAt
  const incident = { id: idOf(call) as string, task: nameOf(call) as string, ranMs }
  post({ type: 'interrupted', call: call.call, incident })
}

function end(call: WatchedCall | undefined): void {
  const limitMs = call?.hardLimitMs ?? NOBODYS_LIMIT_MS
  say(`ending the process, whose event loop has been blocked for over ${limitMs} ms${byWhom(call)}`)
  process.kill(process.pid, 'SIGKILL')
}

function judge() {
  const call = loop.present
  const longestMs = call === undefined ? undefined : systemClock.monotonicMs() - call.startedAt
  return gauge.look({ status: 'serving', toldToEndMs: undefined, longestMs })
}

/** The main thread has the number of its process. */
function read(): Reading {
  const time = processorTimeOf(process.pid) ?? UNTOLD
  return { ...time, at: systemClock.monotonicMs(), beatAt: lastBeatAt, activeMs: undefined }
}

function say(text: string): void {
  try {
    writeSync(2, `millrace: ${text}\n`)
  } catch {
    // Whoever reads it is gone or does not keep up. What was to be done is done without a word.
  }
}

function post(message: FromWatchdog): void {
  port.postMessage(message)
}

function nameOf(call: WatchedCall | undefined): string | undefined {
  return call === undefined ? undefined : names.get(call.task)
}

function idOf(call: WatchedCall | undefined): string | undefined {
  return call === undefined ? undefined : formatJobId(journal, call.number)
}

function byWhom(call: WatchedCall | undefined): string {
  return call === undefined ? '' : ` by the task ${nameOf(call)}, job ${idOf(call)}`
}

function where(stack: readonly string[]): string {
  if (stack.length === 0) return ', in a native call or a regular expression'
  return `:\n${stack.map((frame) => `    at ${frame}`).join('\n')}`
}
