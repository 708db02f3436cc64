import type { Clock } from '../../../lib/clock.ts'
import { type ErrorRecord, fromErrorRecord } from '../../../lib/error-record.ts'
import type { JobExtra } from '../../../lib/job.ts'
import type { AttemptContext, AttemptHost } from './attempt-context.ts'
import { NumberSupply } from '../number-supply.ts'
import type { Slots } from '../slots.ts'
import type { AbortReason, FromHandlers } from '../thread-protocol.ts'

/** Where an attempt reads whether it was asked to end. */
export type Aborts = Pick<Slots, 'abortOf' | 'isCondemned'>

/** The outside of the attempts on a thread or in a process: everything goes over the one port that it has. */
export class PortHost implements AttemptHost {
  readonly journal: string
  readonly numbers: NumberSupply
  calls: AttemptHost['calls']
  readonly #slots: Aborts
  readonly #clock: Clock
  readonly #send: (message: FromHandlers) => void
  readonly #requests = new Map<number, { resolve(number: number): void; reject(error: Error): void }>()
  #lastRequest = 0

  constructor(journal: string, slots: Aborts, clock: Clock, send: (message: FromHandlers) => void) {
    this.journal = journal
    this.#slots = slots
    this.#clock = clock
    this.#send = send
    this.numbers = new NumberSupply(() => send({ type: 'numbers-wanted' }))
  }

  now(): number {
    return this.#clock.now()
  }

  takeNumber(): number | Promise<number> {
    return this.numbers.take()
  }

  abortOf(attempt: AttemptContext): AbortReason | undefined {
    return this.#slots.abortOf(attempt.slot, attempt.generation)
  }

  isGivenUp(attempt: AttemptContext): boolean {
    return this.#slots.isCondemned(attempt.slot, attempt.generation)
  }

  progress(number: number, task: string, value: string): void {
    this.#send({ type: 'progress', number, task, value })
  }

  enqueueNow(task: string, number: number, input: string, extra: JobExtra | null): Promise<number> {
    const request = ++this.#lastRequest
    return new Promise((resolve, reject) => {
      this.#requests.set(request, { resolve, reject })
      this.#send({ type: 'enqueue', request, number, task, input, extra })
    })
  }

  enqueued(request: number, came: number | ErrorRecord): void {
    const waiting = this.#requests.get(request)
    this.#requests.delete(request)
    if (typeof came === 'number') waiting?.resolve(came)
    else waiting?.reject(fromErrorRecord(came))
  }
}
