import type { Clock } from '../../lib/clock.ts'
import type { ClaimedJob } from '../messages.ts'

/** So few do not keep their places busy for long, and there is time to look after their callers first. */
const FEW = 16

export interface ArrivalsOptions {
  readonly clock: Clock
  /** Claims that were told and not read yet: whoever looks for a claim finds it there. */
  readonly undispatched: Map<readonly ClaimedJob[], number | undefined>
  isForTier(job: ClaimedJob): boolean
  tell(jobs: readonly ClaimedJob[]): void
}

/**
 * Claims between the journal and the dispatcher. A few for a tier wait for the end of the loop's turn: what their callers
 * do next, often another enqueue, is on its way to the journal then. Else the thread that runs them and the one that
 * commits would be woken together, and keep each other and the loop from the processors: one enqueue after another, with
 * a no-op to run for each, took an eighth longer so (docs/performance.md). A lane of this loop wakes nobody.
 */
export class Arrivals {
  readonly #options: ArrivalsOptions
  #waiting: (readonly ClaimedJob[])[] = []

  constructor(options: ArrivalsOptions) {
    this.#options = options
  }

  add(jobs: readonly ClaimedJob[]): void {
    const { clock, undispatched, isForTier } = this.#options
    undispatched.set(jobs, undefined)
    this.#waiting.push(jobs)
    if (jobs.length > FEW || !jobs.some(isForTier)) return this.#tell()
    if (this.#waiting.length === 1) clock.setImmediate(() => this.#tell())
  }

  #tell(): void {
    for (const jobs of this.#waiting.splice(0)) this.#options.tell(jobs)
  }
}
