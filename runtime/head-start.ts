import { availableParallelism } from 'node:os'
import { type Clock, systemClock } from '../lib/clock.ts'
import { type Config, resolveConfig, type RuntimeOptions } from './config/config.ts'
import type { EarlyWorker } from './journal/owner/early-worker.ts'
import { EarlyThreads } from './places/threads/early-threads.ts'
import { TierPool } from './places/threads/tier-pool.ts'

/** The threads that a runtime needs first, which load what they need while the service loads the rest of it. */
export class HeadStart {
  readonly config: Config
  readonly journal: EarlyWorker
  readonly threads: EarlyThreads

  constructor(options: RuntimeOptions, journal: EarlyWorker) {
    this.config = resolveConfig(options)
    this.journal = journal
    this.threads = earlyThreads(this.config, systemClock)
    this.threads.start()
  }

  /** Ends what nobody has taken. */
  async end(): Promise<void> {
    await Promise.all([this.journal.end(), this.threads.close()])
  }
}

/** For the first seats of each place: as many threads as find a processor beside the journal's, and one at least. */
export function earlyThreads({ places, modules }: Config, clock: Clock): EarlyThreads {
  const placesOnThreads = places.filter(({ threads }) => threads > 0).length
  const each = Math.max(1, Math.floor((availableParallelism() - 1) / placesOnThreads))
  const seats = places.map(({ threads, maxHeapMb }, place) => ({
    place,
    threads: Math.min(threads, each),
    open: () => new TierPool(1, { modules }, { maxHeapMb, clock }),
  }))
  return new EarlyThreads(seats)
}
