import { Piscina } from 'piscina'
import type { Clock } from '../../../lib/clock.ts'
import { siblingUrl } from '../../sibling-url.ts'
import type { ThreadData, ThreadRun } from '../thread-protocol.ts'

/** How one run of a thread ended. */
export type RunEnd = { readonly type: 'returned' } | { readonly type: 'lost'; readonly error: Error }

export interface TierPoolOptions {
  readonly maxHeapMb: number | undefined
  readonly clock: Clock
}

/**
 * The threads of one place. Piscina starts, replaces and limits them; its queue, its time limits and its closing are not
 * used, since they lose tasks (docs/decisions/001-dependencies.md): every thread serves a single run for its whole life.
 */
export class TierPool {
  readonly #pool: Piscina
  readonly #threads: number
  /** Runs of which no thread has been heard yet. */
  readonly #expected = new Map<ThreadRun, AbortController>()
  #lastError = new Error('the thread ended before it was ready')
  #destroyed: Promise<void> | undefined

  constructor(threads: number, data: ThreadData, options: TierPoolOptions) {
    this.#pool = new Piscina({
      filename: siblingUrl('./thread-entry', import.meta.url, 'commonjs').href,
      minThreads: threads,
      maxThreads: threads,
      concurrentTasksPerWorker: 1,
      atomics: 'disabled',
      idleTimeout: Number.MAX_SAFE_INTEGER,
      workerData: data,
      ...(options.maxHeapMb !== undefined && { resourceLimits: { maxOldGenerationSizeMb: options.maxHeapMb } }),
    })
    this.#threads = threads
    // Without a listener an entry that does not load ends the process; the run that was on the thread rejects as well.
    this.#pool.on('error', (error: Error) => {
      this.#lastError = error
    })
    // After whoever had the thread has asked for another one, which starts it.
    this.#pool.on('workerDestroy', () => options.clock.setImmediate(() => this.#giveUpStranded()))
  }

  /** Occupies a free thread until it returns, is aborted or exits. */
  async serve(run: ThreadRun, signal: AbortSignal): Promise<RunEnd> {
    const stranded = new AbortController()
    this.#expected.set(run, stranded)
    try {
      await this.#pool.run(run, { transferList: [run.port], signal: AbortSignal.any([signal, stranded.signal]) })
      return { type: 'returned' }
    } catch (error) {
      return { type: 'lost', error: stranded.signal.aborted ? this.#lastError : (error as Error) }
    } finally {
      this.#expected.delete(run)
    }
  }

  /** The run's thread has been heard. */
  begun(run: ThreadRun): void {
    this.#expected.delete(run)
  }

  /**
   * A thread that ends while it starts is not replaced by piscina, and what waits for it would wait for ever. The next
   * run starts another.
   */
  #giveUpStranded(): void {
    if (this.#destroyed !== undefined) return
    const missing = this.#threads - this.#pool.threads.length
    const latest = [...this.#expected.values()].slice(-missing)
    if (missing > 0) for (const stranded of latest) stranded.abort()
  }

  /** The exit of a thread, which alone says that nothing of a job runs any more. */
  exitOf(threadId: number): Promise<number> {
    const worker = this.#pool.threads.find((each) => each.threadId === threadId)
    if (worker === undefined) return Promise.resolve(0)
    return new Promise((resolve) => {
      worker.once('exit', resolve)
    })
  }

  /** How long the loop of a thread was busy since its start; read without asking the thread. */
  activeMsOf(threadId: number): number | undefined {
    return this.#pool.threads.find((each) => each.threadId === threadId)?.performance.eventLoopUtilization().active
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
