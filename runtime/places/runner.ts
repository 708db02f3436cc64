import type { Clock } from '../../lib/clock.ts'
import { toErrorRecord } from '../../lib/error-record.ts'
import type { Outcome } from '../../lib/outcome.ts'
import { Ring } from '../../lib/ring.ts'
import { finish, take } from '../../lib/slot-word.ts'
import type { LoadedHandler } from '../../lib/task.ts'
import type { StartsWriter } from '../journal/starts.ts'
import { PLAIN_SUCCESS, runAttempt } from './attempt.ts'
import { AttemptContext, type AttemptHost } from './attempt-context.ts'
import type { Handlers } from './handlers.ts'
import type { Slots } from './slots.ts'
import type { AbortReason, Batch } from './thread-protocol.ts'

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
  /** Runs a handler so that what it leaves behind can be told from others'. */
  attribute<T>(context: AttemptContext, run: () => T): T
}

/** The thread's side of its slots: takes what was offered, in order, unless it was taken back; runs it; marks it. */
export class Runner {
  readonly #options: RunnerOptions
  readonly #queue = new Ring<Offered>()
  readonly #running = new Map<number, AttemptContext>()
  #pumping: 'yes' | 'no' = 'no'
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
    while (this.#running.size < this.#options.concurrency) {
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
    const { slots, clock, concurrency, starts, handlers, host, attribute } = this.#options
    const startedAt = clock.monotonicMs()
    const number = batch.numbers[at] as number
    slots.begin(slot, startedAt)
    if (take(slots.words, slot, generation) === 'lost') return startedAt
    // A thread that runs one job at a time has one record, which its next job overwrites; else each slot has its own.
    starts?.begin(concurrency === 1 ? 0 : slot, number, batch.claims[at] as number)
    const task = batch.tasks[at] as string
    const overrides = batch.overrides[at] ?? null
    const attempt = (batch.attempts[at] as number) + 1
    const context = new AttemptContext(host, { number, task, attempt, overrides, slot, generation })
    this.#running.set(slot, context)
    const handler = handlers.loaded(task)
    const input = batch.inputs[at] as string
    const run = (loaded: LoadedHandler) => attribute(context, () => runAttempt(loaded, handlers.around, input, context))
    const outcome = handler instanceof Promise ? handler.then(run, loadFailed) : run(handler)
    if (outcome instanceof Promise) void outcome.then((settled) => this.#ended(context, settled))
    else this.#ended(context, outcome)
    return startedAt
  }

  #ended(context: AttemptContext, outcome: Outcome): void {
    const { slot, generation } = context
    if (outcome !== PLAIN_SUCCESS) this.#options.outcome(slot, generation, outcome)
    this.#running.delete(slot)
    this.#options.slots.end(slot, this.#options.clock.monotonicMs())
    // Lost: the place has condemned the attempt and answers for it; on a tier this thread is about to be terminated.
    if (finish(this.#options.slots.words, slot, generation) === 'lost') this.#options.gaveBack(slot, generation)
    else if (++this.#unreported >= REPORT_EVERY) this.#report()
    this.#pump()
  }

  #report(): void {
    if (this.#unreported === 0) return
    this.#unreported = 0
    this.#options.progressed()
  }
}

/** A lazy handler whose module does not load: the next attempt may find it mended. */
function loadFailed(error: unknown): Outcome {
  return { type: 'failed', error: toErrorRecord(error), retry: 'by-policy' }
}
