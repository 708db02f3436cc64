import type { Clock, Timer } from '../../lib/clock.ts'
import { toErrorRecord } from '../../lib/error-record.ts'
import { MillraceError } from '../../lib/errors.ts'
import type { Outcome } from '../../lib/outcome.ts'
import { addRestart } from '../../lib/supervision.ts'
import type { TaskManifest } from '../../lib/task.ts'
import type { Catalog } from '../catalog.ts'
import type { ChildPort, ClaimedJob, JobSource, Place, PlaceListener, Stuck } from '../messages.ts'
import { BatchPolicy } from './batch-policy.ts'
import type { Entry, Incarnation } from './incarnation.ts'
import { Seat } from './seat.ts'
import { TierPool } from './tier-pool.ts'
import type { ThreadData } from './thread-protocol.ts'

export interface ThreadPlaceOptions {
  readonly name: string
  readonly kind: 'tier' | 'lane'
  /** Its index among all places. */
  readonly index: number
  readonly threads: number
  /** Jobs at once on each thread: 1 on a tier. */
  readonly concurrency: number
  readonly handJobs: number
  readonly handBytes: number
  readonly maxHeapMb: number | undefined
  /** The first of its records in the starts file. */
  readonly firstStart: number
  /** Jobs in one message to a thread, where that is not left to the place: to compare with. */
  readonly batchJobs?: number
}

export interface PlaceContext {
  readonly clock: Clock
  readonly catalog: Catalog
  readonly listener: PlaceListener
  readonly children: ChildPort
  readonly thread: ThreadData
}

/** While claims stand in slots the place looks at them this often: for limits, and for who is stuck behind whom. */
const TICK_MS = 5

/** Threads that cannot load their tasks: more than this many in this time, and the place gives up. */
const START_FAILURES = { restarts: 2, withinMs: 5_000 }

/** How long aborted attempts get to end by themselves when the grace is over, before their threads are terminated. */
const ABORT_MS = 100
const EXIT_MS = 80

/** A tier, or a lane on threads of its own. */
export class ThreadPlace implements Place {
  readonly name: string
  readonly kind: 'tier' | 'lane'
  readonly capacity: { readonly jobs: number; readonly bytes: number }
  /** The tasks that its first thread found, or why none can start. */
  readonly ready: Promise<readonly TaskManifest[]>
  readonly #options: ThreadPlaceOptions
  readonly #context: PlaceContext
  readonly #pool: TierPool
  readonly #seats: readonly Seat[]
  readonly #policy: BatchPolicy
  #status: 'running' | 'stopping' | 'failed' = 'running'
  #tick: Timer | undefined
  #startFailures: readonly number[] = []
  #becomeReady: { resolve(tasks: readonly TaskManifest[]): void; reject(error: Error): void } | undefined

  constructor(options: ThreadPlaceOptions, context: PlaceContext) {
    this.name = options.name
    this.kind = options.kind
    this.#options = options
    this.#context = context
    this.#policy = new BatchPolicy(options.concurrency, options.batchJobs)
    const slots = this.#policy.slots
    this.capacity = { jobs: options.handJobs + options.threads * slots, bytes: options.handBytes }
    this.ready = new Promise((resolve, reject) => {
      this.#becomeReady = { resolve, reject }
    })
    this.ready.catch(() => {})
    this.#pool = new TierPool(options.threads, context.thread, { maxHeapMb: options.maxHeapMb })
    const startsEach = options.concurrency === 1 ? 1 : slots
    this.#seats = Array.from({ length: options.threads }, (_, at) =>
      this.#seat(slots, options.firstStart + at * startsEach),
    )
  }

  claims(): readonly ClaimedJob[] {
    return this.#seats.flatMap((seat) => [...seat.entries()].map((entry) => entry.job))
  }

  pull(source: JobSource): void {
    if (this.#status !== 'running') return
    const threads = this.#seats.flatMap((seat) => seat.thread ?? []).sort((a, b) => a.entries.length - b.entries.length)
    const now = this.#context.clock.monotonicMs()
    for (let at = 0; at < threads.length && source.size > 0; at++) {
      const thread = threads[at] as Incarnation
      const share = Math.ceil(source.size / (threads.length - at))
      const jobs = this.#policy.take(source, Math.min(share, this.#policy.spaceOn(thread, now)))
      if (jobs.length > 0) thread.offer(jobs.map((job) => this.#describe(job)))
    }
    this.#watch()
  }

  recallBehind(rank: number): void {
    for (const { thread } of this.#seats) {
      if (thread !== undefined) this.#giveBack(thread, (entry) => entry.job.rank > rank)
    }
  }

  cancel(number: number, mode: 'abort' | 'terminate'): 'recalled' | 'aborted' | 'absent' {
    for (const seat of this.#seats) {
      const { active: thread } = seat
      const entry = thread?.entries.find((each) => each.job.number === number)
      if (entry === undefined || thread === undefined) continue
      const [job] = thread.recall((each) => each === entry)
      if (job !== undefined) {
        const outcome: Outcome = { type: 'cancelled' }
        this.#context.listener.ended(this.#options.index, [{ job, outcome, startedAt: undefined, endedAt: undefined }])
        return 'recalled'
      }
      thread.ask(entry, 'cancel')
      if (mode === 'terminate' && this.kind === 'tier') this.#condemn(seat, thread, entry, { type: 'cancelled' })
      return 'aborted'
    }
    return 'absent'
  }

  async stop(graceMs: number): Promise<readonly Stuck[]> {
    const { clock } = this.#context
    this.#status = 'stopping'
    for (const { thread } of this.#seats) if (thread !== undefined) this.#giveBack(thread, () => true)
    const idle = () => this.#seats.every((seat) => [...seat.entries()].length === 0)
    await this.#until(idle, graceMs)
    for (const { active } of this.#seats) for (const entry of active?.entries ?? []) active?.ask(entry, 'drain')
    await this.#until(idle, ABORT_MS)
    for (const seat of this.#seats) {
      if ([...seat.entries()].length > 0) this.#interrupt(seat)
      seat.leave()
    }
    const left = Promise.all(this.#seats.map((seat) => seat.left))
    await Promise.race([left, new Promise<void>((resolve) => clock.setTimer(EXIT_MS, resolve))])
    this.#tick?.cancel()
    const stuck = this.claims().map((job) => ({ place: this.name, number: job.number }))
    const destroyed = this.#pool.destroy()
    // A thread in a native call would be waited for until that returns.
    if (stuck.length === 0) await destroyed
    else destroyed.catch(() => {})
    return stuck
  }

  #seat(slots: number, firstStart: number): Seat {
    const { clock, children, listener } = this.#context
    const { index, concurrency } = this.#options
    return new Seat(
      { pool: this.#pool, clock, slots, concurrency, firstStart, children },
      {
        serving: (tasks) => this.#becomeReady?.resolve(tasks),
        progressed: (seat) => this.#harvest(seat),
        progress: (number, task, value) => listener.progress(number, task, value),
        stray: (seat, number, error) => {
          listener.stray(index, number, error)
          this.#recycle(seat)
        },
        exited: (ended, unstarted) => {
          if (unstarted.length > 0) listener.putBack(index, unstarted)
          if (ended.length > 0) listener.ended(index, ended)
        },
        hung: () => this.#reportZombies(),
        unusable: (error) => this.#startFailed(error),
      },
    )
  }

  #describe(job: ClaimedJob) {
    const { catalog } = this.#context
    return { job, task: catalog.name(job.task), limits: catalog.limits(job) }
  }

  #harvest(seat: Seat): void {
    const { active: thread } = seat
    const { clock, listener } = this.#context
    if (thread === undefined) return
    const ended = thread.harvest(clock.now() - clock.monotonicMs())
    if (ended.length > 0) {
      this.#policy.observe(ended)
      listener.ended(this.#options.index, ended)
    }
    listener.room(this.#options.index)
  }

  #giveBack(thread: Incarnation, which: (entry: Entry) => boolean): void {
    const recalled = thread.recall(which)
    if (recalled.length > 0) this.#context.listener.putBack(this.#options.index, recalled)
  }

  #watch(): void {
    if (this.#tick !== undefined || this.#seats.every((seat) => (seat.active?.entries.length ?? 0) === 0)) return
    this.#tick = this.#context.clock.setTimer(TICK_MS, () => {
      this.#tick = undefined
      this.#look()
      this.#watch()
    })
  }

  /** One look at every thread: what it finished, what is stuck behind what, what is over its limits. */
  #look(): void {
    const now = this.#context.clock.monotonicMs()
    for (const seat of this.#seats) {
      this.#harvest(seat)
      const { active: thread } = seat
      if (thread === undefined) continue
      if (this.#policy.isStuck(thread, now)) {
        this.#giveBack(thread, () => true)
        this.#context.listener.room(this.#options.index)
      }
      for (const entry of thread.entries) this.#enforce(seat, thread, entry, now)
    }
  }

  #enforce(seat: Seat, thread: Incarnation, entry: Entry, now: number): void {
    if (thread.state(entry) !== 'taken') return
    const runningMs = now - thread.startedAt(entry)
    if (runningMs >= entry.limits.softLimitMs) thread.ask(entry, 'soft-limit')
    if (runningMs < entry.limits.hardLimitMs) return
    this.#condemn(seat, thread, entry, hardLimitOutcome(entry))
  }

  #condemn(seat: Seat, thread: Incarnation, entry: Entry, verdict: Outcome): void {
    if (thread.condemn(entry, verdict) === 'lost') return
    if (this.kind === 'tier') return this.#terminate(seat, thread)
    // A lane cannot stop one job of many: it is fenced, its slot is lost until the promise ends.
    thread.abandon(entry)
    const { clock, listener } = this.#context
    const startedAt = thread.startedAt(entry) + clock.now() - clock.monotonicMs()
    listener.ended(this.#options.index, [{ job: entry.job, outcome: verdict, startedAt, endedAt: clock.now() }])
    this.#reportZombies()
    if (thread.abandoned * 2 > this.#options.concurrency) this.#recycle(seat)
  }

  #terminate(seat: Seat, thread: Incarnation): void {
    this.#giveBack(thread, () => true)
    seat.terminate(thread)
  }

  #reportZombies(): void {
    const zombies = this.#seats.reduce((sum, seat) => sum + seat.zombies + (seat.active?.abandoned ?? 0), 0)
    this.#context.listener.zombies(this.#options.index, zombies)
  }

  /** Something of an ended job still acts in the thread: it finishes what it runs and makes way for a new one. */
  #recycle(seat: Seat): void {
    const { thread } = seat
    if (thread === undefined) return
    this.#giveBack(thread, () => true)
    thread.status = 'closing'
    const idle = () => thread.entries.every((entry) => thread.state(entry) !== 'taken')
    void this.#until(idle, Number.POSITIVE_INFINITY).then(() => seat.terminate(thread))
  }

  #interrupt(seat: Seat): void {
    const { active: thread } = seat
    for (const entry of thread?.entries ?? []) thread?.condemn(entry, { type: 'interrupted', cause: 'drain' })
    seat.terminate(thread)
  }

  #startFailed(error: Error): void {
    const { clock, listener } = this.#context
    const failures = addRestart(this.#startFailures, clock.monotonicMs(), START_FAILURES)
    if (failures !== undefined) {
      this.#startFailures = failures
      return
    }
    if (this.#status === 'failed') return
    this.#status = 'failed'
    for (const seat of this.#seats) seat.leave()
    this.#becomeReady?.reject(error)
    listener.failed(this.#options.index, error)
  }

  /** Resolves when the condition holds or the time is over. */
  #until(condition: () => boolean, ms: number): Promise<void> {
    const { clock } = this.#context
    const endsAt = clock.monotonicMs() + ms
    return new Promise((resolve) => {
      const look = () => {
        for (const seat of this.#seats) this.#harvest(seat)
        if (condition() || clock.monotonicMs() >= endsAt) resolve()
        else clock.setTimer(TICK_MS, look)
      }
      look()
    })
  }
}

function hardLimitOutcome(entry: Entry): Outcome {
  const error = new MillraceError(
    'MILLRACE_HARD_LIMIT',
    `${entry.task} ran into its hard limit; got over ${entry.limits.hardLimitMs} ms, expected an end by then; ` +
      'end at the soft limit (context.signal, context.checkpoint), split the work, or raise hardLimitMs',
  )
  return { type: 'failed', error: toErrorRecord(error), retry: 'by-policy' }
}
