import { isMainThread } from 'node:worker_threads'
import type { RuntimeOptions } from './config/config.ts'
import type { HeadStart } from './head-start.ts'
import { EarlyWorker } from './journal/owner/early-worker.ts'
import { refuseNestedRuntime } from './places/attempt/thread-mark.ts'
import type { JournalPublisher, PublisherOptions } from './publish/inbox-publisher.ts'
import type { Runtime } from './runtime.ts'

/**
 * A tasks module imports this package in every thread, where nobody starts a runtime: all but the small part that tasks
 * are defined with is loaded when it is asked for, which halves the start of a thread. On the main thread that is soon.
 */
const headStart = isMainThread ? import('./head-start.ts') : undefined
const early = headStart?.then(() => import('./runtime.ts'))
let loaded: typeof import('./runtime.ts') | undefined
early?.then(
  (runtime) => (loaded = runtime),
  // Whoever asks for it is told.
  () => undefined,
)

/** Starts a runtime: opens the journal as its owner, makes available what was interrupted, starts places. */
export async function createRuntime(options: RuntimeOptions): Promise<Runtime> {
  refuseNestedRuntime()
  return loaded === undefined ? startWhileLoading(options) : loaded.startRuntime(options)
}

/** Its first threads take as long to load as the rest of it. */
async function startWhileLoading(options: RuntimeOptions): Promise<Runtime> {
  const journal = new EarlyWorker()
  let head: HeadStart | undefined
  try {
    const { HeadStart } = await (headStart ?? import('./head-start.ts'))
    head = new HeadStart(options, journal)
    const { startRuntime } = await (early ?? import('./runtime.ts'))
    return await startRuntime(options, head)
  } catch (error) {
    await (head ?? journal).end()
    throw error
  }
}

/** Opens a journal for publishing from a process that does not own it. */
export async function createPublisher(options: PublisherOptions): Promise<JournalPublisher> {
  const { openPublisher } = await import('./publish/inbox-publisher.ts')
  return openPublisher(options)
}
