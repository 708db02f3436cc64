import type { Behavior } from '../../lib/actor.ts'
import type { Clock } from '../../lib/clock.ts'
import type { ChildJob, Outcome } from '../../lib/outcome.ts'
import type { Catalog } from '../catalog.ts'
import type { SettleEntry } from '../journal/gather.ts'
import type { JobColumns } from '../journal/protocol.ts'
import type { Ended, EndedGroup, SettlerMessage } from '../messages.ts'
import { type CustomBackoffs, decide } from './decide.ts'

/** Where settles go. */
export interface SettleSink {
  finish(ended: Ended): void
  settle(entry: SettleEntry): void
  taskIndex(name: string): number | undefined
  learn(names: readonly string[]): Promise<void>
}

export interface SettlerOptions {
  readonly clock: Clock
  readonly catalog: Catalog
  readonly journal: SettleSink
  /** Jobs that somebody wants cancelled while they run. */
  readonly wishes: ReadonlySet<number>
  /** Groups that were told and not taken yet, by this settler or by one before it. */
  readonly unsettled: Set<EndedGroup>
  readonly customs: CustomBackoffs
  readonly keepEndedMs: number
  random(): number
}

/** Decides what outcomes come to and hands them to the journal. A new settler begins with what the last one left. */
export class Settler implements Behavior<SettlerMessage> {
  readonly #options: SettlerOptions
  readonly #learning = new Set<Promise<void>>()

  constructor(options: SettlerOptions) {
    this.#options = options
  }

  start(): void {
    this.#takeRest()
  }

  /** What was told and not read is an outcome all the same: it is written before the journal closes. */
  async stop(): Promise<void> {
    this.#takeRest()
    await Promise.all(this.#learning)
  }

  receive({ group }: SettlerMessage): void {
    this.#settle(group)
    this.#options.unsettled.delete(group)
  }

  #takeRest(): void {
    const rest = [...this.#options.unsettled]
    // What has to be learned first stands among them again.
    for (const group of rest) this.receive({ type: 'ended', group })
  }

  #settle({ place, ended: jobs }: EndedGroup): void {
    const { journal, catalog, clock, customs, keepEndedMs, random, wishes } = this.#options
    const now = clock.now()
    for (const ended of jobs) {
      const unknown = this.#unknownChildren(ended.outcome)
      if (unknown.length > 0) {
        this.#learnFirst(unknown, { place, ended: [ended] })
        continue
      }
      const decision = decide(ended, {
        now,
        manifest: catalog.of(ended.job),
        wish: wishes.size > 0 && wishes.has(ended.job.number) ? 'cancel' : undefined,
        keepEndedMs,
        customs,
        random,
        children: (outcome) => this.#columnsOf(outcome.children ?? []),
      })
      if (decision === 'finish') journal.finish(ended)
      else journal.settle({ ended, settle: decision })
    }
  }

  /** Meanwhile it is among what is not settled: a reroute would else give back a job that has run. */
  #learnFirst(names: readonly string[], group: EndedGroup): void {
    const { journal, unsettled } = this.#options
    unsettled.add(group)
    const learning = journal.learn(names).then(() => {
      this.#learning.delete(learning)
      // Unless another settler has taken it over.
      if (unsettled.has(group)) this.receive({ type: 'ended', group })
    })
    this.#learning.add(learning)
  }

  /** Tasks of children that the journal has no index for yet. */
  #unknownChildren(outcome: Outcome): string[] {
    if (outcome.type !== 'succeeded' || outcome.children === undefined) return NO_NAMES
    const { journal } = this.#options
    return outcome.children.map(({ task }) => task).filter((task) => journal.taskIndex(task) === undefined)
  }

  #columnsOf(children: readonly ChildJob[]): JobColumns {
    const { journal } = this.#options
    return {
      numbers: children.map((child) => child.number),
      tasks: children.map((child) => journal.taskIndex(child.task) as number),
      inputs: children.map((child) => child.input),
      extras: children.some((child) => child.extra !== null) ? children.map((child) => child.extra) : null,
    }
  }
}

const NO_NAMES: string[] = []
