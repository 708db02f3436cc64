import { addRestart } from '../../lib/supervision.ts'
import type { JournalFault } from './protocol.ts'

/** More journal threads than this lost in this time for no fault of the disk, and the runtime cannot go on. */
export const RESTARTS = { restarts: 3, withinMs: 10_000 }

/** A fault that comes back sooner than this after the one before is the same. */
const SAME_FAULT_MS = 10_000

/** How often a disk that fails is tried again, once it has failed twice. */
const PAUSE_MS = 1_000

export type Step =
  | { readonly type: 'open' }
  /** Callers are refused meanwhile: nobody knows for how long it fails. */
  | { readonly type: 'pause'; readonly ms: number }
  | { readonly type: 'give-up' }

/**
 * What is done when the journal's thread has ended. A disk that fails may come back, however long that takes. Damage does
 * not mend itself, but a page that was misread once may be read again. An end that nobody can explain is bounded in number.
 */
export class Reopening {
  #losses: readonly number[] = []
  #lastFault: { readonly kind: JournalFault['kind']; readonly at: number } | undefined

  next(kind: JournalFault['kind'] | undefined, now: number): Step {
    if (kind === 'lost') return { type: 'give-up' }
    if (kind === 'corrupt') return this.#isSame(kind, now) ? { type: 'give-up' } : { type: 'open' }
    if (kind === 'io' || kind === 'disk-full') {
      return this.#isSame(kind, now) ? { type: 'pause', ms: PAUSE_MS } : { type: 'open' }
    }
    const losses = addRestart(this.#losses, now, RESTARTS)
    if (losses === undefined) return { type: 'give-up' }
    this.#losses = losses
    return { type: 'open' }
  }

  #isSame(kind: JournalFault['kind'], at: number): boolean {
    const last = this.#lastFault
    this.#lastFault = { kind, at }
    return last?.kind === kind && at - last.at < SAME_FAULT_MS
  }
}
