import { closeSync, openSync, rmSync, statSync, writeSync } from 'node:fs'
import { systemClock } from '../../lib/clock.ts'
import { journalFiles } from './files.ts'

const RESERVE_BYTES = 8 * 1024 * 1024
const RETRY_MS = 5_000

/**
 * A file that is only there to be deleted when the disk is full: even a DELETE needs pages for the log, and what was run
 * must be settled. It comes back when there is room again.
 */
export class Reserve {
  readonly #file: string
  #retryAt = 0

  constructor(journal: string) {
    this.#file = journalFiles(journal).reserve
  }

  /** Makes the file if it is not there; called from time to time. */
  keep(): void {
    const now = systemClock.monotonicMs()
    if (now < this.#retryAt) return
    this.#retryAt = now + RETRY_MS
    if (statSync(this.#file, { throwIfNoEntry: false })?.size === RESERVE_BYTES) return
    try {
      const descriptor = openSync(this.#file, 'w', 0o600)
      try {
        const chunk = Buffer.alloc(1024 * 1024)
        for (let written = 0; written < RESERVE_BYTES; written += chunk.length) writeSync(descriptor, chunk)
      } finally {
        closeSync(descriptor)
      }
    } catch {
      // Still no room: a part of a reserve would only take what the journal needs.
      this.release()
    }
  }

  release(): void {
    rmSync(this.#file, { force: true })
    this.#retryAt = systemClock.monotonicMs() + RETRY_MS
  }
}
