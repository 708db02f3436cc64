import type { Clock } from '../../../lib/clock.ts'
import type { RecycleLimits } from '../../../lib/recycle.ts'
import type { SizeLimits } from '../../../lib/sizing.ts'
import type { Catalog } from '../../catalog.ts'
import type { ChildPort, PlaceListener } from '../../messages.ts'
import type { SeatsOptions } from './seats.ts'
import type { ThreadBudget } from './thread-budget.ts'
import type { EarlyThreads } from './early-threads.ts'
import type { JournalFacts, ThreadData } from '../thread-protocol.ts'

export interface ThreadPlaceOptions {
  readonly name: string
  readonly kind: 'tier' | 'lane'
  /** Its index among all places. */
  readonly index: number
  readonly threads: SizeLimits
  /** Jobs at once on each thread: 1 on a tier. */
  readonly concurrency: number
  readonly handJobs: number
  readonly handBytes: number
  readonly maxHeapMb: number | undefined
  /** What a run may take, in ms, where promotion says so. */
  readonly budgetMs?: number | undefined
  /** With limits there is one thread more, which is ready to take the place of any other. */
  readonly recycle: RecycleLimits | undefined
  /** The first of its records in the starts file. */
  readonly firstStart: number
  /** Jobs in one message to a thread, where that is not left to the place: to compare with. */
  readonly batchJobs?: number
}

export interface PlaceContext {
  readonly clock: Clock
  readonly catalog: Catalog
  readonly listener: PlaceListener
  readonly children: ChildPort
  readonly thread: ThreadData
  readonly journal: JournalFacts
  readonly early: EarlyThreads
  readonly budget: ThreadBudget
  /** As many new records in the starts file: the number of the first. */
  takeStarts(records: number): number
}

/** The seats that it starts with, of so many slots each. */
export function seatsAtFirst(options: ThreadPlaceOptions, slots: number): Omit<SeatsOptions, 'open' | 'takeStarts'> {
  const { threads, recycle, concurrency, firstStart } = options
  return {
    threads: threads.min,
    spare: recycle === undefined ? 0 : 1,
    starts: { first: firstStart, seats: seatsAtMost(options), each: concurrency === 1 ? 1 : slots },
  }
}

/** Seats that have their records in the layout of the starts file. */
function seatsAtMost({ threads, recycle }: ThreadPlaceOptions): number {
  return threads.max + (recycle === undefined ? 0 : 1)
}
