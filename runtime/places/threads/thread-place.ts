import type { Outcome } from '../../../lib/outcome.ts'
import type { TaskManifest } from '../../../lib/task.ts'
import { within } from '../../../lib/within.ts'
import type { ClaimedJob, Found, JobSource, Place, PlaceReport, PlaceSize, Resizing, Stuck } from '../../messages.ts'
import { BatchPolicy } from './batch-policy.ts'
import { hardLimitOutcome } from '../ends.ts'
import { ABORT_MS, EXIT_MS } from '../grace.ts'
import type { Entry, Incarnation } from './incarnation.ts'
import { Inspector } from './inspector.ts'
import { Looks } from '../looks.ts'
import { Readiness } from '../readiness.ts'
import { Seat } from './seat.ts'
import { Seats } from './seats.ts'
import { Sizer } from './sizer.ts'
import { StandIn } from './stand-in.ts'
import { StartNews } from '../start-news.ts'
import { type PlaceContext, seatsAtFirst, type ThreadPlaceOptions } from './thread-place-options.ts'
import { TierPool } from './tier-pool.ts'
import { Turnover } from './turnover.ts'
import { until } from '../until.ts'

/** A tier, or a lane on threads of its own. */
export class ThreadPlace implements Place {
  readonly name: string
  readonly kind: 'tier' | 'lane'
  readonly #options: ThreadPlaceOptions
  readonly #context: PlaceContext
  readonly #readiness: Readiness
  readonly #seats: Seats
  readonly #inspector: Inspector
  readonly #starts: StartNews
  readonly #turnover: Turnover
  readonly #sizer: Sizer
  readonly #standIn: StandIn
  readonly #policy: BatchPolicy
  #source: JobSource | undefined
  #status: 'running' | 'stopping' | 'failed' = 'running'
  readonly #looks: Looks
  #stopping: Promise<readonly Stuck[]> | undefined

  constructor(options: ThreadPlaceOptions, context: PlaceContext) {
    this.name = options.name
    this.kind = options.kind
    this.#options = options
    this.#context = context
    this.#policy = new BatchPolicy(options.concurrency, options.batchJobs)
    this.#readiness = new Readiness(context.clock, options.name)
    this.#starts = new StartNews(context)
    this.#seats = new Seats({
      ...seatsAtFirst(options, this.#policy.slots),
      open: (number, start) => this.#open(number, start),
      takeStarts: (records) => context.takeStarts(records),
    })
    this.#inspector = new Inspector({
      clock: context.clock,
      seats: this.#seats,
      news: (news) => context.listener.thread(options.index, news),
    })
    this.#looks = new Looks({
      clock: context.clock,
      wanted: () => [...this.#seats].some(({ active }) => (active?.size ?? 0) > 0),
      look: () => this.#look(),
    })
    this.#turnover = this.#turnoverOf(options)
    const resized = (resizing: Resizing) => {
      this.#turnover.resize(resizing)
      context.listener.resized(options.index, resizing)
    }
    this.#standIn = new StandIn({
      clock: context.clock,
      budget: context.budget,
      budgetMs: options.budgetMs,
      threads: () => this.#seats.working.length,
      serving: () => this.#working(),
      resized,
    })
    this.#sizer = new Sizer({
      clock: context.clock,
      budget: context.budget,
      limits: options.threads,
      standIn: this.#standIn,
      waiting: () => this.#source?.size ?? 0,
      busy: () => this.#seats.working.filter(({ active }) => active !== undefined && active.size > 0).length,
      starting: () => this.#seats.working.filter(({ active }) => active === undefined).length,
      resized,
    })
  }

  get capacity() {
    const { handJobs, handBytes } = this.#options
    return { jobs: handJobs + this.#sizer.threads * this.#policy.slots, bytes: handBytes }
  }

  get parallel(): number {
    return this.#sizer.threads * this.#options.concurrency
  }

  get ready(): Promise<readonly TaskManifest[]> {
    return this.#readiness.ready
  }

  report(): Promise<PlaceReport> {
    return this.#inspector.report()
  }

  find(number: number): Found | undefined {
    return this.#inspector.find(number)
  }

  claims(): readonly ClaimedJob[] {
    return [...this.#seats].flatMap((seat) => [...seat.entries()].map((entry) => entry.job))
  }

  pull(source: JobSource): void {
    if (this.#status !== 'running') return
    const now = this.#context.clock.monotonicMs()
    this.#source = source
    const threads = this.#working().sort((a, b) => a.size - b.size)
    for (let at = 0; at < threads.length && source.size > 0; at++) {
      const thread = threads[at] as Incarnation
      const share = Math.ceil(source.size / (threads.length - at))
      const jobs = this.#policy.take(source, Math.min(share, this.#policy.spaceOn(thread, now)))
      if (jobs.length === 0) continue
      thread.workingSince ??= now
      thread.offer(jobs.map((job) => this.#describe(job)))
      this.#sizer.took(jobs.length)
    }
    this.#looks.start()
  }

  recall(which: (job: ClaimedJob) => boolean): void {
    for (const { thread } of this.#seats) {
      if (thread !== undefined) this.#giveBack(thread, (entry) => which(entry.job))
    }
  }

  takeBack(numbers: ReadonlySet<number>): readonly ClaimedJob[] {
    const jobs = this.#seats.takeBack(numbers)
    this.#sizer.took(-jobs.length)
    return jobs
  }

  cancel(number: number, mode: 'abort' | 'terminate'): 'aborted' | 'absent' {
    for (const seat of this.#seats) {
      const { active: thread } = seat
      const entry = thread?.find(number)
      if (entry === undefined || thread === undefined) continue
      thread.ask(entry, 'cancel')
      if (mode === 'terminate') this.#condemn(seat, thread, entry, { type: 'cancelled' })
      return 'aborted'
    }
    return 'absent'
  }

  resize(size: PlaceSize): 'resized' | 'refused' | 'over-budget' {
    if (size.type !== 'threads' || this.#status !== 'running') return 'refused'
    if (!this.#sizer.affords(size)) return 'over-budget'
    this.#sizer.setLimits(size)
    return 'resized'
  }

  /** Again it is the same stop. */
  stop(graceMs: number): Promise<readonly Stuck[]> {
    this.#stopping ??= this.#stop(graceMs)
    return this.#stopping
  }

  async #stop(graceMs: number): Promise<readonly Stuck[]> {
    const { clock } = this.#context
    const endsAt = clock.monotonicMs() + graceMs + ABORT_MS + EXIT_MS
    this.#status = 'stopping'
    for (const { thread } of this.#seats) if (thread !== undefined) this.#giveBack(thread, () => true)
    const idle = () => [...this.#seats].every((seat) => [...seat.entries()].length === 0)
    await this.#until(idle, graceMs)
    for (const { active } of this.#seats) for (const entry of active?.entries ?? []) active?.ask(entry, 'drain')
    await this.#until(idle, ABORT_MS)
    for (const seat of this.#seats) {
      if ([...seat.entries()].length > 0) this.#interrupt(seat)
      seat.leave()
    }
    const left = Promise.all([...this.#seats].map((seat) => seat.left))
    // Threads tear down what their modules have set up, in what is left of the grace.
    await within(clock, Math.max(endsAt - clock.monotonicMs(), EXIT_MS), left, () => undefined)
    this.#looks.stop()
    this.#sizer.stop()
    const stuck = this.claims().map((job) => ({ place: this.name, number: job.number }))
    const destroyed = Promise.all([...this.#seats].map((seat) => seat.destroy()))
    // A thread in a native call would be waited for until that returns.
    if (stuck.length === 0) await destroyed
    else destroyed.catch(() => {})
    return stuck
  }

  #working(): Incarnation[] {
    const threads: Incarnation[] = []
    for (const { thread } of this.#seats.working) if (thread !== undefined) threads.push(thread)
    return threads
  }

  #turnoverOf({ index, recycle }: ThreadPlaceOptions): Turnover {
    const { clock, listener } = this.#context
    return new Turnover({
      clock,
      seats: this.#seats,
      recycle,
      giveBack: (thread) => this.#giveBack(thread, () => true),
      until: (condition) => this.#until(condition, Number.POSITIVE_INFINITY),
      recycled: (cause, usage) => listener.recycled(index, cause, usage),
      relieved: () => listener.room(index),
    })
  }

  #open(number: number, firstStart: number): Seat {
    const { clock, children, listener, thread, journal, early } = this.#context
    const { index, concurrency, recycle, maxHeapMb } = this.#options
    const pool = early.take(index) ?? new TierPool(1, thread, { maxHeapMb, clock })
    const memory = recycle?.memoryMb === undefined ? 'ignored' : 'measured'
    return new Seat(
      { number, pool, journal, clock, slots: this.#policy.slots, concurrency, firstStart, memory, children },
      {
        serving: (tasks) => this.#readiness.serves(tasks),
        progressed: (seat) => this.#harvest(seat),
        progress: (number, task, value) => listener.progress(number, task, value),
        stray: (number, error) => listener.stray(index, number, error),
        tainted: (seat) => this.#recycle(seat),
        exited: (ended, unstarted) => {
          if (unstarted.length > 0) listener.putBack(index, unstarted)
          if (ended.length > 0) listener.ended(index, ended)
        },
        hung: (seat, thread) => {
          this.#inspector.hung(seat, thread)
          this.#reportZombies()
        },
        zombieEnded: () => this.#reportZombies(),
        hopeless: () => listener.hopeless(index, this.#seats.hopeless),
        died: (seat, jobs, error) => this.#inspector.died(seat, jobs, error),
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
    this.#turnover.recycleIfDue(seat)
    listener.room(this.#options.index)
  }

  #giveBack(thread: Incarnation, which: (entry: Entry) => boolean): void {
    const recalled = thread.recall(which)
    if (recalled.length === 0) return
    this.#sizer.took(-recalled.length)
    this.#context.listener.putBack(this.#options.index, recalled)
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
      const begun = thread.begun()
      this.#starts.tell(begun)
      for (const { entry, startedAt } of begun) this.#enforce(seat, thread, entry, now - startedAt)
      if (thread.abandoned > 0)
        this.#inspector.sharedLoop(seat, thread).endBehindGivenUp(() => this.#terminate(seat, thread))
    }
    this.#inspector.look(now)
    this.#standIn.look(now)
  }

  #enforce(seat: Seat, thread: Incarnation, entry: Entry, runningMs: number): void {
    if (this.kind === 'tier') this.#context.listener.runs(entry.job, runningMs)
    if (runningMs >= entry.limits.softLimitMs) thread.ask(entry, 'soft-limit')
    if (runningMs < entry.limits.hardLimitMs) return
    this.#condemn(seat, thread, entry, hardLimitOutcome(entry))
  }

  #condemn(seat: Seat, thread: Incarnation, entry: Entry, verdict: Outcome): void {
    const loop = this.kind === 'tier' ? undefined : this.#inspector.sharedLoop(seat, thread)
    if (thread.condemn(entry, loop?.verdictOn(entry, verdict) ?? verdict) === 'lost') return
    if (loop?.turnsWithout(entry, verdict) !== true) {
      this.#terminate(seat, thread)
      return loop?.condemnBeside(entry, verdict)
    }
    // A lane cannot stop one job of many: it is fenced, its slot is lost until the promise ends.
    this.#context.listener.ended(this.#options.index, [thread.abandon(entry, this.#context.clock)])
    this.#reportZombies()
    if (thread.abandoned * 2 > this.#options.concurrency) this.#recycle(seat)
  }

  /** A place that stops ends all its threads anyway. */
  #recycle(seat: Seat): void {
    if (this.#status === 'running') this.#turnover.recycle(seat, 'stray')
  }

  /** What has not begun goes back before anybody is condemned: else it might begin, and be charged for the thread's end. */
  #terminate(seat: Seat, thread: Incarnation): void {
    this.#turnover.relieve(seat)
    this.#giveBack(thread, () => true)
    seat.terminate(thread)
  }

  #reportZombies(): void {
    this.#context.listener.zombies(this.#options.index, this.#seats.zombies)
  }

  #interrupt(seat: Seat): void {
    const { active: thread } = seat
    for (const entry of thread?.entries ?? []) thread?.condemn(entry, { type: 'interrupted', cause: 'drain' })
    seat.terminate(thread)
  }

  /** What runs on threads that did start is given back by the stop that follows: it has nothing to do with this. */
  #startFailed(error: Error): void {
    if (this.#readiness.failed() === 'try again' || this.#status !== 'running') return
    this.#status = 'failed'
    this.#sizer.stop()
    for (const seat of this.#seats) if (seat.active === undefined) seat.leave()
    this.#readiness.giveUp(error)
    this.#context.listener.failed(this.#options.index, error)
  }

  /** Resolves when the condition holds or the time is over. */
  #until(condition: () => boolean, ms: number): Promise<void> {
    const look = () => {
      for (const seat of this.#seats) this.#harvest(seat)
      return condition()
    }
    return until(this.#context.clock, look, ms)
  }
}
