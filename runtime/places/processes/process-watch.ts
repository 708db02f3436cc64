import type { Clock } from '../../../lib/clock.ts'
import type { Outcome } from '../../../lib/outcome.ts'
import type { ClaimedJob } from '../../messages.ts'
import { hardLimitOutcome } from '../ends.ts'
import { Looks } from '../looks.ts'
import type { ProcessLife } from './process-life.ts'
import type { BegunAttempt, StartNews } from '../start-news.ts'

/** A process that has not begun its job after this long is held up by something else, and is replaced. */
const BEGIN_MS = 10_000

export interface ProcessWatchOptions {
  readonly clock: Clock
  readonly starts: StartNews
  lives(): Iterable<ProcessLife>
  /** Ends a process; `verdict` is what becomes of its job, if that has begun. */
  end(life: ProcessLife, verdict: Outcome | undefined): void
  /** A job that has not ended has run for so long. */
  runs(job: ClaimedJob, ms: number): void
}

/** Keeps the jobs of processes to their limits. */
export class ProcessWatch {
  readonly #options: ProcessWatchOptions
  readonly #looks: Looks

  constructor(options: ProcessWatchOptions) {
    this.#options = options
    const { clock, lives, starts } = options
    this.#looks = new Looks({
      clock,
      wanted: () => [...lives()].some(({ entry }) => entry !== undefined),
      look: () => {
        const now = clock.monotonicMs()
        starts.tell(begunOn(lives()))
        for (const life of lives()) this.#enforce(life, now)
      },
    })
  }

  /** Looks from now on for as long as any of them has a job. */
  start(): void {
    this.#looks.start()
  }

  stop(): void {
    this.#looks.stop()
  }

  #enforce(life: ProcessLife, now: number): void {
    const { entry } = life
    if (entry === undefined || life.status === 'ending') return
    const { begunAt, limits } = entry
    if (begunAt === undefined) {
      if (now - entry.sentAt > BEGIN_MS) this.#options.end(life, undefined)
      return
    }
    this.#options.runs(entry.job, now - begunAt)
    if (now - begunAt >= limits.softLimitMs) life.ask('soft-limit')
    if (now - begunAt >= limits.hardLimitMs) this.#options.end(life, hardLimitOutcome(entry))
  }
}

function* begunOn(lives: Iterable<ProcessLife>): Generator<BegunAttempt> {
  for (const { entry } of lives) {
    if (entry?.begunAt !== undefined) yield { entry, startedAt: entry.begunAt }
  }
}
