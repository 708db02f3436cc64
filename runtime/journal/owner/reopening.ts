import { addRestart } from '../../../lib/supervision.ts'
import { RETRY_MS } from './probe.ts'
import type { JournalFault } from '../protocol.ts'

/** More journal threads than this lost in this time for no fault of the disk, and the runtime cannot go on. */
export const RESTARTS = { restarts: 3, withinMs: 10_000 }

/** A disk that fails again sooner than this has not come back, whatever it took in between. */
const SAME_FAULT_MS = 10_000

/** Nor has one that took nothing in between: it may be slow to fail. So it is with damage, which may be met only now and then. */
const SAME_SLOWLY_MS = 10 * 60_000

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
  #lastFault: { readonly at: number; readonly writes: number } | undefined
  #damagedAt = Number.NEGATIVE_INFINITY

  /** `writes`: how often the disk has taken something so far, by which it is known whether it did so since the last fault. */
  next(kind: JournalFault['kind'] | undefined, now: number, writes: number): Step {
    if (kind === 'lost') return { type: 'give-up' }
    if (kind === 'corrupt') return this.#damaged(now)
    if (kind === 'io' || kind === 'disk-full') return this.#failed(now, writes)
    const losses = addRestart(this.#losses, now, RESTARTS)
    if (losses === undefined) return { type: 'give-up' }
    this.#losses = losses
    return { type: 'open' }
  }

  #damaged(now: number): Step {
    const last = this.#damagedAt
    this.#damagedAt = now
    return { type: now - last < SAME_SLOWLY_MS ? 'give-up' : 'open' }
  }

  #failed(at: number, writes: number): Step {
    const last = this.#lastFault
    this.#lastFault = { at, writes }
    const within = writes === last?.writes ? SAME_SLOWLY_MS : SAME_FAULT_MS
    return last !== undefined && at - last.at < within ? { type: 'pause', ms: RETRY_MS } : { type: 'open' }
  }
}
