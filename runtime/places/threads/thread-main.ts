import { getHeapStatistics } from 'node:v8'
import { isMainThread, threadId, workerData } from 'node:worker_threads'
import { systemClock } from '../../../lib/clock.ts'
import { toErrorRecord } from '../../../lib/error-record.ts'
import { StartsWriter } from '../../journal/files/starts.ts'
import { type Handlers, importInPlace } from '../attempt/handlers.ts'
import { PortHost } from '../attempt/port-host.ts'
import { kernelThread } from '../readings.ts'
import { Runner } from './runner.ts'
import { Slots } from '../slots.ts'
import { attribute, reportExits, reportStrays } from '../attempt/strays.ts'
import { startBeat } from './thread-beat.ts'
import { markMillraceThread } from '../attempt/thread-mark.ts'
import type { FromThread, ThreadData, ThreadRun, ToThread } from '../thread-protocol.ts'

if (isMainThread) throw new Error('a tier thread is started by the runtime')

// Before any module of the user's: one that starts a runtime at import is told so, instead of starting threads without end.
markMillraceThread()

const { modules } = workerData as ThreadData
let handlers: Promise<Handlers> | undefined
reportExits()
// While the journal opens. What becomes of it is told to the first run.
let early: Promise<Handlers> | undefined = importInPlace(modules)
early.catch(() => undefined)

/** One run lasts for the thread's life: it serves its port until it is told to stop. */
export default async function serve(run: ThreadRun): Promise<void> {
  const { port } = run
  const send = (message: FromThread) => port.postMessage(message)
  let loaded: Handlers
  try {
    handlers ??= prepare()
    loaded = await handlers
  } catch (error) {
    handlers = undefined
    send({ type: 'unusable', error: toErrorRecord(error) })
    return
  }
  reportStrays(send)
  const slots = new Slots(run.slots, run.slotCount)
  const beat = startBeat(slots, systemClock)
  await new Promise<void>((resolve) => {
    listen(run, slots, loaded, send, resolve)
    send({ type: 'ready', threadId, kernelThread: kernelThread(), tasks: loaded.manifests })
  })
  beat.stop()
  await tearDown(loaded, send)
  send({ type: 'stopped' })
  port.close()
}

async function prepare(): Promise<Handlers> {
  const importing = early ?? importInPlace(modules)
  early = undefined
  const imported = await importing
  await imported.setUp()
  return imported
}

/** Serves the port until it says stop. */
function listen(
  run: ThreadRun,
  slots: Slots,
  loaded: Handlers,
  send: (message: FromThread) => void,
  stop: () => void,
): void {
  const host = new PortHost(run.journal, slots, systemClock, send)
  if (run.concurrency > 1) host.calls = slots
  const runner = new Runner({
    slots,
    concurrency: run.concurrency,
    handlers: loaded,
    clock: systemClock,
    host,
    starts: run.starts === undefined ? undefined : new StartsWriter(run.starts, run.firstStart),
    outcome: (slot, generation, outcome) => send({ type: 'outcome', slot, generation, outcome }),
    gaveBack: (slot, generation) => send({ type: 'gave-back', slot, generation }),
    progressed: () => send({ type: 'progressed', memoryBytes: run.memory === 'measured' ? memoryBytes() : 0 }),
    attribute,
  })
  run.port.on('message', (message: ToThread) => {
    switch (message.type) {
      case 'batch':
        return runner.add(message)
      case 'abort':
        return runner.abort(message.slot, message.generation, message.reason)
      case 'numbers':
        return host.numbers.add(message.first, message.count)
      case 'enqueued':
        return host.enqueued(message.request, message.came)
      case 'stop':
        return stop()
      case 'retire':
        return void tearDown(loaded, send).then(() => process.exit())
    }
  })
}

async function tearDown(loaded: Handlers, send: (message: FromThread) => void): Promise<void> {
  try {
    await loaded.tearDown()
  } catch (error) {
    send({ type: 'stray', number: undefined, error: toErrorRecord(error) })
  }
}

/** Of this thread alone: its heap, with what waits to be collected, and what that holds outside. */
function memoryBytes(): number {
  const { used_heap_size, external_memory } = getHeapStatistics()
  return used_heap_size + external_memory
}
