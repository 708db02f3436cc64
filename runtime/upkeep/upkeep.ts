import type { Behavior } from '../../lib/actor.ts'
import type { Clock, Timer } from '../../lib/clock.ts'
import type { UpkeepMessage } from '../messages.ts'
import type { HistoryBound } from '../journal/store/history.ts'
import type { Answer, GivenUp, Request } from '../journal/protocol.ts'

export interface UpkeepJournal {
  /** As of its last commit, of which an upkeep that starts has not heard. */
  readonly nextDueAt: number | undefined
  readonly suspects: number
  /** How often the disk has taken jobs or their ends so far. */
  readonly writes: number
  nudge(): void
  request(request: Request): Promise<Answer>
}

export interface UpkeepOptions {
  readonly clock: Clock
  readonly journal: UpkeepJournal
  readonly maxResults: number
  readonly maxEnded: number
  histories(): readonly HistoryBound[]
  readonly onError: (error: unknown) => void
  /** What becomes of jobs that were away for too long; absent without a broker. */
  readonly away?: { gaveUp(jobs: readonly GivenUp[]): void }
}

const SWEEP_MS = 5_000
/** After sweeps that found nothing. */
const RARE_SWEEP_MS = 60_000
/** Where nothing was written since, and nobody's time is over sooner. */
const IDLE_SWEEP_MS = 600_000
const SWEEP_JOBS = 500

/** Suspects wait this long after a start and between trials, so that ordinary work comes first. */
const TRIAL_MS = 200
/** After a trial for which no process could be started. */
const POSTPONED_TRIAL_MS = 60_000

/** What happens because time passes: jobs become due, retention ends. One timer each, however many jobs there are. */
export class Upkeep implements Behavior<UpkeepMessage> {
  readonly #options: UpkeepOptions
  #due: Timer | undefined
  #dueAt: number | undefined
  #sweep: Timer | undefined
  #trial: Timer | undefined
  /** Until when the journal needs no sweep while it is not written to. */
  #sweptUntil = 0
  #sweptWrites = 0
  #status: 'running' | 'stopped' = 'running'

  constructor(options: UpkeepOptions) {
    this.#options = options
  }

  start(): void {
    const { journal } = this.#options
    this.#nextDueAt(journal.nextDueAt)
    this.#suspects(journal.suspects)
    this.#planSweep(SWEEP_MS)
  }

  receive(message: UpkeepMessage): void {
    switch (message.type) {
      case 'next-due':
        return this.#nextDueAt(message.at)
      case 'suspects':
        return this.#suspects(message.count)
      case 'trial-postponed':
        this.#trial?.cancel()
        return this.#planTrial(POSTPONED_TRIAL_MS)
    }
  }

  /** When the journal has something to do next, as of its last commit. */
  #nextDueAt(at: number | undefined): void {
    if (at === this.#dueAt || this.#status === 'stopped') return
    this.#due?.cancel()
    this.#dueAt = at
    if (at === undefined) return
    this.#due = this.#options.clock.setAlarm(at, () => {
      this.#dueAt = undefined
      this.#options.journal.nudge()
    })
  }

  /** How many jobs wait for their trial, as of the journal's last commit. */
  #suspects(count: number): void {
    if (count > 0 && this.#trial === undefined) this.#planTrial(TRIAL_MS)
  }

  #planTrial(afterMs: number): void {
    if (this.#status === 'stopped') return
    this.#trial = this.#options.clock.setTimer(afterMs, () => {
      this.#trial = undefined
      this.#options.journal.request({ type: 'trial' }).catch(this.#options.onError)
    })
  }

  stop(): void {
    this.#trial?.cancel()
    this.#status = 'stopped'
    this.#due?.cancel()
    this.#sweep?.cancel()
  }

  #planSweep(afterMs: number): void {
    if (this.#status === 'stopped') return
    this.#sweep = this.#options.clock.setTimer(afterMs, () => {
      if (this.#isSwept()) return this.#planSweep(RARE_SWEEP_MS)
      this.#runSweep().then(
        ({ count, more }) => {
          if (more === 'yes') this.#planSweep(0)
          else this.#planSweep(count > 0 ? SWEEP_MS : Math.min(afterMs + SWEEP_MS, RARE_SWEEP_MS))
        },
        (error: unknown) => {
          this.#options.onError(error)
          this.#planSweep(SWEEP_MS)
        },
      )
    })
    this.#sweep.unref()
  }

  #isSwept(): boolean {
    const { clock, journal } = this.#options
    return journal.writes === this.#sweptWrites && clock.now() < this.#sweptUntil
  }

  async #runSweep(): Promise<Swept> {
    const { clock, journal, maxResults, maxEnded, away } = this.#options
    const histories = this.#options.histories()
    this.#sweptWrites = journal.writes
    const answer = await journal.request({
      type: 'sweep',
      limit: SWEEP_JOBS,
      maxResults,
      maxEnded,
      histories,
    })
    const given = await this.#giveUpAway()
    if (answer.type !== 'swept') return given
    const hasAllTold = away === undefined && histories.length === 0
    this.#sweptUntil = hasAllTold ? Math.min(clock.now() + IDLE_SWEEP_MS, answer.nextAt ?? Number.POSITIVE_INFINITY) : 0
    return { count: answer.count + given.count, more: answer.more === 'yes' ? 'yes' : given.more }
  }

  async #giveUpAway(): Promise<Swept> {
    const { away, journal } = this.#options
    if (away === undefined) return NOTHING_SWEPT
    const answer = await journal.request({ type: 'give-up-away', limit: SWEEP_JOBS })
    if (answer.type !== 'given-up' || answer.jobs.length === 0) return NOTHING_SWEPT
    away.gaveUp(answer.jobs)
    return { count: answer.jobs.length, more: answer.jobs.length < SWEEP_JOBS ? 'no' : 'yes' }
  }
}

interface Swept {
  readonly count: number
  readonly more: 'yes' | 'no'
}

const NOTHING_SWEPT: Swept = { count: 0, more: 'no' }
