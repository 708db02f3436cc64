import { MillraceError } from '../../lib/errors.ts'
import { weightOf } from '../../lib/job.ts'
import { invalidOption } from '../../lib/options.ts'
import type { PreparedJob } from '../../lib/enqueue.ts'
import type { NewJob } from '../journal/owner/gather.ts'

/** What `enqueueMany` came to. */
export interface EnqueuedMany {
  readonly enqueued: number
  /** Jobs that were not written because another has their key; 0 for a publisher, whose jobs meet it only at their owner. */
  readonly duplicates: number
}

/** Jobs of `enqueueMany` that are on their way at once: two groups of the journal. */
const IN_FLIGHT = 2_000
const BYTES_IN_FLIGHT = 512 * 1024

interface Refused {
  readonly index: number
  readonly error: unknown
}

/** The state of one `enqueueMany`: how much is under way, what came of it, and who waits for room. */
export class ManyRun {
  #enqueued = 0
  #duplicates = 0
  #handedOver = 0
  #inFlight = 0
  #bytes = 0
  readonly #refused: Refused[] = []
  #wake: (() => void) | undefined

  get isFull(): boolean {
    return this.#inFlight >= IN_FLIGHT || this.#bytes >= BYTES_IN_FLIGHT
  }

  get result(): EnqueuedMany {
    return { enqueued: this.#enqueued, duplicates: this.#duplicates }
  }

  job(number: number, task: number, prepared: PreparedJob): NewJob {
    const { input, extra } = prepared
    const index = this.#handedOver++
    const weight = weightOf(prepared)
    this.#inFlight++
    this.#bytes += weight
    const left = () => {
      this.#inFlight--
      this.#bytes -= weight
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
        this.#refused.push({ index, error })
        left()
        this.#wake?.()
      },
    }
  }

  /** Throws once something is known to be refused: nothing more is to be handed over then. */
  goOn(): void {
    if (this.#refused.length > 0) throw this.#firstRefused().error
  }

  /** Resolves when half of what was under way has been answered; rejects as soon as something is refused. */
  async room(): Promise<void> {
    await this.#someLeft()
    this.goOn()
  }

  /** Resolves when everything has been answered; rejects as `room` does. */
  async end(): Promise<void> {
    while (this.#inFlight > 0) await this.room()
    this.goOn()
  }

  /** Why it stopped, once everything that was handed over is answered. */
  async stopped(error: unknown): Promise<MillraceError> {
    while (this.#inFlight > 0) await this.#someLeft()
    const { index, error: cause } = this.#refused.length > 0 ? this.#firstRefused() : { index: this.#handedOver, error }
    const { enqueued, duplicates } = this.result
    const ofUnknownOutcome = indexes(this.#refused.filter(isUnknown))
    const details = {
      enqueued,
      duplicates,
      index,
      refused: indexes(this.#refused.filter((each) => !isUnknown(each))),
      next: this.#handedOver,
      ...(ofUnknownOutcome.length > 0 && { ofUnknownOutcome }),
    }
    const message = cause instanceof Error ? cause.message : String(cause)
    return new MillraceError(
      'MILLRACE_ENQUEUE_MANY',
      `enqueueMany stopped at input ${index} with ${enqueued} jobs enqueued, which stay; to go on, enqueue the inputs ` +
        `of details.refused and those from details.next on; ${message}`,
      { cause, details },
    )
  }

  /** In the order of the inputs. */
  #firstRefused(): Refused {
    return this.#refused.reduce((first, each) => (each.index < first.index ? each : first))
  }

  async #someLeft(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    this.#wake = undefined
  }
}

function isUnknown({ error }: Refused): boolean {
  return error instanceof MillraceError && error.code === 'MILLRACE_OUTCOME_UNKNOWN'
}

function indexes(refused: readonly Refused[]): number[] {
  return refused.map(({ index }) => index).sort((a, b) => a - b)
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
