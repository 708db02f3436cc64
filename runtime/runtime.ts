import type { RuntimeEvents } from '../lib/events.ts'
import type { Explanation } from '../lib/explanation.ts'
import type { JobFilter, JobPage, PageOptions, TaskSummary } from '../lib/job.ts'
import type { PlaceSummary } from '../lib/places.ts'
import type { AnyTask, EnqueueArguments, EnqueueOptions, InputOf, OutputOf } from '../lib/task.ts'
import { type Booted, boot, systemGround } from './boot.ts'
import { cancelMany, purge, retryMany } from './desk/bulk.ts'
import { explain } from './control/explain.ts'
import { type AskOptions, askNodes, nodesOf } from './control/nodes.ts'
import { placesOf } from './control/places.ts'
import type { NodeAnswers, NodeRequest } from './control/verbs.ts'
import type { PauseSubject } from './control/pauses.ts'
import type { NodeAnswer } from './cluster/asks.ts'
import type { NodeSummary } from './cluster/cluster.ts'
import { resolveConfig, type RuntimeOptions } from './config/config.ts'
import type { HeadStart } from './head-start.ts'
import { type AckOptions, enqueueAcked } from './held-enqueue.ts'
import type { Database } from './journal/files/sqlite.ts'
import { meetTask } from './known-tasks.ts'
import type { Job } from './publish/job-handle.ts'
import { type Transaction, transact } from './publish/transaction.ts'
import { type ResizeOptions, resize } from './control/resize.ts'
import { graceOf, type StopOptions } from './supervise/drain.ts'
import { stopAll } from './supervise/stop.ts'
import type { EnqueuedMany } from './publish/many-run.ts'

/** Durable jobs inside this process. Make one with `createRuntime`. */
export class Runtime {
  readonly #booted: Booted
  /** Of which tree: in the testing kit another one may have come since. */
  #stopping:
    | { readonly root: Booted['root']; readonly ended: Promise<{ readonly stuck: readonly string[] }> }
    | undefined

  /** Where it stops by itself others hear of it before: they may say with which grace. @internal */
  constructor(booted: Booted) {
    const { emitter } = booted.wires
    this.#booted = booted
    emitter.once('runtime.unfit', () => queueMicrotask(() => void this.stop()))
    emitter.once('node.drain', ({ graceMs }) =>
      queueMicrotask(() => void this.stop(graceMs === undefined ? {} : { graceMs })),
    )
  }

  /** Resolves once the job is durable; with `ack: 'broker'` once a broker holds it. */
  enqueue<T extends AnyTask>(task: T, ...rest: EnqueueArguments<T, AckOptions>): Promise<Job<OutputOf<T>>> {
    const [input, options] = rest as [unknown, AckOptions?]
    const { wires } = this.#booted
    wires.calls.warnOfEnqueue()
    if (options?.ack !== undefined) return enqueueAcked(wires, task, input, options) as Promise<Job<OutputOf<T>>>
    return this.#booted.wires.publisher.enqueue(task, input, options) as Promise<Job<OutputOf<T>>>
  }

  /** Enqueues every input, commit by commit; memory stays flat however many there are. */
  enqueueMany<T extends AnyTask>(
    task: T,
    inputs: Iterable<InputOf<T>> | AsyncIterable<InputOf<T>>,
    options?: EnqueueOptions | ((input: InputOf<T>, index: number) => EnqueueOptions),
  ): Promise<EnqueuedMany> {
    return this.#booted.wires.publisher.enqueueMany(task, inputs, options as EnqueueOptions)
  }

  /**
   * Runs the caller's writes and its jobs as one commit. `db` is a connection to the journal's own file, made with the
   * `Database` that millrace exports; `run` must be synchronous.
   */
  transaction<R>(db: Database, run: (transaction: Transaction) => R): R {
    const { wires } = this.#booted
    const { journal, clock, desk, publisher } = wires
    const jobs = { refusal: publisher.refusal, desk, meet: (task: AnyTask) => meetTask(wires, task) }
    return transact(db, journal, clock, jobs, run)
  }

  /** The handle of a job by its id; no I/O. */
  job(id: string): Job {
    return this.#booted.wires.desk.handle(id)
  }

  /** Jobs that match, page by page. */
  jobs(filter: JobFilter = {}, options: PageOptions = {}): Promise<JobPage> {
    return this.#booted.wires.desk.page(filter, options)
  }

  /** Every task that the journal knows, where it runs, and how many jobs it has in each state. */
  tasks(): Promise<TaskSummary[]> {
    return this.#booted.wires.desk.tasks()
  }

  /** Every tier and lane: what its threads do, what they run, and what waits. Cheap enough for once a second. */
  places(): Promise<PlaceSummary[]> {
    return placesOf(this.#booted.wires)
  }

  /** Every node on the same broker that is known here, this one too; throws `MILLRACE_NO_CONTROL` without such a broker. */
  nodes(): readonly NodeSummary[] {
    return nodesOf(this.#booted.wires)
  }

  /** Asks nodes; resolves to one answer for each of them, whether it has come or not. */
  ask<R extends NodeRequest>(request: R, options?: AskOptions): Promise<readonly NodeAnswer<NodeAnswers[R['verb']]>[]> {
    return askNodes(this.#booted.wires, request, options)
  }

  /** Why a job waits, or what it does; in data, and as a sentence. */
  explain(id: string): Promise<Explanation> {
    return explain(this.#booted.wires, id)
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

  /** Changes the threads of a tier, or the jobs at once of a lane on the service's own loop. */
  async resize(place: string, size: ResizeOptions): Promise<void> {
    resize(this.#booted.wires, place, size)
  }

  /** Resolves when no job of the task or the place starts any more; what runs goes on. Kept over restarts. */
  pause(subject: PauseSubject): Promise<void> {
    return this.#booted.wires.pauses.pause(subject)
  }

  /** Resolves when what was paused may start again; for what was not paused nothing happens. */
  resume(subject: PauseSubject): Promise<void> {
    return this.#booted.wires.pauses.resume(subject)
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

  /** Resolves when nothing is due and nothing runs; jobs that wait for a trial are not waited for (`runtime.recovered`). */
  idle(): Promise<void> {
    return this.#booted.wires.desk.idle()
  }

  /** Starts nothing new, gives running jobs the grace, returns the rest uncharged. Called again it is the same stop. */
  stop(options: StopOptions = {}): Promise<{ readonly stuck: readonly string[] }> {
    if (this.#stopping?.root === this.#booted.root) return this.#stopping.ended
    try {
      return this.#stop(graceOf(options))
    } catch (error) {
      return Promise.reject(error as Error)
    }
  }

  /** It is known before it begins, which is told: who stops it when they hear of that gets the same one. */
  #stop(graceMs: number): Promise<{ readonly stuck: readonly string[] }> {
    const { wires, root } = this.#booted
    let begin = () => {}
    const ended = new Promise<{ readonly stuck: readonly string[] }>((resolve) => {
      begin = () => resolve(stopAll(wires, root, graceMs))
    })
    this.#stopping = { root, ended }
    begin()
    return ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

/** `createRuntime`, once it is loaded; `head` has been started meanwhile. */
export async function startRuntime(options: RuntimeOptions, head?: HeadStart): Promise<Runtime> {
  return new Runtime(await boot(head?.config ?? resolveConfig(options), systemGround(head)))
}
