import { Worker } from 'node:worker_threads'
import type { Clock, Timer } from '../../../lib/clock.ts'
import { BEAT_MS, type Verdict } from '../../../lib/verdict.ts'
import { siblingUrl } from '../../sibling-url.ts'
import { WatchedLoop } from './watched-loop.ts'

/** What the watchdog does about a loop that stands still, besides saying so. */
export interface WatchdogOptions {
  readonly blockedMs: number
  readonly atHardLimit: 'report' | 'interrupt' | 'end'
}

export interface WatchdogData extends WatchdogOptions {
  readonly loop: SharedArrayBuffer
  /** The name in its jobs' ids. */
  readonly journal: string
}

/** What the thread is told: the names of tasks, by the index that stands in the shared memory. */
export interface ToWatchdog {
  readonly task: number
  readonly name: string
}

/** The loop stood still. `stack` is empty where it was not JavaScript that held it. */
export interface Blocked {
  /** The job whose handler was being called; `undefined` for what runs later, after an await, or for other code. */
  readonly id: string | undefined
  readonly task: string | undefined
  readonly stack: readonly string[]
  /** Until the stack was taken; it may have lasted longer. */
  readonly blockedMs: number
  readonly verdict: Extract<Verdict, 'spinning' | 'blocked' | 'unresponsive' | 'working' | 'idle'>
}

/** A handler was unwound at the hard limit of its job. */
export interface Interrupted {
  readonly id: string
  readonly task: string
  readonly ranMs: number
}

export type FromWatchdog =
  | { readonly type: 'blocked'; readonly incident: Blocked }
  | { readonly type: 'interrupted'; readonly call: number; readonly incident: Interrupted }

export interface WatchdogListener {
  blocked(incident: Blocked): void
  interrupted(incident: Interrupted): void
  /** Nobody watches any more. */
  failed(error: Error): void
}

/** Who called the handler that was unwound; everything on the stack is gone, without `finally`. */
export interface Caller {
  unwound(): void
}

/** What a handler is called for. */
export interface Call {
  readonly job: { readonly number: number; readonly task: number }
  readonly context: { readonly task: string }
  readonly limits: { readonly hardLimitMs: number }
  /** Monotonic ms. */
  readonly startedAt: number
}

/** A condemned call is unwound within this, or not at all. */
const PARKED_MS = 5_000

/**
 * Watches the service's own loop from a thread: nothing on a loop can notice that the loop stands still. The thread
 * says on stderr what holds it, at once; the runtime tells of it when the loop goes on, if it ever does.
 */
export class Watchdog {
  readonly #clock: Clock
  readonly #loop = new WatchedLoop()
  readonly #worker: Worker
  readonly #named = new Set<number>()
  #caller: Caller | undefined
  #calls = 0
  /** The latest call that was unwound. */
  #unwound = 0
  #timer: Timer | undefined

  constructor(clock: Clock, listener: WatchdogListener, options: WatchdogOptions, journal: string) {
    this.#clock = clock
    this.#worker = new Worker(siblingUrl('./watchdog-thread-main', import.meta.url), {
      name: 'millrace-watchdog',
      workerData: { ...options, loop: this.#loop.buffer, journal } satisfies WatchdogData,
    })
    this.#worker.on('message', (message: FromWatchdog) => this.#received(message, listener))
    this.#worker.on('error', (error: Error) => listener.failed(error))
    this.#worker.unref()
    this.#beat()
  }

  /** A handler is about to be called. */
  enter({ job, context, startedAt, limits }: Call, caller: Caller): void {
    if (!this.#named.has(job.task)) {
      this.#named.add(job.task)
      this.#worker.postMessage({ task: job.task, name: context.task } satisfies ToWatchdog)
    }
    this.#notice()
    this.#caller = caller
    this.#calls = this.#loop.enter(job.task, job.number, startedAt, limits.hardLimitMs)
  }

  /** It has returned, perhaps with a promise. */
  leave(): void {
    if (this.#loop.leave() === 'left') return
    this.#park()
    // It came back all the same, and has its outcome.
    this.#loop.forget()
  }

  async stop(): Promise<void> {
    this.#timer?.cancel()
    await this.#worker.terminate()
  }

  #received(message: FromWatchdog, listener: WatchdogListener): void {
    if (message.type === 'blocked') return listener.blocked(message.incident)
    this.#notice()
    if (this.#unwound === message.call) listener.interrupted(message.incident)
  }

  /** Whoever called a handler that was unwound hears of it before anybody else calls one. */
  #notice(): void {
    if (this.#loop.forget() === 'nothing') return
    this.#unwound = this.#calls
    this.#caller?.unwound()
  }

  /** Waits for the end that is on its way: it shall meet this call, and nothing that runs after it. */
  #park(): void {
    const endsAt = this.#clock.monotonicMs() + PARKED_MS
    while (this.#clock.monotonicMs() < endsAt);
  }

  #beat(): void {
    this.#loop.beat()
    this.#timer = this.#clock.setTimer(BEAT_MS, () => this.#beat())
    this.#timer.unref()
  }
}
