import type { Behavior } from '../../lib/actor.ts'
import type { Clock, Timer } from '../../lib/clock.ts'
import type { UpkeepMessage } from '../messages.ts'
import type { Answer, Request } from '../journal/protocol.ts'

export interface UpkeepJournal {
  nudge(): void
  request(request: Request): Promise<Answer>
}

export interface UpkeepOptions {
  readonly clock: Clock
  readonly journal: UpkeepJournal
  readonly maxResults: number
  readonly maxEnded: number
  /** Bounds of tasks that keep a history, by task index. */
  histories(): readonly { readonly task: number; readonly max: number }[]
  readonly onError: (error: unknown) => void
}

const SWEEP_MS = 5_000
/** After sweeps that found nothing. */
const RARE_SWEEP_MS = 60_000
const SWEEP_JOBS = 500

/**
 * Suspects wait this long after a start and between trials. A process that somebody kills over and over does not live
 * long enough for one, so that no job is blamed for it.
 */
const TRIAL_MS = 1_000

/** What happens because time passes: jobs become due, retention ends. One timer each, however many jobs there are. */
export class Upkeep implements Behavior<UpkeepMessage> {
  readonly #options: UpkeepOptions
  #due: Timer | undefined
  #dueAt: number | undefined
  #sweep: Timer | undefined
  #trial: Timer | undefined
  #status: 'running' | 'stopped' = 'running'

  constructor(options: UpkeepOptions) {
    this.#options = options
  }

  start(): void {
    this.#planSweep(SWEEP_MS)
  }

  receive(message: UpkeepMessage): void {
    switch (message.type) {
      case 'next-due':
        return this.#nextDueAt(message.at)
      case 'suspects':
        return this.#suspects(message.count)
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
    if (count === 0 || this.#trial !== undefined || this.#status === 'stopped') return
    this.#trial = this.#options.clock.setTimer(TRIAL_MS, () => {
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

  async #runSweep(): Promise<{ readonly count: number; readonly more: 'yes' | 'no' }> {
    const { journal, maxResults, maxEnded, histories } = this.#options
    const answer = await journal.request({
      type: 'sweep',
      limit: SWEEP_JOBS,
      maxResults,
      maxEnded,
      histories: histories(),
    })
    return answer.type === 'many' ? answer : NOTHING_SWEPT
  }
}

const NOTHING_SWEPT = { count: 0, more: 'no' } as const
