import type { Clock } from '../../lib/clock.ts'
import type { Catalog } from '../catalog.ts'
import type { ClaimedJob, PlaceListener, Start } from '../messages.ts'

/** An attempt that has begun; what it is is the same object at each look. */
export interface BegunAttempt<E = { readonly job: ClaimedJob }> {
  readonly entry: E
  /** Monotonic ms. */
  readonly startedAt: number
}

export interface StartNewsContext {
  readonly clock: Clock
  readonly catalog: Catalog
  readonly listener: Pick<PlaceListener, 'started'>
}

/** Tells starts of jobs that have a rate, each once. */
export class StartNews {
  readonly #context: StartNewsContext
  readonly #told = new WeakSet<BegunAttempt['entry']>()

  constructor(context: StartNewsContext) {
    this.#context = context
  }

  tell(begun: Iterable<BegunAttempt>): void {
    const { catalog, clock, listener } = this.#context
    const starts: Start[] = []
    for (const { entry, startedAt } of begun) {
      if (!catalog.isRated(entry.job.task) || this.#told.has(entry)) continue
      this.#told.add(entry)
      starts.push({ number: entry.job.number, at: startedAt + clock.now() - clock.monotonicMs() })
    }
    if (starts.length > 0) listener.started(starts)
  }
}
