import type { Clock, Timer } from '../../lib/clock.ts'
import { addRestart } from '../../lib/supervision.ts'
import type { TaskManifest } from '../../lib/task.ts'
import { late, LOADING_MS } from './in-time.ts'

/** Threads or processes that cannot load their tasks: more than this many in this time, and the place gives up. */
const START_FAILURES = { restarts: 2, withinMs: 5_000 }

/** Whether the threads or processes of a place can start. */
export class Readiness {
  /** The tasks that the first of them found, or why none can start. */
  readonly ready: Promise<readonly TaskManifest[]>
  readonly #clock: Clock
  #become: { resolve(tasks: readonly TaskManifest[]): void; reject(error: Error): void } | undefined
  #served: 'yes' | 'no' = 'no'
  #failures: readonly number[] = []
  readonly #late: Timer

  /** One that is late is not waited for any more; it serves all the same when it is ready after all. */
  constructor(clock: Clock, place: string) {
    this.#clock = clock
    this.#late = clock.setTimer(LOADING_MS, () => this.giveUp(late(place)))
    this.#late.unref()
    this.ready = new Promise((resolve, reject) => {
      this.#become = { resolve, reject }
    })
    this.ready.catch(() => {})
  }

  serves(tasks: readonly TaskManifest[]): void {
    this.#served = 'yes'
    this.#late.cancel()
    this.#become?.resolve(tasks)
  }

  /** One could not start. A place that has never served gains nothing by trying for longer. */
  failed(): 'try again' | 'give up' {
    const withinMs = this.#served === 'yes' ? START_FAILURES.withinMs : Number.POSITIVE_INFINITY
    const failures = addRestart(this.#failures, this.#clock.monotonicMs(), { ...START_FAILURES, withinMs })
    if (failures === undefined) return 'give up'
    this.#failures = failures
    return 'try again'
  }

  giveUp(error: Error): void {
    this.#late.cancel()
    this.#become?.reject(error)
  }
}
