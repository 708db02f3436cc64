import type { Message, PublishResult } from '../../lib/broker.ts'
import type { MillraceError } from '../../lib/errors.ts'

/** Messages that were published together, and what they have come to so far. */
export class Group {
  readonly deadlineMs: number
  readonly results: Promise<readonly PublishResult[]>
  readonly #results: (PublishResult | undefined)[]
  #resolve: (results: readonly PublishResult[]) => void = () => {}
  #left: number

  constructor(size: number, deadlineMs: number) {
    this.deadlineMs = deadlineMs
    this.#left = size
    this.#results = new Array<PublishResult | undefined>(size).fill(undefined)
    this.results = new Promise((resolve) => {
      this.#resolve = resolve
    })
    if (size === 0) this.#resolve([])
  }

  get isDone(): boolean {
    return this.#left === 0
  }

  /** The first answer counts. */
  answer(index: number, result: PublishResult): void {
    if (this.#results[index] !== undefined) return
    this.#results[index] = result
    if (--this.#left === 0) this.#resolve(this.#results as PublishResult[])
  }

  /** Answers whatever has no answer yet. */
  giveUp(error: MillraceError): void {
    const unconfirmed: PublishResult = { type: 'unconfirmed', error }
    for (let index = 0; index < this.#results.length; index++) this.answer(index, unconfirmed)
  }
}

/** One message of a group on its way: where it goes, and whether it came back. */
export interface Entry {
  readonly message: Message
  readonly group: Group
  readonly index: number
  /** How many steps it is held back. */
  readonly steps: number
  returned: 'yes' | 'no'
  /** By a clock that only rises. */
  sentAtMs: number
}
