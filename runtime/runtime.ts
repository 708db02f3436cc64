import { MillraceError } from '../lib/errors.ts'
import type { RuntimeEvents } from '../lib/events.ts'
import type { JobFilter, JobPage, TaskSummary } from '../lib/job.ts'
import type { EnqueueArguments, EnqueueOptions, InputOf, OutputOf, Task } from '../lib/task.ts'
import { type Booted, boot, systemGround } from './boot.ts'
import { cancelMany, purge, retryMany } from './bulk.ts'
import { resolveConfig, type RuntimeOptions } from './config.ts'
import { refuseNestedRuntime } from './places/thread-mark.ts'
import type { Database } from './journal/sqlite.ts'
import type { Job } from './publish/job-handle.ts'
import { type Transaction, transact } from './publish/transaction.ts'
import { drain } from './supervise/drain.ts'
import type { AnyTask, EnqueuedMany } from './publish/publisher.ts'

export interface StopOptions {
  /** How long running jobs may go on. Default 10,000. */
  readonly graceMs?: number
}

export interface PageOptions {
  /** 1 to 200. Default 50. */
  readonly limit?: number
  /** The `next` of the page before. */
  readonly after?: string
}

/** Durable jobs inside this process. Make one with `createRuntime`. */
export class Runtime {
  readonly #booted: Booted
  #stopping: Promise<{ readonly stuck: readonly string[] }> | undefined

  constructor(booted: Booted) {
    this.#booted = booted
    booted.wires.emitter.once('runtime.unfit', () => void this.stop())
  }

  /** Resolves once the job is durable. */
  enqueue<T extends Task<never, unknown, never>>(task: T, ...rest: EnqueueArguments<T>): Promise<Job<OutputOf<T>>> {
    const [input, options] = rest as [unknown, EnqueueOptions?]
    this.#booted.wires.calls.warnOfEnqueue()
    return this.#booted.wires.publisher.enqueue(task as AnyTask, input, options) as Promise<Job<OutputOf<T>>>
  }

  /** Enqueues every input, commit by commit; memory stays flat however many there are. */
  enqueueMany<T extends Task<never, unknown, never>>(
    task: T,
    inputs: Iterable<InputOf<T>> | AsyncIterable<InputOf<T>>,
    options?: EnqueueOptions | ((input: InputOf<T>, index: number) => EnqueueOptions),
  ): Promise<EnqueuedMany> {
    return this.#booted.wires.publisher.enqueueMany(task as AnyTask, inputs, options as EnqueueOptions)
  }

  /**
   * Runs the caller's writes and its jobs as one commit. `db` is a connection to the journal's own file, made with the
   * `Database` that millrace exports; `run` must be synchronous.
   */
  transaction<R>(db: Database, run: (transaction: Transaction) => R): R {
    const { journal, clock, config, desk } = this.#booted.wires
    return transact(db, config.journal.file, journal, clock, (number) => desk.job(number), run)
  }

  /** The handle of a job by its id; no I/O. */
  job(id: string): Job {
    return this.#booted.wires.desk.handle(id)
  }

  /** Jobs that match, page by page. */
  jobs(filter: JobFilter = {}, { limit = 50, after }: PageOptions = {}): Promise<JobPage> {
    return this.#booted.wires.desk.page(filter, limit, after)
  }

  /** Every task that the journal knows, where it runs, and how many jobs it has in each state. */
  tasks(): Promise<TaskSummary[]> {
    return this.#booted.wires.desk.tasks()
  }

  /** Cancels what waits, and asks what runs to end; resolves to how many. */
  cancelMany(filter: JobFilter): Promise<number> {
    return cancelMany(this.#booted.wires, filter)
  }

  /** Retries dead jobs, or those in the given state; one whose key is taken stays as it is. */
  retryMany(filter: JobFilter): Promise<number> {
    return retryMany(this.#booted.wires, filter)
  }

  /** Deletes jobs that do not run, without a trace. */
  purge(filter: JobFilter): Promise<number> {
    return purge(this.#booted.wires, filter)
  }

  on<E extends keyof RuntimeEvents>(event: E, listener: RuntimeEvents[E]): this {
    this.#booted.wires.emitter.on(event, listener as never)
    return this
  }

  once<E extends keyof RuntimeEvents>(event: E, listener: RuntimeEvents[E]): this {
    this.#booted.wires.emitter.once(event, listener as never)
    return this
  }

  off<E extends keyof RuntimeEvents>(event: E, listener: RuntimeEvents[E]): this {
    this.#booted.wires.emitter.off(event, listener as never)
    return this
  }

  /** Resolves when nothing is due and nothing runs. */
  idle(): Promise<void> {
    return this.#booted.wires.desk.idle()
  }

  /** Starts nothing new, gives running jobs the grace, returns the rest uncharged. Called again it is the same stop. */
  stop({ graceMs = 10_000 }: StopOptions = {}): Promise<{ readonly stuck: readonly string[] }> {
    this.#stopping ??= this.#stop(graceMs)
    return this.#stopping
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #stop(graceMs: number): Promise<{ readonly stuck: readonly string[] }> {
    const { wires, root } = this.#booted
    const { emit, publisher, desk, results } = wires
    wires.stopping = 'asked'
    emit.emit('runtime.stopping', {})
    publisher.close()
    const stuck = (await drain(wires, graceMs)).map((number) => desk.idOf(number))
    root.stop()
    await root.exited
    await wires.handlers?.tearDown()
    results.rejectAll(stopped())
    emit.emit('runtime.stopped', { stuck })
    return { stuck }
  }
}

function stopped(): MillraceError {
  return new MillraceError(
    'MILLRACE_STOPPING',
    'the runtime has stopped before the job ended; the job goes on in the next one; ask there for its result',
  )
}

/** Starts a runtime: opens the journal as its owner, makes available what was interrupted, starts places. */
export async function createRuntime(options: RuntimeOptions): Promise<Runtime> {
  refuseNestedRuntime()
  return new Runtime(await boot(resolveConfig(options), systemGround()))
}
