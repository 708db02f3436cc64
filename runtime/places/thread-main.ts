import { AsyncLocalStorage } from 'node:async_hooks'
import { isMainThread, threadId, workerData } from 'node:worker_threads'
import { systemClock } from '../../lib/clock.ts'
import { toErrorRecord } from '../../lib/error-record.ts'
import { StartsWriter } from '../journal/starts.ts'
import type { AttemptContext } from './attempt-context.ts'
import { type Handlers, importHandlers } from './handlers.ts'
import { PortHost } from './port-host.ts'
import { Runner } from './runner.ts'
import { Slots } from './slots.ts'
import { markMillraceThread } from './thread-mark.ts'
import type { FromThread, ThreadData, ThreadRun, ToThread } from './thread-protocol.ts'

if (isMainThread) throw new Error('a tier thread is started by the runtime')

// Before any module of the user's: one that starts a runtime at import is told so, instead of starting threads without end.
markMillraceThread()

const data = workerData as ThreadData
const whose = new AsyncLocalStorage<AttemptContext>()
let handlers: Promise<Handlers> | undefined

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
  await new Promise<void>((resolve) => {
    listen(run, loaded, send, resolve)
    send({ type: 'ready', threadId, tasks: loaded.manifests })
  })
  await loaded.tearDown()
  send({ type: 'stopped' })
  port.close()
}

async function prepare(): Promise<Handlers> {
  const imported = await importHandlers(data.modules)
  await imported.setUp()
  return imported
}

/** Serves the port until it says stop. */
function listen(run: ThreadRun, loaded: Handlers, send: (message: FromThread) => void, stop: () => void): void {
  const slots = new Slots(run.slots, run.slotCount)
  const host = new PortHost(data.journal, slots, systemClock, send)
  const runner = new Runner({
    slots,
    concurrency: run.concurrency,
    handlers: loaded,
    clock: systemClock,
    host,
    starts: data.starts === undefined ? undefined : new StartsWriter(data.starts, run.firstStart),
    outcome: (slot, generation, outcome) => send({ type: 'outcome', slot, generation, outcome }),
    gaveBack: (slot, generation) => send({ type: 'gave-back', slot, generation }),
    progressed: () => send({ type: 'progressed' }),
    attribute: (context, attempt) => whose.run(context, attempt),
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
        return host.enqueued(message.request, message.error)
      case 'stop':
        return stop()
    }
  })
}

let reporting: ((message: FromThread) => void) | undefined

/** What nobody handles is reported as the job's whose code it came from, and does not reach the job that runs by then. */
function reportStrays(send: (message: FromThread) => void): void {
  if (reporting === undefined) {
    const stray = (error: unknown) =>
      reporting?.({ type: 'stray', number: whose.getStore()?.number, error: toErrorRecord(error) })
    process.on('unhandledRejection', stray)
    process.on('uncaughtException', stray)
  }
  reporting = send
}
