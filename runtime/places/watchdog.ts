import { Worker } from 'node:worker_threads'
import type { Clock, Timer } from '../../lib/clock.ts'
import { siblingUrl } from '../sibling-url.ts'

/** What the watchdog's thread and the loop that it watches share: words of 32 bits. */
export const watchWords = { beat: 0, task: 1, length: 2 } as const

/** What the thread is told: the names of tasks, by the index that stands in the shared word. */
export interface ToWatchdog {
  readonly task: number
  readonly name: string
}

/** The loop stood still. `stack` is empty where it was not JavaScript that held it. */
export interface Blocked {
  /** The task whose handler was being called; `undefined` for what runs later, after an await, or for other code. */
  readonly task: string | undefined
  readonly stack: readonly string[]
  /** Until the stack was taken; it may have lasted longer. */
  readonly blockedMs: number
}

export interface WatchdogListener {
  blocked(incident: Blocked): void
  /** Nobody watches any more. */
  failed(error: Error): void
}

const BEAT_MS = 100

/**
 * Watches the service's own loop from a thread: nothing on a loop can notice that the loop stands still. The thread
 * says on stderr what holds it, at once; the runtime tells of it when the loop goes on, if it ever does.
 */
export class Watchdog {
  readonly #clock: Clock
  readonly #words = new Int32Array(new SharedArrayBuffer(4 * watchWords.length))
  readonly #worker: Worker
  readonly #named = new Set<number>()
  #timer: Timer | undefined

  constructor(clock: Clock, listener: WatchdogListener) {
    this.#clock = clock
    this.#worker = new Worker(siblingUrl('./watchdog-thread-main', import.meta.url), {
      name: 'millrace-watchdog',
      workerData: this.#words.buffer,
    })
    this.#worker.on('message', (incident: Blocked) => listener.blocked(incident))
    this.#worker.on('error', (error: Error) => listener.failed(error))
    this.#worker.unref()
    this.#beat()
  }

  /** A handler is about to be called. */
  enter(task: number, name: string): void {
    if (!this.#named.has(task)) {
      this.#named.add(task)
      this.#worker.postMessage({ task, name } satisfies ToWatchdog)
    }
    Atomics.store(this.#words, watchWords.task, task + 1)
  }

  /** It has returned, perhaps with a promise. */
  leave(): void {
    Atomics.store(this.#words, watchWords.task, 0)
  }

  async stop(): Promise<void> {
    this.#timer?.cancel()
    await this.#worker.terminate()
  }

  #beat(): void {
    Atomics.add(this.#words, watchWords.beat, 1)
    this.#timer = this.#clock.setTimer(BEAT_MS, () => this.#beat())
    this.#timer.unref()
  }
}
