import type { Timer } from '../../../lib/clock.ts'
import type { Outcome } from '../../../lib/outcome.ts'
import type { TaskManifest } from '../../../lib/task.ts'
import type { Limits } from '../../catalog.ts'
import type { ClaimedJob, Ended, Found, JobSource, Place, PlaceReport, PlaceSize, Stuck } from '../../messages.ts'
import { type Attribute, callHandler, failure } from '../attempt/attempt.ts'
import { AttemptContext, type AttemptHost } from '../attempt/attempt-context.ts'
import { fencedOutcome } from '../ends.ts'
import { ABORT_MS } from '../grace.ts'
import { LoopGauge } from './loop-gauge.ts'
import type { LoopLaneContext, LoopLaneOptions } from './loop-lane-options.ts'
import { NUMBERS_AT_ONCE, NumberSupply } from '../number-supply.ts'
import { SlotTable } from '../slot-table.ts'
import type { AbortReason } from '../thread-protocol.ts'
import { until } from '../until.ts'
import type { Caller } from './watchdog.ts'

interface Running {
  readonly job: ClaimedJob
  readonly context: AttemptContext
  readonly limits: Limits
  readonly slot: number
  readonly startedAt: number
  /** Its next limit, in monotonic ms. */
  limitAt: number
  /** 'given-up' once its outcome was decided without it. */
  status: 'running' | 'given-up'
}

/** A lane gives the loop back after this long, so that requests are served between its jobs. */
const SLICE_MS = 2

/** Many jobs at once on the service's own event loop: what waits for the network needs no thread. */
export class LoopLane implements Place, Caller {
  readonly name: string
  readonly kind: 'tier' | 'lane'
  readonly ready: Promise<readonly TaskManifest[]>
  readonly #options: LoopLaneOptions
  readonly #context: LoopLaneContext
  readonly #host: AttemptHost
  readonly #numbers: NumberSupply
  readonly #running = new SlotTable<Running>(({ job }) => job.number)
  #concurrency: number
  /** All in which no attempt runs: more than may be taken, in a lane that was made smaller. */
  readonly #freeSlots: number[]
  #ended: Ended[] = []
  #status: 'running' | 'stopping' = 'running'
  #pulling: 'yes' | 'no' = 'no'
  /** The attempt whose handler is being called. */
  #calling: Running | undefined
  readonly #gauge: LoopGauge
  #limit: Timer | undefined
  #limitAt = Number.POSITIVE_INFINITY
  #reporting: 'planned' | 'no' = 'no'
  /** Attempts that were given up and whose promises have not ended. They stand in no slot. */
  #abandoned = 0

  constructor(options: LoopLaneOptions, context: LoopLaneContext) {
    const { children, clock, journal, listener } = context
    this.name = options.name
    this.kind = options.kind
    this.ready = Promise.resolve(context.handlers.manifests)
    this.#options = options
    this.#context = context
    this.#gauge = new LoopGauge(clock)
    this.#concurrency = options.concurrency
    this.#freeSlots = numbersBelow(options.concurrency, 0)
    const more = () => children.takeNumbers(NUMBERS_AT_ONCE, (first) => this.#numbers.add(first, NUMBERS_AT_ONCE))
    this.#numbers = new NumberSupply(more)
    more()
    this.#host = {
      journal,
      now: () => clock.now(),
      takeNumber: () => this.#numbers.take(),
      abortOf: (attempt) => this.#overdue(attempt),
      isGivenUp: () => false,
      progress: (number, task, value) => listener.progress(number, task, value),
      enqueueNow: (task, number, input, extra) => children.enqueue(task, number, input, extra),
    }
  }

  get capacity() {
    return { jobs: this.#concurrency + this.#options.handJobs, bytes: this.#options.handBytes }
  }

  get parallel(): number {
    return this.#concurrency
  }

  /** One that gets smaller starts nothing until so many have ended. */
  resize(size: PlaceSize): 'resized' | 'refused' {
    if (size.type !== 'concurrency' || this.#status !== 'running') return 'refused'
    const { takeSlots, listener } = this.#context
    const { concurrency } = size
    this.#concurrency = concurrency
    const missing = concurrency - this.#freeSlots.length - this.#running.size
    if (missing > 0) this.#freeSlots.unshift(...numbersBelow(missing, takeSlots(missing)))
    listener.room(this.#options.index)
    return 'resized'
  }

  claims(): readonly ClaimedJob[] {
    return [...this.#running, ...this.#ended].map(({ job }) => job)
  }

  pull(source: JobSource): void {
    if (this.#status !== 'running' || this.#pulling === 'yes') return
    this.#pulling = 'yes'
    const { turn } = this.#context
    if (turn === undefined) this.#slice(source)
    else turn.next(() => this.#slice(source))
  }

  #slice(source: JobSource): void {
    const { clock } = this.#context
    const endsAt = clock.monotonicMs() + SLICE_MS
    while (this.#running.size < this.#concurrency && this.#status === 'running') {
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

  /** A handler was ended at its hard limit together with the slice that had called it: nothing of either goes on. */
  unwound(): void {
    const running = this.#calling
    this.#calling = undefined
    this.#context.turn?.renew()
    this.#context.calls.forget()
    this.#pulling = 'no'
    if (running !== undefined) this.#settle(running, fencedOutcome(running))
  }

  async report(): Promise<PlaceReport> {
    const thread = await this.#gauge.report(() => ({ oldest: this.#oldest(), running: this.#running.size }))
    return { threads: [thread], zombies: this.#abandoned, restarts: 0 }
  }

  find(number: number): Found | undefined {
    const running = this.#running.find(number)
    if (running !== undefined) return { type: 'running', thread: 'loop', startedAt: running.startedAt }
    return this.#ended.some(({ job }) => job.number === number) ? { type: 'done' } : undefined
  }

  recall(): void {
    // Every job that a lane takes starts at once: there is nothing to take back.
  }

  takeBack(): readonly [] {
    return []
  }

  cancel(number: number, mode: 'abort' | 'terminate' = 'abort'): 'aborted' | 'absent' {
    const running = this.#running.find(number)
    if (running === undefined) return 'absent'
    running.context.abort('cancel')
    if (mode === 'terminate') this.#giveUp(running, { type: 'cancelled' })
    return 'aborted'
  }

  async stop(graceMs: number): Promise<readonly Stuck[]> {
    const { clock } = this.#context
    this.#status = 'stopping'
    const idle = () => this.#running.size === 0
    await until(clock, idle, graceMs)
    for (const running of this.#running) running.context.abort('drain')
    await until(clock, idle, ABORT_MS)
    for (const running of this.#running) this.#giveUp(running, { type: 'interrupted', cause: 'drain' })
    this.#report()
    this.#limit?.cancel()
    this.#context.turn?.close()
    return []
  }

  #oldest() {
    let oldest: Running | undefined
    for (const each of this.#running) {
      if (oldest === undefined || each.startedAt < oldest.startedAt) oldest = each
    }
    if (oldest === undefined) return undefined
    return { number: oldest.job.number, task: oldest.job.task, startedAt: oldest.startedAt }
  }

  #start(job: ClaimedJob): number {
    const { catalog, clock, listener, calls } = this.#context
    const startedAt = clock.monotonicMs()
    const slot = this.#freeSlots.pop() as number
    const task = catalog.name(job.task)
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
    this.#running.put(slot, running)
    if (catalog.isRated(job.task)) listener.started([{ number: job.number, at: clock.now() }])
    this.#calling = running
    calls.enter(running, this)
    const outcome = this.#call(running)
    calls.leave()
    this.#calling = undefined
    if (outcome instanceof Promise) {
      void outcome.then((settled) => this.#settle(running, settled))
      this.#watch(limitAt)
    } else this.#settle(running, outcome)
    return startedAt
  }

  /** Throws nothing: the lane would take no other job after this one. */
  #call({ job, slot, context }: Running): Outcome | Promise<Outcome> {
    const { handlers, starts } = this.#context
    try {
      starts?.begin(slot, job.number, job.claim)
      return callHandler(handlers, job.input, context, toNobody)
    } catch (error) {
      return failure(error)
    }
  }

  #settle(running: Running, outcome: Outcome): void {
    if (running.status === 'given-up') {
      this.#abandoned--
      this.#reportZombies()
      return
    }
    running.context.end()
    this.#vacate(running)
    this.#conclude(running, outcome)
    this.#planReport()
  }

  #vacate({ slot }: Running): void {
    this.#running.free(slot)
    this.#freeSlots.push(slot)
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

  /** While a handler holds the loop no timer tells it that its soft limit is over. */
  #overdue({ slot, number }: AttemptContext): AbortReason | undefined {
    const running = this.#running.get(slot)
    if (running?.job.number !== number) return undefined
    const ranMs = this.#context.clock.monotonicMs() - running.startedAt
    return ranMs >= running.limits.softLimitMs ? 'soft-limit' : undefined
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
      for (const running of this.#running) {
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
    this.#giveUp(running, fencedOutcome(running))
  }

  /**
   * Decides an attempt without it: the promise cannot be stopped, but it commits nothing any more. Its slot is another's,
   * however many have been given up before: promises that never end would stop the lane.
   */
  #giveUp(running: Running, outcome: Outcome): void {
    running.context.giveUp()
    running.status = 'given-up'
    this.#abandoned++
    this.#reportZombies()
    this.#vacate(running)
    this.#conclude(running, outcome)
    this.#planReport()
  }

  #reportZombies(): void {
    this.#context.listener.zombies(this.#options.index, this.#abandoned)
  }
}

/** What a job leaves behind on the service's own loop cannot be told from the service's. */
const toNobody: Attribute = (_context, run) => run()

function numbersBelow(count: number, first: number): number[] {
  return Array.from({ length: count }, (_, at) => first + count - 1 - at)
}
