import { MillraceError } from '../../lib/errors.ts'
import { invalidOption } from '../../lib/options.ts'
import type { PreparedJob } from '../../lib/enqueue.ts'
import type { NewJob } from '../journal/gather.ts'

/** What `enqueueMany` came to. */
export interface EnqueuedMany {
  readonly enqueued: number
  /** Jobs that were not written because another has their key. */
  readonly duplicates: number
}

/** Jobs of `enqueueMany` that are on their way at once: two groups of the journal. */
const IN_FLIGHT = 2_000
const BYTES_IN_FLIGHT = 512 * 1024

/** The state of one `enqueueMany`: how much is under way, what came of it, and who waits for room. */
export class ManyRun {
  #enqueued = 0
  #duplicates = 0
  #handedOver = 0
  #inFlight = 0
  #bytes = 0
  /** The first job, in the order of the inputs, that the journal has refused. */
  #refused: { readonly index: number; readonly error: unknown } | undefined
  #wake: (() => void) | undefined

  get isFull(): boolean {
    return this.#inFlight >= IN_FLIGHT || this.#bytes >= BYTES_IN_FLIGHT
  }

  get result(): EnqueuedMany {
    return { enqueued: this.#enqueued, duplicates: this.#duplicates }
  }

  job(number: number, task: number, { input, extra }: PreparedJob): NewJob {
    const index = this.#handedOver++
    this.#inFlight++
    this.#bytes += input.length
    const left = () => {
      this.#inFlight--
      this.#bytes -= input.length
      if (this.#inFlight <= IN_FLIGHT / 2 && this.#bytes <= BYTES_IN_FLIGHT / 2) this.#wake?.()
    }
    return {
      number,
      task,
      input,
      extra,
      accepted: (_number, as) => {
        if (as === 'new') this.#enqueued++
        else this.#duplicates++
        left()
      },
      refused: (error) => {
        if (this.#refused === undefined || index < this.#refused.index) this.#refused = { index, error }
        left()
      },
    }
  }

  /** Resolves when half of what was under way has been answered; rejects if something was refused. */
  async room(): Promise<void> {
    await this.#someLeft()
    if (this.#refused !== undefined) throw this.#refused.error
  }

  /** The same when everything has. */
  async end(): Promise<void> {
    while (this.#inFlight > 0) await this.#someLeft()
    if (this.#refused !== undefined) throw this.#refused.error
  }

  /** Why it stopped, once everything that was handed over is answered: what lies before `index` is enqueued. */
  async stopped(error: unknown): Promise<MillraceError> {
    while (this.#inFlight > 0) await this.#someLeft()
    const { index, error: cause } = this.#refused ?? { index: this.#handedOver, error }
    const { enqueued, duplicates } = this.result
    const message = cause instanceof Error ? cause.message : String(cause)
    return new MillraceError(
      'MILLRACE_ENQUEUE_MANY',
      `enqueueMany stopped at input ${index} with ${enqueued} jobs enqueued, which stay; ${message}`,
      { cause, details: { enqueued, duplicates, index } },
    )
  }

  async #someLeft(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    this.#wake = undefined
  }
}

const CHUNK = 500

/** Inputs in arrays, so that a synchronous iterable costs no promise an item. */
export function chunksOf(inputs: Iterable<unknown> | AsyncIterable<unknown>): AsyncIterable<unknown[]> {
  if (typeof inputs === 'object' && inputs !== null) {
    if (Symbol.asyncIterator in inputs) return singly(inputs)
    if (Symbol.iterator in inputs) return chunked(inputs)
  }
  throw invalidOption('inputs', inputs, 'an array or another iterable of inputs')
}

async function* singly(inputs: AsyncIterable<unknown>): AsyncGenerator<unknown[]> {
  for await (const input of inputs) yield [input]
}

async function* chunked(inputs: Iterable<unknown>): AsyncGenerator<unknown[]> {
  let chunk: unknown[] = []
  for (const input of inputs) {
    chunk.push(input)
    if (chunk.length < CHUNK) continue
    yield chunk
    chunk = []
  }
  if (chunk.length > 0) yield chunk
}
