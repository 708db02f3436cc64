import { type Delivery, DONE } from '../../lib/broker.ts'
import type { Clock } from '../../lib/clock.ts'
import type { MillraceError } from '../../lib/errors.ts'
import { decodeOutcomes, type HomewardOutcome } from '../../lib/homeward.ts'
import type { SettleEntry } from '../journal/owner/gather.ts'
import type { OutcomeAtHome } from '../journal/protocol.ts'
import { entryOf, outcomeAtHome } from './outcome-at-home.ts'

export interface HomecomingOptions {
  readonly clock: Clock
  journalName(): string
  taskIndex(name: string): number | undefined
  /** One answer each; rejects while the journal writes nothing. */
  comeHome(outcomes: readonly OutcomeAtHome[]): Promise<readonly ('came' | 'stale' | 'failed')[]>
  /** These are committed. */
  committed(entries: readonly SettleEntry[]): void
  /** It is of no job that waits for it: it came twice, or too late, or is no message of ours. */
  dropped(id: string | undefined, error: Error | undefined): void
  failed(error: Error): void
}

const AGAIN_MS = 1_000
/** Messages of outcomes at once, each of up to 200. */
export const HOME_PREFETCH = 20

/** Takes outcomes that come home into the journal; only then the broker is told. */
export class Homecoming {
  readonly #options: HomecomingOptions
  readonly #underWay = new Set<Promise<void>>()

  constructor(options: HomecomingOptions) {
    this.#options = options
  }

  deliver(delivery: Delivery): void {
    const taken = this.#take(delivery)
      .catch((error: Error) => {
        this.#options.failed(error)
        // It stays unsettled until the journal takes it.
        this.#options.clock.setTimer(AGAIN_MS, () => this.deliver(delivery)).unref()
      })
      .finally(() => this.#underWay.delete(taken))
    this.#underWay.add(taken)
  }

  /** Resolves when what has come is written, and the broker was told: what it is not told of comes again. */
  async taken(): Promise<void> {
    await Promise.all(this.#underWay)
  }

  async #take(delivery: Delivery): Promise<void> {
    const outcomes = this.#read(delivery)
    if (outcomes.length > 0) await this.#apply(outcomes)
    await delivery.from.settle([{ delivery, verdict: DONE }])
  }

  #read(delivery: Delivery): readonly HomewardOutcome[] {
    try {
      return decodeOutcomes(delivery.body)
    } catch (error) {
      this.#options.dropped(undefined, error as MillraceError)
      return []
    }
  }

  async #apply(outcomes: readonly HomewardOutcome[]): Promise<void> {
    const { clock, comeHome, committed, dropped, journalName, taskIndex } = this.#options
    const now = clock.now()
    const known: { readonly outcome: HomewardOutcome; readonly came: OutcomeAtHome; readonly task: number }[] = []
    for (const outcome of outcomes) {
      const came = outcomeAtHome(outcome, journalName(), now)
      const task = taskIndex(outcome.task)
      if (came === undefined || task === undefined) dropped(outcome.id, undefined)
      else known.push({ outcome, came, task })
    }
    if (known.length === 0) return
    const answers = await comeHome(known.map(({ came }) => came))
    const entries: SettleEntry[] = []
    known.forEach(({ outcome, came, task }, at) => {
      if (answers[at] === 'came') entries.push(entryOf(outcome, came, task, now))
      else dropped(outcome.id, undefined)
    })
    committed(entries)
  }
}
