import type { Behavior } from '../../lib/actor.ts'
import type { Clock } from '../../lib/clock.ts'
import type { ChildJob, Outcome } from '../../lib/outcome.ts'
import type { CustomBackoffs } from '../../lib/retry.ts'
import type { Catalog } from '../catalog.ts'
import type { SettleEntry } from '../journal/owner/gather.ts'
import type { JobColumns, Settle } from '../journal/protocol.ts'
import type { Ended, EndedGroup, SettlerMessage, TakenClaim } from '../messages.ts'
import { type Circumstances, decide, undecidable } from './decide.ts'
import { settleTaken } from './taken.ts'

/** Where settles go. */
export interface SettleSink {
  finish(ended: Ended): void
  settle(entry: SettleEntry): void
  taskIndex(name: string): number | undefined
  learn(names: readonly string[], patience: 'some'): Promise<void>
}

/** What is different where jobs go to other machines, and come from them. */
export interface SettlesAcross {
  /** How long a job may be away. */
  readonly awayMs: number
  /** A delay of at least so much is the broker's to keep; `undefined`: none is. */
  readonly stepMs: number | undefined
  /** The delivery that a job was, if it was one. */
  takenOf(number: number): TakenClaim | undefined
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
  /** Absent without a broker. */
  readonly crossing?: SettlesAcross
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
    const circumstances = this.#circumstances()
    for (const ended of jobs) {
      const unknown = this.#unknownChildren(ended.outcome)
      if (unknown.length > 0) this.#learnFirst(unknown, { place, ended: [ended] })
      else this.#settleOne(ended, circumstances)
    }
  }

  /** What cannot be decided costs only its own job: told again to the next settler, it would bring that one down too. */
  #settleOne(ended: Ended, circumstances: Circumstances): void {
    let decision: Settle | 'finish'
    try {
      decision = decide(ended, circumstances)
    } catch (error) {
      const { now, keepEndedMs } = circumstances
      const undecided = undecidable(ended, error, { now, keepEndedMs })
      return this.#write(undecided.ended, undecided.settle, now)
    }
    this.#write(ended, decision, circumstances.now)
  }

  #write(ended: Ended, decision: Settle | 'finish', now: number): void {
    const { journal, crossing } = this.#options
    const taken = crossing?.takenOf(ended.job.number)
    if (taken !== undefined)
      journal.settle({ ended, settle: settleTaken(decision, ended, taken, { now, stepMs: crossing?.stepMs }) })
    else if (decision === 'finish') journal.finish(ended)
    else journal.settle({ ended, settle: decision })
  }

  #circumstances(): Circumstances {
    const { clock, crossing, catalog, customs, keepEndedMs, random, wishes } = this.#options
    return {
      now: clock.now(),
      keepEndedMs,
      ...(crossing !== undefined && { awayMs: crossing.awayMs }),
      customs,
      random,
      manifestOf: (job) => catalog.of(job),
      wishOf: ({ number }) => (wishes.size > 0 && wishes.has(number) ? 'cancel' : undefined),
      children: (outcome) => this.#columnsOf(outcome.children ?? []),
    }
  }

  /** Meanwhile it is among what is not settled: a reroute would else give back a job that has run. */
  #learnFirst(names: readonly string[], group: EndedGroup): void {
    const { journal, unsettled } = this.#options
    unsettled.add(group)
    const learning = journal.learn(names, 'some').then(() => {
      this.#learning.delete(learning)
      // Where it has not learned them it has ended: nothing will be written any more.
      const known = names.every((name) => journal.taskIndex(name) !== undefined)
      // Unless another settler has taken it over.
      if (known && unsettled.has(group)) this.receive({ type: 'ended', group })
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
