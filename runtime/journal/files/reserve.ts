import { closeSync, openSync, rmSync, statfsSync, statSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { systemClock } from '../../../lib/clock.ts'
import { createBeside, journalFiles } from './files.ts'

const RESERVE_BYTES = 8 * 1024 * 1024
/** What must be free for it: with less the reserve would take the very room that it has given. */
export const ROOM_BYTES = 2 * RESERVE_BYTES
const LOOK_MS = 500

/**
 * A file that is only there to be deleted when the disk is full: even a DELETE needs pages for the log, and what was run
 * must be settled. It comes back when there is room for it twice.
 */
export class Reserve {
  readonly #journal: string
  readonly #file: string
  #lookAt = 0

  constructor(journal: string) {
    this.#journal = journal
    this.#file = journalFiles(journal).reserve
  }

  /** Makes the file if it is not there and may be; called from time to time. */
  keep(): 'there' | 'missing' {
    if (statSync(this.#file, { throwIfNoEntry: false })?.size === RESERVE_BYTES) return 'there'
    const now = systemClock.monotonicMs()
    if (now < this.#lookAt) return 'missing'
    this.#lookAt = now + LOOK_MS
    return this.#hasRoom() && this.#fill() === 'filled' ? 'there' : 'missing'
  }

  release(): void {
    rmSync(this.#file, { force: true })
    this.#lookAt = systemClock.monotonicMs() + LOOK_MS
  }

  #hasRoom(): boolean {
    try {
      return freeBytes(this.#journal) >= ROOM_BYTES
    } catch {
      // Nowhere to put it; what that means for the journal is for its own writes to find out.
      return false
    }
  }

  #fill(): 'filled' | 'failed' {
    try {
      createBeside(this.#journal, this.#file)
      const descriptor = openSync(this.#file, 'w', 0o600)
      try {
        const chunk = Buffer.alloc(1024 * 1024)
        for (let written = 0; written < RESERVE_BYTES; written += chunk.length) writeSync(descriptor, chunk)
      } finally {
        closeSync(descriptor)
      }
      return 'filled'
    } catch {
      // A part of a reserve would only take what the journal needs.
      this.release()
      return 'failed'
    }
  }
}

/** Of the file system that a journal is on. */
export function freeBytes(journal: string): number {
  const { bavail, bsize } = statfsSync(dirname(journal))
  return bavail * bsize
}
