import type { Clock } from '../../../lib/clock.ts'
import { LOG_LIMIT_BYTES } from './log-bounds.ts'
import { type Database, prepareTuples, prepareValue } from './sqlite.ts'

const LOOK_MS = 1_000
/** Others that write as fast as they can make it larger than its limit for a moment. */
const TELL_ABOVE_BYTES = 2 * LOG_LIMIT_BYTES
/** What the log has of a page besides the page. */
const FRAME_HEAD_BYTES = 24

/**
 * Whether the log grows without bound, as it does while somebody reads the journal in a transaction that does not end: no
 * checkpoint passes a reader.
 */
export class LogGrowth {
  readonly #logBytes: () => number
  readonly #clock: Clock
  #lookAt = 0
  #tellAbove = TELL_ABOVE_BYTES

  constructor(logBytes: () => number, clock: Clock) {
    this.#logBytes = logBytes
    this.#clock = clock
  }

  /** How large it is, where that is to be told: once, again at each doubling, and anew when it was small. Called often. */
  look(): number | undefined {
    const now = this.#clock.monotonicMs()
    if (now < this.#lookAt) return undefined
    this.#lookAt = now + LOOK_MS
    const bytes = this.#logBytes()
    if (bytes <= LOG_LIMIT_BYTES) this.#tellAbove = TELL_ABOVE_BYTES
    if (bytes <= this.#tellAbove) return undefined
    while (this.#tellAbove < bytes) this.#tellAbove *= 2
    return bytes
  }
}

/** What SQLite has in memory of it: to ask the file for its size would have the next commit write its times (`OwnLog`). */
export function logBytesOf(db: Database): () => number {
  const frameBytes = (prepareValue<[], number>(db, 'PRAGMA page_size').get() as number) + FRAME_HEAD_BYTES
  // It moves nothing. Its answer: whether somebody is in the way, pages in the log, pages of them that are in the file.
  const ask = prepareTuples<[], [number, number, number]>(db, 'PRAGMA wal_checkpoint(NOOP)')
  return () => (ask.get()?.[1] ?? 0) * frameBytes
}
