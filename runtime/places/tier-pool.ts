import { Piscina } from 'piscina'
import { siblingUrl } from '../sibling-url.ts'
import type { ThreadData, ThreadRun } from './thread-protocol.ts'

/** How one run of a thread ended. */
export type RunEnd = { readonly type: 'returned' } | { readonly type: 'lost'; readonly error: Error }

/**
 * The threads of one place. Piscina starts, replaces and limits them; its queue, its time limits and its closing are not
 * used, since they lose tasks (docs/decisions/001-dependencies.md): every thread serves a single run for its whole life.
 */
export class TierPool {
  readonly #pool: Piscina
  #destroyed: Promise<void> | undefined

  constructor(threads: number, data: ThreadData, options: { readonly maxHeapMb: number | undefined }) {
    this.#pool = new Piscina({
      filename: siblingUrl('./thread-main', import.meta.url).href,
      minThreads: threads,
      maxThreads: threads,
      concurrentTasksPerWorker: 1,
      atomics: 'disabled',
      idleTimeout: Number.MAX_SAFE_INTEGER,
      workerData: data,
      ...(options.maxHeapMb !== undefined && { resourceLimits: { maxOldGenerationSizeMb: options.maxHeapMb } }),
    })
    // Without a listener an entry that does not load ends the process; the run that was on the thread rejects as well.
    this.#pool.on('error', () => {})
  }

  /** Occupies a free thread until it returns, is aborted or exits. */
  async serve(run: ThreadRun, signal: AbortSignal): Promise<RunEnd> {
    try {
      await this.#pool.run(run, { transferList: [run.port], signal })
      return { type: 'returned' }
    } catch (error) {
      return { type: 'lost', error: error as Error }
    }
  }

  /** The exit of a thread, which alone says that nothing of a job runs any more. */
  exitOf(threadId: number): Promise<number> {
    const worker = this.#pool.threads.find((each) => each.threadId === threadId)
    if (worker === undefined) return Promise.resolve(0)
    return new Promise((resolve) => {
      worker.once('exit', resolve)
    })
  }

  /** Resolves when all threads have exited, those that hang in native calls excepted if they were given up before. */
  destroy(): Promise<void> {
    if (this.#destroyed === undefined) {
      this.#destroyed = this.#pool.destroy()
      // A thread whose exit comes late is replaced all the same. One after another: where two overlap, the first to end
      // lets piscina replace what the other one ends.
      this.#pool.on('workerCreate', () => {
        this.#destroyed = this.#destroyed?.then(() => this.#pool.destroy())
      })
    }
    return this.#destroyed
  }
}
