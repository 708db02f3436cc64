import type { Clock } from '../../lib/clock.ts'
import { type PreparedJob, prepareJob } from '../../lib/enqueue.ts'
import { MillraceError } from '../../lib/errors.ts'
import type { JobExtra } from '../../lib/job.ts'
import type { EnqueueOptions, Task } from '../../lib/task.ts'
import type { NewJob } from '../journal/gather.ts'

export type AnyTask = Task<never, unknown, never>

/** Where new jobs go. */
export interface PublishSink {
  append(job: NewJob): void
  takeNumber(): number
  taskIndex(name: string): number | undefined
  learn(names: readonly string[]): Promise<void>
}

/** What `enqueueMany` came to. */
export interface EnqueuedMany {
  readonly enqueued: number
  /** Jobs that were not written because another has their key. */
  readonly duplicates: number
}

/** Jobs of `enqueueMany` that are on their way at once: two groups of the journal. */
const MANY_IN_FLIGHT = 2_000
const MANY_BYTES_IN_FLIGHT = 512 * 1024

/** A job between `enqueue` and its commit. */
class Pending<T> implements NewJob {
  readonly number: number
  readonly task: number
  readonly input: string
  readonly extra: JobExtra | null
  readonly #done: (number: number, duplicate: 'new' | 'duplicate') => T
  readonly #resolve: (value: T) => void
  readonly refused: (error: unknown) => void

  constructor(
    number: number,
    task: number,
    job: PreparedJob,
    done: (number: number, duplicate: 'new' | 'duplicate') => T,
    resolve: (value: T) => void,
    reject: (error: unknown) => void,
  ) {
    this.number = number
    this.task = task
    this.input = job.input
    this.extra = job.extra
    this.#done = done
    this.#resolve = resolve
    this.refused = reject
  }

  accepted(number: number, as: 'new' | 'duplicate'): void {
    this.#resolve(this.#done(number, as))
  }
}

/** Takes jobs from callers: checks and encodes at once, resolves when the journal has committed. */
export class Publisher<Handle> {
  readonly #journal: PublishSink
  readonly #clock: Clock
  readonly #handle: (number: number, duplicate: 'new' | 'duplicate') => Handle
  #status: 'open' | 'closed' = 'open'

  constructor(journal: PublishSink, clock: Clock, handle: (number: number, duplicate: 'new' | 'duplicate') => Handle) {
    this.#journal = journal
    this.#clock = clock
    this.#handle = handle
  }

  /** From now on callers are refused; what was handed over goes on. */
  close(): void {
    this.#status = 'closed'
  }

  enqueue(task: AnyTask, input: unknown, options: EnqueueOptions | undefined): Promise<Handle> {
    try {
      if (this.#status === 'closed') return Promise.reject(stopping())
      const job = prepareJob(task, input, options, options === undefined ? 0 : this.#clock.now())
      return job instanceof Promise ? job.then((prepared) => this.#append(prepared)) : this.#append(job)
    } catch (error) {
      return Promise.reject(error as Error)
    }
  }

  async enqueueMany(
    task: AnyTask,
    inputs: Iterable<unknown> | AsyncIterable<unknown>,
    optionsOf: ((input: never, index: number) => EnqueueOptions) | EnqueueOptions | undefined,
  ): Promise<EnqueuedMany> {
    const run = new ManyRun()
    let index = 0
    try {
      const fixed = typeof optionsOf === 'function' ? undefined : optionsOf
      await this.#known(task.name)
      for await (const input of chunksOf(inputs)) {
        for (const each of input) {
          if (this.#status === 'closed') throw stopping()
          const options = typeof optionsOf === 'function' ? optionsOf(each as never, index) : fixed
          const job = prepareJob(task, each, options, options === undefined ? 0 : this.#clock.now())
          this.#journal.append(run.job(this.#journal, job instanceof Promise ? await job : job))
          index++
          if (run.inFlight >= MANY_IN_FLIGHT || run.bytes >= MANY_BYTES_IN_FLIGHT) await run.room()
        }
      }
      await run.end()
      return { enqueued: run.enqueued, duplicates: run.duplicates }
    } catch (error) {
      await run.end().catch(() => undefined)
      throw manyError(error, run.enqueued, index)
    }
  }

  /** For `context.enqueue` with `{ now: true }`: the number is given already. */
  async enqueueNumbered(task: string, number: number, input: string, extra: JobExtra | null): Promise<void> {
    const index = await this.#known(task)
    await new Promise<void>((resolve, reject) => {
      this.#journal.append(new Pending(number, index, { task, input, extra }, () => undefined, resolve, reject))
    })
  }

  #append(job: PreparedJob): Promise<Handle> {
    const index = this.#journal.taskIndex(job.task)
    if (index === undefined) return this.#known(job.task).then(() => this.#append(job))
    return new Promise((resolve, reject) => {
      this.#journal.append(new Pending(this.#journal.takeNumber(), index, job, this.#handle, resolve, reject))
    })
  }

  async #known(name: string): Promise<number> {
    if (this.#journal.taskIndex(name) === undefined) await this.#journal.learn([name])
    const index = this.#journal.taskIndex(name)
    if (index === undefined) throw stopping()
    return index
  }
}

/** The state of one `enqueueMany`: how much is under way, and who waits for room. */
class ManyRun {
  enqueued = 0
  duplicates = 0
  inFlight = 0
  bytes = 0
  #error: unknown
  #wake: (() => void) | undefined

  job(journal: PublishSink, job: PreparedJob): NewJob {
    const { input } = job
    this.inFlight++
    this.bytes += input.length
    const left = () => {
      this.inFlight--
      this.bytes -= input.length
      if (this.inFlight <= MANY_IN_FLIGHT / 2 && this.bytes <= MANY_BYTES_IN_FLIGHT / 2) this.#wake?.()
    }
    return {
      number: journal.takeNumber(),
      task: journal.taskIndex(job.task) as number,
      input,
      extra: job.extra,
      accepted: (_number, as) => {
        if (as === 'new') this.enqueued++
        else this.duplicates++
        left()
      },
      refused: (error) => {
        this.#error ??= error
        left()
      },
    }
  }

  async room(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    this.#wake = undefined
    if (this.#error !== undefined) throw this.#error
  }

  async end(): Promise<void> {
    while (this.inFlight > 0) await this.room()
    if (this.#error !== undefined) throw this.#error
  }
}

const ITERABLE_CHUNK = 500

/** Inputs in arrays, so that a synchronous iterable costs no promise an item. */
async function* chunksOf(inputs: Iterable<unknown> | AsyncIterable<unknown>): AsyncGenerator<unknown[]> {
  let chunk: unknown[] = []
  if (Symbol.asyncIterator in inputs) {
    for await (const input of inputs) yield [input]
    return
  }
  for (const input of inputs) {
    chunk.push(input)
    if (chunk.length < ITERABLE_CHUNK) continue
    yield chunk
    chunk = []
  }
  if (chunk.length > 0) yield chunk
}

function stopping(): MillraceError {
  return new MillraceError(
    'MILLRACE_STOPPING',
    'the runtime stops and takes no new jobs; nothing was written; enqueue before stop, or into the next runtime',
  )
}

function manyError(cause: unknown, enqueued: number, index: number): MillraceError {
  const message = cause instanceof Error ? cause.message : String(cause)
  return new MillraceError(
    'MILLRACE_ENQUEUE_MANY',
    `enqueueMany stopped at input ${index} with ${enqueued} jobs enqueued, which stay; ${message}`,
    { cause, details: { enqueued, index } },
  )
}
