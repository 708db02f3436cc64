import { writeFileSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { systemClock } from '../../../lib/clock.ts'
import { toErrorRecord } from '../../../lib/error-record.ts'
import { StartsWriter } from '../../journal/files/starts.ts'
import { siblingUrl } from '../../sibling-url.ts'
import type { GuardData } from './guard-thread-main.ts'
import { type Handlers, importInPlace } from '../attempt/handlers.ts'
import { PortHost } from '../attempt/port-host.ts'
import { ProcessRunner } from './process-runner.ts'
import type { FromProcess, ProcessData, ToProcess } from './process-protocol.ts'
import { attribute, reportExits, reportStrays } from '../attempt/strays.ts'
import { markMillraceThread } from '../attempt/thread-mark.ts'

/** A process of a tier: the same handlers as in its threads, one job at a time, over the channel to the service. */

const send = takeChannel()
markMillraceThread()
reportExits()
// What ends the service is the service's affair: it says when its processes end, and drains them first.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
process.once('disconnect', () => process.kill(-process.pid, 'SIGKILL'))
process.once('message', (message: ToProcess) => {
  if (message.type === 'begin') void serve(message.data)
})

/** A handler, or a package of its, that finds a channel would write to it. */
function takeChannel(): (message: FromProcess) => void {
  const write: ((message: FromProcess) => unknown) | undefined = process.send
  if (write === undefined) throw new Error('a process of a tier is started by the runtime')
  Object.defineProperty(process, 'send', { value: undefined })
  return (message) => void write.call(process, message)
}

async function serve(data: ProcessData): Promise<void> {
  volunteer()
  startGuard(data)
  let handlers: Handlers
  try {
    handlers = await importInPlace(data.modules)
    await handlers.setUp()
  } catch (error) {
    send({ type: 'unusable', error: toErrorRecord(error) })
    return
  }
  reportStrays(send)
  listen(data, handlers)
  send({ type: 'ready', tasks: handlers.manifests, memoryBytes: process.memoryUsage.rss() })
}

/** Where memory runs out, the kernel shall end a process that can be replaced, and not the service. */
function volunteer(): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', '1000')
  } catch {
    // Another system has no such file, and ends whom it likes.
  }
}

function startGuard({ parent, maxMemoryMb }: ProcessData): void {
  const workerData: GuardData = {
    parent,
    maxBytes: maxMemoryMb === undefined ? Number.POSITIVE_INFINITY : maxMemoryMb * 2 ** 20,
  }
  const resourceLimits = { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 1 }
  new Worker(siblingUrl('./guard-thread-main', import.meta.url), { workerData, execArgv: [], resourceLimits }).unref()
}

function listen(data: ProcessData, handlers: Handlers): void {
  const host = new PortHost(data.journal, { abortOf: () => undefined, isCondemned: () => false }, systemClock, send)
  const starts = data.starts === undefined ? undefined : new StartsWriter(data.starts, 0)
  const memoryBytes = () => process.memoryUsage.rss()
  const runner = new ProcessRunner({ handlers, host, starts, clock: systemClock, send, memoryBytes, attribute })
  process.on('message', (message: ToProcess) => {
    switch (message.type) {
      case 'begin':
        return
      case 'job':
        return runner.run(message.job)
      case 'abort':
        return runner.abort(message)
      case 'numbers':
        return host.numbers.add(message.first, message.count)
      case 'enqueued':
        return host.enqueued(message.request, message.came)
      case 'stop':
        return void tearDown(handlers)
    }
  })
}

async function tearDown(handlers: Handlers): Promise<void> {
  try {
    await handlers.tearDown()
  } catch (error) {
    send({ type: 'stray', number: undefined, error: toErrorRecord(error) })
  }
  process.exit()
}
