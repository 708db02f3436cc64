import { Worker } from 'node:worker_threads'
import { siblingUrl } from '../../sibling-url.ts'

/** A thread that loads all that a journal needs, and then waits to be told which one it shall open. */
export function startJournalWorker(): Worker {
  return new Worker(siblingUrl('../thread-main', import.meta.url), { name: 'millrace-journal' })
}

/** Such a thread, started before it is known what for. */
export class EarlyWorker {
  #worker: Worker | undefined

  constructor() {
    this.#worker = startJournalWorker()
    // Whoever needs one starts the next, which ends in the same way before somebody who can tell why.
    this.#worker.once('error', () => (this.#worker = undefined))
  }

  /** To be had once, unless it has failed. */
  take(): Worker | undefined {
    const worker = this.#worker
    this.#worker = undefined
    return worker
  }

  /** Where nobody has taken it. */
  async end(): Promise<void> {
    await this.take()?.terminate()
  }
}
