import type { Clock } from '../../lib/clock.ts'
import { type PreparedJob, prepareJob, refuseStranger } from '../../lib/enqueue.ts'
import { MillraceError } from '../../lib/errors.ts'
import type { JobExtra } from '../../lib/job.ts'
import type { AnyTask, EnqueueOptions } from '../../lib/task.ts'
import type { NewJob } from '../journal/owner/gather.ts'
import { chunksOf, type EnqueuedMany, ManyRun } from './many-run.ts'

/** Where new jobs go. */
export interface PublishSink {
  append(job: NewJob): void
  /** `undefined` until more are reserved, which is once what is under way is answered. */
  takeNumber(): number | undefined
  taskIndex(name: string): number | undefined
  /** Rejects where a disk that fails would have to be waited for. */
  learn(names: readonly string[], patience: 'none'): Promise<void>
  /** Why jobs are refused now. */
  readonly refusal: Error | undefined
}

/** A job between `enqueue` and its commit. */
class Pending<T> implements NewJob {
  readonly number: number
  readonly task: number
  readonly input: string
  readonly extra: JobExtra | null
  readonly #done: (number: number, duplicate: 'new' | 'duplicate') => T
  readonly #resolve: (value: T | Promise<T>) => void

  constructor(
    number: number,
    task: number,
    job: PreparedJob,
    done: (number: number, duplicate: 'new' | 'duplicate') => T,
    resolve: (value: T | Promise<T>) => void,
  ) {
    this.number = number
    this.task = task
    this.input = job.input
    this.extra = job.extra
    this.#done = done
    this.#resolve = resolve
  }

  accepted(number: number, as: 'new' | 'duplicate'): void {
    this.#resolve(this.#done(number, as))
  }

  /** Through `resolve`: a `reject` as well would be a tenth more for every caller that waits. */
  refused(error: unknown): void {
    this.#resolve(Promise.reject(error as Error))
  }
}

/** Takes jobs from callers: checks and encodes at once, resolves when the journal has committed. */
export class Publisher<Handle> {
  readonly #journal: PublishSink
  readonly #clock: Clock
  readonly #handle: (number: number, duplicate: 'new' | 'duplicate') => Handle
  readonly #meet: (task: AnyTask) => void
  /** Why nothing is taken any more. */
  #end: Error | undefined

  /** `meet` is told of each task before a job of it is taken, and may throw. */
  constructor(
    journal: PublishSink,
    clock: Clock,
    handle: (number: number, duplicate: 'new' | 'duplicate') => Handle,
    meet: (task: AnyTask) => void = () => {},
  ) {
    this.#journal = journal
    this.#clock = clock
    this.#handle = handle
    this.#meet = meet
  }

  /** Why every job is refused now, whatever it is. */
  get refusal(): Error | undefined {
    return this.#end ?? this.#journal.refusal
  }

  /** From now on callers are refused, for the first reason that is given; what was handed over goes on. */
  close(end: Error = stopping()): void {
    this.#end ??= end
  }

  enqueue(task: AnyTask, input: unknown, options: EnqueueOptions | undefined): Promise<Handle> {
    try {
      if (this.#end !== undefined) return Promise.reject(this.#end)
      const job = prepareJob(task, input, options, this.#clock)
      this.#meet(task)
      return job instanceof Promise ? job.then((prepared) => this.#appendLater(prepared)) : this.#append(job)
    } catch (error) {
      return Promise.reject(error as Error)
    }
  }

  async enqueueMany(
    task: AnyTask,
    inputs: Iterable<unknown> | AsyncIterable<unknown>,
    optionsOf: ((input: never, index: number) => EnqueueOptions) | EnqueueOptions | undefined,
  ): Promise<EnqueuedMany> {
    refuseStranger(task)
    this.#meet(task)
    const chunks = chunksOf(inputs)
    const run = new ManyRun()
    let index = 0
    try {
      const known = await this.#known(task.name)
      for await (const chunk of chunks) {
        for (const input of chunk) {
          const options = typeof optionsOf === 'function' ? optionsOf(input as never, index++) : optionsOf
          const job = prepareJob(task, input, options, this.#clock)
          const prepared = job instanceof Promise ? await job : job
          const number = this.#journal.takeNumber() ?? (await this.#number())
          run.goOn()
          if (this.#end !== undefined) throw this.#end
          this.#journal.append(run.job(number, known, prepared))
          if (run.isFull) await run.room()
        }
      }
      await run.end()
      return run.result
    } catch (error) {
      throw await run.stopped(error)
    }
  }

  /** For `context.enqueue` with `{ now: true }`: the number is given already. Resolves to that of the job that has its key. */
  async enqueueNumbered(task: string, number: number, input: string, extra: JobExtra | null): Promise<number> {
    const index = await this.#known(task)
    return new Promise((resolve) => {
      this.#journal.append(new Pending(number, index, { task, input, extra }, (accepted) => accepted, resolve))
    })
  }

  /** A schema that answers later may do so when nothing is taken any more. */
  #appendLater(job: PreparedJob): Promise<Handle> {
    if (this.#end !== undefined) throw this.#end
    return this.#append(job)
  }

  #append(job: PreparedJob): Promise<Handle> {
    const index = this.#journal.taskIndex(job.task)
    if (index === undefined) return this.#known(job.task).then(() => this.#append(job))
    const number = this.#journal.takeNumber()
    if (number === undefined) return this.#moreNumbers().then(() => this.#append(job))
    return new Promise((resolve) => {
      this.#journal.append(new Pending(number, index, job, this.#handle, resolve))
    })
  }

  async #number(): Promise<number> {
    for (;;) {
      await this.#moreNumbers()
      const number = this.#journal.takeNumber()
      if (number !== undefined) return number
    }
  }

  /** Whatever is answered brings them along. */
  async #moreNumbers(): Promise<void> {
    await this.#journal.learn([], 'none')
    if (this.#end !== undefined) throw this.#end
  }

  async #known(name: string): Promise<number> {
    if (this.#journal.refusal !== undefined) throw this.#journal.refusal
    if (this.#journal.taskIndex(name) === undefined) await this.#journal.learn([name], 'none')
    const index = this.#journal.taskIndex(name)
    if (index === undefined) throw this.#end ?? stopping()
    return index
  }
}

function stopping(): MillraceError {
  return new MillraceError(
    'MILLRACE_STOPPING',
    'the runtime stops and takes no new jobs; nothing was written; enqueue before stop, or into the next runtime',
  )
}
