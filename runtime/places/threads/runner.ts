import type { Clock } from '../../../lib/clock.ts'
import type { Outcome } from '../../../lib/outcome.ts'
import { Ring } from '../../../lib/ring.ts'
import { take } from '../../../lib/slot-word.ts'
import type { StartsWriter } from '../../journal/files/starts.ts'
import { type Attribute, callHandler, failure, PLAIN_SUCCESS } from '../attempt/attempt.ts'
import { AttemptContext, type AttemptHost } from '../attempt/attempt-context.ts'
import type { Handlers } from '../attempt/handlers.ts'
import type { Slots } from '../slots.ts'
import type { AbortReason, Batch } from '../thread-protocol.ts'

/** After this long without a turn of the loop the thread lets its port and its timers have one. */
const SLICE_MS = 5

/** Marks are reported at least after this many, so that the place refills before the thread runs dry. */
const REPORT_EVERY = 32

interface Offered {
  readonly slot: number
  readonly generation: number
  readonly batch: Batch
  readonly at: number
}

export interface RunnerOptions {
  readonly slots: Slots
  readonly concurrency: number
  readonly handlers: Handlers
  readonly host: AttemptHost
  readonly starts: StartsWriter | undefined
  readonly clock: Clock
  /** Posts an outcome that is more than a plain success; called before the slot is marked. */
  outcome(slot: number, generation: number, outcome: Outcome): void
  /** A condemned attempt has ended after all: its slot is free for another. */
  gaveBack(slot: number, generation: number): void
  /** Slots have been marked. */
  progressed(): void
  readonly attribute: Attribute
}

/** The thread's side of its slots: takes what was offered, in order, unless it was taken back; runs it; marks it. */
export class Runner {
  readonly #options: RunnerOptions
  readonly #queue = new Ring<Offered>()
  readonly #running = new Map<number, AttemptContext>()
  #pumping: 'yes' | 'no' = 'no'
  #status: 'serving' | 'parked' = 'serving'
  #unreported = 0
  #sliceEndsAt = 0

  constructor(options: RunnerOptions) {
    this.#options = options
  }

  add(batch: Batch): void {
    for (let at = 0; at < batch.slots.length; at++) {
      this.#queue.push({
        slot: batch.slots[at] as number,
        generation: batch.generations[at] as number,
        batch,
        at,
      })
    }
    this.#beginSlice()
    this.#pump()
  }

  abort(slot: number, generation: number, reason: AbortReason): void {
    const context = this.#running.get(slot)
    if (context?.generation === generation) context.abort(reason)
  }

  #pump(): void {
    if (this.#pumping === 'yes') return
    this.#pumping = 'yes'
    while (this.#running.size < this.#options.concurrency && this.#status === 'serving') {
      const next = this.#queue.shift()
      if (next === undefined) break
      if (this.#start(next) > this.#sliceEndsAt) return this.#pumpLater()
    }
    this.#pumping = 'no'
    if (this.#queue.length === 0) this.#report()
  }

  #pumpLater(): void {
    this.#report()
    this.#options.clock.setImmediate(() => {
      this.#beginSlice()
      this.#pumping = 'no'
      this.#pump()
    })
  }

  #beginSlice(): void {
    this.#sliceEndsAt = this.#options.clock.monotonicMs() + SLICE_MS
  }

  /** Returns when the job was started, or would have been. */
  #start({ slot, generation, batch, at }: Offered): number {
    const { slots, clock, host } = this.#options
    const startedAt = clock.monotonicMs()
    const number = batch.numbers[at] as number
    slots.begin(slot, startedAt)
    if (take(slots.words, slot, generation) === 'lost') return startedAt
    const task = batch.tasks[at] as string
    const overrides = batch.overrides[at] ?? null
    const attempt = (batch.attempts[at] as number) + 1
    const context = new AttemptContext(host, { number, task, attempt, overrides, slot, generation })
    this.#running.set(slot, context)
    const outcome = this.#call(context, batch.inputs[at] as string, batch.claims[at] as number)
    if (outcome instanceof Promise) void outcome.then((settled) => this.#ended(context, settled))
    else this.#ended(context, outcome)
    return startedAt
  }

  /** Throws nothing: the jobs that come after this one would never start. */
  #call(context: AttemptContext, input: string, claim: number): Outcome | Promise<Outcome> {
    const { concurrency, starts, handlers, attribute } = this.#options
    try {
      // A thread that runs one job at a time has one record, which its next job overwrites; else each slot has its own.
      starts?.begin(concurrency === 1 ? 0 : context.slot, context.number, claim)
      return callHandler(handlers, input, context, attribute)
    } catch (error) {
      return failure(error)
    }
  }

  #ended(context: AttemptContext, outcome: Outcome): void {
    const { slot, generation } = context
    context.end()
    if (outcome !== PLAIN_SUCCESS) this.#tell(slot, generation, outcome)
    this.#running.delete(slot)
    const { slots, clock } = this.#options
    if (slots.finish(slot, generation, clock.monotonicMs()) === 'lost') this.#lost(context)
    else if (++this.#unreported >= REPORT_EVERY) this.#report()
    this.#pump()
  }

  #tell(slot: number, generation: number, outcome: Outcome): void {
    try {
      this.#options.outcome(slot, generation, outcome)
    } catch (error) {
      // It cannot be posted: what is said instead is plain.
      this.#options.outcome(slot, generation, failure(error))
    }
  }

  /**
   * The place has condemned the attempt and answers for it. A thread that runs one job at a time is about to be
   * terminated: it takes no other, which would be cut off without having done anything.
   */
  #lost(context: AttemptContext): void {
    context.giveUp()
    if (this.#options.concurrency === 1) this.#status = 'parked'
    this.#options.gaveBack(context.slot, context.generation)
  }

  #report(): void {
    if (this.#unreported === 0) return
    this.#unreported = 0
    this.#options.progressed()
  }
}
