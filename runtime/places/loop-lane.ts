import type { Clock, Timer } from '../../lib/clock.ts'
import { toErrorRecord } from '../../lib/error-record.ts'
import { MillraceError } from '../../lib/errors.ts'
import type { Outcome } from '../../lib/outcome.ts'
import type { TaskManifest } from '../../lib/task.ts'
import type { Catalog, Limits } from '../catalog.ts'
import type { StartsSink } from '../journal/starts.ts'
import type { ChildPort, ClaimedJob, Ended, JobSource, Place, PlaceListener, Stuck } from '../messages.ts'
import { runAttempt } from './attempt.ts'
import { AttemptContext, type AttemptHost } from './attempt-context.ts'
import type { Handlers } from './handlers.ts'
import type { HandlerCalls } from './handler-calls.ts'

export interface LoopLaneOptions {
  readonly name: string
  readonly kind: 'tier' | 'lane'
  readonly index: number
  readonly concurrency: number
  readonly handJobs: number
  readonly handBytes: number
}

export interface LoopLaneContext {
  readonly clock: Clock
  readonly catalog: Catalog
  readonly listener: PlaceListener
  readonly children: ChildPort
  readonly handlers: Handlers
  readonly journal: string
  readonly starts: StartsSink | undefined
  readonly calls: HandlerCalls
}

interface Running {
  readonly job: ClaimedJob
  readonly context: AttemptContext
  readonly limits: Limits
  readonly slot: number
  readonly startedAt: number
  /** Its next limit, in monotonic ms. */
  limitAt: number
  /** 'fenced' once its outcome was decided without it. */
  status: 'running' | 'fenced'
}

/** A lane gives the loop back after this long, so that requests are served between its jobs. */
const SLICE_MS = 2
/** How often a stop looks whether the last jobs have ended. */
const LOOK_MS = 5
const ABORT_MS = 100

/** Many jobs at once on the service's own event loop: what waits for the network needs no thread. */
export class LoopLane implements Place {
  readonly name: string
  readonly kind: 'tier' | 'lane'
  readonly ready: Promise<readonly TaskManifest[]>
  readonly capacity: { readonly jobs: number; readonly bytes: number }
  readonly #options: LoopLaneOptions
  readonly #context: LoopLaneContext
  readonly #host: AttemptHost
  readonly #running = new Map<number, Running>()
  readonly #freeSlots: number[]
  /** As many again: an attempt that was given up keeps its slot, and another takes its place in the lane. */
  readonly #spareSlots: number[]
  #ended: Ended[] = []
  #status: 'running' | 'stopping' = 'running'
  #pulling: 'yes' | 'no' = 'no'
  #limit: Timer | undefined
  #limitAt = Number.POSITIVE_INFINITY
  #reporting: 'planned' | 'no' = 'no'
  /** Attempts that were given up and whose promises have not ended. */
  #abandoned = 0

  constructor(options: LoopLaneOptions, context: LoopLaneContext) {
    const { children, clock, journal, listener } = context
    this.name = options.name
    this.kind = options.kind
    this.ready = Promise.resolve(context.handlers.manifests)
    this.#options = options
    this.#context = context
    this.capacity = { jobs: options.concurrency + options.handJobs, bytes: options.handBytes }
    this.#freeSlots = numbersBelow(options.concurrency, 0)
    this.#spareSlots = numbersBelow(options.concurrency, options.concurrency)
    this.#host = {
      journal,
      now: () => clock.now(),
      takeNumber: () => children.takeNumbers(1),
      abortOf: () => undefined,
      progress: (number, task, value) => listener.progress(number, task, value),
      enqueueNow: (task, number, input, extra) => children.enqueue(task, number, input, extra),
    }
  }

  claims(): readonly ClaimedJob[] {
    const running = [...this.#running.values()].filter(({ status }) => status === 'running')
    return [...running, ...this.#ended].map(({ job }) => job)
  }

  pull(source: JobSource): void {
    if (this.#status !== 'running' || this.#pulling === 'yes') return
    this.#pulling = 'yes'
    const { clock } = this.#context
    const endsAt = clock.monotonicMs() + SLICE_MS
    while (this.#freeSlots.length > 0) {
      const job = source.take()
      if (job === undefined) break
      if (this.#start(job) > endsAt) {
        clock.setImmediate(() => {
          this.#pulling = 'no'
          this.pull(source)
        })
        return
      }
    }
    this.#pulling = 'no'
  }

  recallBehind(): void {
    // Every job that a lane takes starts at once: there is nothing to take back.
  }

  cancel(number: number): 'recalled' | 'aborted' | 'absent' {
    for (const running of this.#running.values()) {
      if (running.job.number !== number || running.status !== 'running') continue
      running.context.abort('cancel')
      return 'aborted'
    }
    return 'absent'
  }

  async stop(graceMs: number): Promise<readonly Stuck[]> {
    this.#status = 'stopping'
    const idle = () => this.#running.size === this.#abandoned
    await this.#until(idle, graceMs)
    for (const running of this.#running.values()) running.context.abort('drain')
    await this.#until(idle, ABORT_MS)
    for (const running of this.#running.values()) this.#fence(running, { type: 'interrupted', cause: 'drain' })
    this.#report()
    this.#limit?.cancel()
    return []
  }

  #start(job: ClaimedJob): number {
    const { catalog, clock, handlers, starts, calls } = this.#context
    const startedAt = clock.monotonicMs()
    const slot = this.#freeSlots.pop() as number
    const task = catalog.name(job.task)
    starts?.begin(slot, job.number, job.claim)
    const context = new AttemptContext(this.#host, {
      number: job.number,
      task,
      attempt: job.attempt + 1,
      overrides: job.extra?.overrides ?? null,
      slot,
      generation: 0,
    })
    const limits = catalog.limits(job)
    const limitAt = startedAt + limits.softLimitMs
    const running: Running = { job, context, limits, slot, startedAt, limitAt, status: 'running' }
    this.#running.set(slot, running)
    calls.enter(job.task, task)
    const handler = handlers.loaded(task)
    const outcome =
      handler instanceof Promise
        ? handler.then((loaded) => runAttempt(loaded, handlers.around, job.input, context), loadFailed)
        : runAttempt(handler, handlers.around, job.input, context)
    calls.leave()
    if (outcome instanceof Promise) {
      void outcome.then((settled) => this.#settle(running, settled))
      this.#watch(limitAt)
    } else this.#settle(running, outcome)
    return startedAt
  }

  #settle(running: Running, outcome: Outcome): void {
    this.#running.delete(running.slot)
    if (running.status === 'fenced') this.#abandoned--
    else this.#conclude(running, outcome)
    this.#release(running.slot)
    this.#planReport()
  }

  /** Whatever slot it is: the lane has as many as it may run at once, where none were left to spare too. */
  #release(slot: number): void {
    const inUse = this.#freeSlots.length + this.#running.size - this.#abandoned
    if (inUse < this.#options.concurrency) this.#freeSlots.push(slot)
    else this.#spareSlots.push(slot)
  }

  #conclude(running: Running, outcome: Outcome): void {
    const { clock } = this.#context
    const endedAt = clock.now()
    const startedAt = endedAt - (clock.monotonicMs() - running.startedAt)
    this.#ended.push({ job: running.job, outcome, startedAt, endedAt })
  }

  /** Outcomes go on once a turn, all together. */
  #planReport(): void {
    if (this.#reporting === 'planned') return
    this.#reporting = 'planned'
    this.#context.clock.setImmediate(() => this.#report())
  }

  #report(): void {
    this.#reporting = 'no'
    const ended = this.#ended
    this.#ended = []
    const { listener } = this.#context
    if (ended.length > 0) listener.ended(this.#options.index, ended)
    if (this.#status === 'running') listener.room(this.#options.index)
  }

  /** One timer for the limit that is next, however many jobs run. */
  #watch(at: number): void {
    if (at >= this.#limitAt) return
    const { clock } = this.#context
    this.#limit?.cancel()
    this.#limitAt = at
    this.#limit = clock.setTimer(at - clock.monotonicMs(), () => {
      this.#limitAt = Number.POSITIVE_INFINITY
      const now = clock.monotonicMs()
      let next = Number.POSITIVE_INFINITY
      for (const running of this.#running.values()) {
        if (running.limitAt <= now) this.#enforce(running, now)
        if (running.limitAt < next) next = running.limitAt
      }
      this.#watch(next)
    })
  }

  #enforce(running: Running, now: number): void {
    const hardLimitAt = running.startedAt + running.limits.hardLimitMs
    running.context.abort('soft-limit')
    running.limitAt = hardLimitAt
    if (now < hardLimitAt) return
    running.limitAt = Number.POSITIVE_INFINITY
    this.#fence(running, hardLimitOutcome(running))
    this.#context.listener.zombies(this.#options.index, this.#abandoned)
    const spare = this.#spareSlots.pop()
    if (spare !== undefined) this.#freeSlots.push(spare)
    this.#planReport()
  }

  /** Decides an attempt without it: the promise cannot be stopped, but it commits nothing any more. */
  #fence(running: Running, outcome: Outcome): void {
    if (running.status === 'fenced') return
    running.status = 'fenced'
    this.#abandoned++
    this.#conclude(running, outcome)
  }

  #until(condition: () => boolean, ms: number): Promise<void> {
    const { clock } = this.#context
    const endsAt = clock.monotonicMs() + ms
    return new Promise((resolve) => {
      const look = () => {
        if (condition() || clock.monotonicMs() >= endsAt) resolve()
        else clock.setTimer(LOOK_MS, look)
      }
      look()
    })
  }
}

function numbersBelow(count: number, first: number): number[] {
  return Array.from({ length: count }, (_, at) => first + count - 1 - at)
}

/** A lazy handler whose module does not load: the next attempt may find it mended. */
function loadFailed(error: unknown): Outcome {
  return { type: 'failed', error: toErrorRecord(error), retry: 'by-policy' }
}

function hardLimitOutcome({ context, limits }: Running): Outcome {
  const error = new MillraceError(
    'MILLRACE_HARD_LIMIT',
    `${context.task} ran into its hard limit; got over ${limits.hardLimitMs} ms, expected an end by then; ` +
      'its promise cannot be stopped and may still act: pass context.signal on, or give it a tier',
  )
  return { type: 'failed', error: toErrorRecord(error), retry: 'by-policy' }
}
