import type { Outcome } from '../../../lib/outcome.ts'
import { hardLimitOutcome, NEIGHBOUR, stalledOutcome } from '../ends.ts'
import type { Entry, Incarnation } from './incarnation.ts'

/**
 * The loop of a lane's thread at the end of one of its jobs: who answers for it if it stands still. The job whose handler
 * has not returned holds it, and is charged for it at its own limit, each time; those that wait for it go back uncharged.
 * Code after an await has no name from outside: then all are charged, since one that spins would run again for ever.
 */
export class SharedLoop {
  readonly #thread: Incarnation
  readonly #now: number
  /** 0 while it turns. */
  readonly #stillMs: number
  readonly #holder: Entry | 'given-up' | undefined

  constructor(thread: Incarnation, now: number, stillMs: number) {
    this.#thread = thread
    this.#now = now
    this.#stillMs = stillMs
    this.#holder = thread.holder
  }

  /** Of the attempt that is to end: a limit that it came to while it waited for another job is not its own fault. */
  verdictOn(entry: Entry, verdict: Outcome): Outcome {
    if (verdict.type !== 'failed' || this.#holder === undefined || this.#holder === entry) return verdict
    return 2 * this.#stillMs >= this.#ranMs(entry) ? NEIGHBOUR : verdict
  }

  /** Whether it goes on without the attempt that is to end; else nothing but the end of its thread ends that. */
  turnsWithout(entry: Entry, verdict: Outcome): boolean {
    // A handler that somebody cancels may be about to return, and is over no limit.
    if (this.#holder === entry) return this.#stillMs === 0 && verdict.type === 'cancelled'
    // While another job holds it within its limit, it is that one's end that is waited for.
    return this.#stillMs === 0 || (this.#holder !== undefined && this.#holder !== 'given-up')
  }

  /** Ends it where it stands still for a job that was given up before. Nobody else is charged for that. */
  endBehindGivenUp(terminate: () => void): void {
    if (this.#holder !== 'given-up' || this.#stillMs === 0) return
    terminate()
    for (const entry of this.#thread.entries) this.#thread.condemn(entry, NEIGHBOUR)
  }

  /** Takes the right to finish from all others that run, at the end of their thread. */
  condemnBeside(entry: Entry, verdict: Outcome): void {
    for (const other of this.#thread.entries) {
      if (other !== entry) this.#thread.condemn(other, this.#verdictBeside(entry, verdict, other))
    }
  }

  #verdictBeside(entry: Entry, verdict: Outcome, other: Entry): Outcome {
    // Whoever cancels a job does not want to charge another.
    if (this.#holder !== undefined || verdict.type === 'cancelled') return NEIGHBOUR
    return this.#ranMs(other) >= other.limits.hardLimitMs ? hardLimitOutcome(other) : stalledOutcome(entry.task)
  }

  #ranMs(entry: Entry): number {
    return this.#now - this.#thread.startedAt(entry)
  }
}
