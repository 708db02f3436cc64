import type { Outcome } from '../../../lib/outcome.ts'
import { causeToRecycle, memoryToLeaveMb, type RecycleCause, type RecycleLimits } from '../../../lib/recycle.ts'
import type { TaskManifest } from '../../../lib/task.ts'
import type { ClaimedJob, Ended, Found, JobSource, Place, PlaceReport, Stuck } from '../../messages.ts'
import { endedEarly, endedUnasked, lateExit, NEIGHBOUR, type ProcessEnd, processEndOutcome } from '../ends.ts'
import { runningOf } from './process-inspector.ts'
import type { ProcessLife } from './process-life.ts'
import { ProcessLives } from './process-lives.ts'
import { Readiness } from '../readiness.ts'
import type { PlaceContext } from '../threads/thread-place-options.ts'

export interface ProcessPlaceOptions {
  readonly name: string
  /** Its index among all places. */
  readonly index: number
  readonly processes: number
  readonly handJobs: number
  readonly handBytes: number
  readonly maxMemoryMb: number | undefined
  readonly recycle: RecycleLimits | undefined
  /** The first of its records in the starts file. */
  readonly firstStart: number
}

/** Records in the starts file that are laid out for it: one more, since a process that makes way keeps its own. */
export function recordsFor(processes: number): number {
  return processes + 1
}

/** An idle process that dies is replaced after this long, so that one that always dies is not started without end. */
const PAUSE_MS = 100

/** A process that was killed and is there after this long is stuck in the kernel. */
const ZOMBIE_MS = 5_000

/** A chair for one process at a time. */
interface ProcessSeat {
  readonly number: number
  life: ProcessLife | undefined
}

/** A tier of processes, with one more that is ready to take the place of any of them. */
export class ProcessPlace implements Place {
  readonly name: string
  readonly kind = 'tier'
  readonly capacity: { readonly jobs: number; readonly bytes: number }
  readonly parallel: number
  readonly #options: ProcessPlaceOptions
  readonly #context: PlaceContext
  readonly #seats: readonly ProcessSeat[]
  /** Whether they have a seat or not. */
  readonly #lives: ProcessLives
  /** Records in the starts file that no process has. */
  readonly #freeRecords: number[]
  #spare: ProcessLife | undefined
  /** Processes that were killed and have not exited, as they should have. */
  readonly #hung = new Set<ProcessLife>()
  readonly #readiness: Readiness
  #status: 'running' | 'stopping' | 'failed' = 'running'
  #restarts = 0
  #stopping: Promise<readonly Stuck[]> | undefined

  constructor(options: ProcessPlaceOptions, context: PlaceContext) {
    this.name = options.name
    this.#options = options
    this.#context = context
    this.parallel = options.processes
    this.capacity = { jobs: options.handJobs + options.processes, bytes: options.handBytes }
    this.#readiness = new Readiness(context.clock, options.name)
    this.#lives = new ProcessLives(
      {
        place: options.name,
        index: options.index,
        ready: (_, tasks) => this.#becameReady(tasks),
        stray: (life) => this.#retire(life, 'stray'),
        ended: (life, ended) => this.#report(life, [ended]),
        exited: (life, end) => this.#exited(life, end),
        end: (life, verdict) => this.#end(life, verdict),
        runs: (job, ms) => context.listener.runs(job, ms),
      },
      context,
    )
    this.#freeRecords = Array.from({ length: recordsFor(options.processes) }, (_, at) => options.firstStart + at)
    this.#seats = Array.from({ length: options.processes }, (_, number) => ({ number, life: this.#start(number) }))
  }

  get ready(): Promise<readonly TaskManifest[]> {
    return this.#readiness.ready
  }

  async report(): Promise<PlaceReport> {
    const threads = await this.#lives.inspector.report()
    return { threads, zombies: this.#hung.size, restarts: this.#restarts }
  }

  find(number: number): Found | undefined {
    return this.#lives.inspector.find(number)
  }

  claims(): readonly ClaimedJob[] {
    return [...this.#lives].flatMap(({ entry }) => (entry === undefined ? [] : [entry.job]))
  }

  pull(source: JobSource): void {
    if (this.#status !== 'running') return
    for (const { life } of this.#seats) {
      if (life?.isFree !== true) continue
      const job = source.take()
      if (job === undefined) break
      this.#lives.run(life, job, this.#recordOf(life))
    }
  }

  /** Its own until it has exited: when it makes way its job may still run, and its successor's begins. */
  #recordOf(life: ProcessLife): number {
    life.record ??= this.#freeRecords.pop() ?? this.#context.takeStarts(1)
    return life.record
  }

  recall(): void {
    // A process has no job but the one that is its own: there is nothing to take back.
  }

  takeBack(): readonly [] {
    return []
  }

  cancel(number: number, mode: 'abort' | 'terminate'): 'aborted' | 'absent' {
    const life = [...this.#lives].find(({ entry }) => entry?.job.number === number)
    if (life === undefined) return 'absent'
    life.ask('cancel')
    if (mode === 'terminate') this.#end(life, { type: 'cancelled' })
    return 'aborted'
  }

  resize(): 'refused' {
    return 'refused'
  }

  /** Again it is the same stop. */
  stop(graceMs: number): Promise<readonly Stuck[]> {
    this.#stopping ??= this.#stop(graceMs)
    return this.#stopping
  }

  async #stop(graceMs: number): Promise<readonly Stuck[]> {
    this.#status = 'stopping'
    await this.#lives.stop(graceMs, () => [...this.#lives].every(({ entry }) => entry === undefined))
    return this.claims().map((job) => ({ place: this.name, number: job.number }))
  }

  #start(number: number): ProcessLife {
    const { maxMemoryMb } = this.#options
    return this.#lives.start(number, maxMemoryMb, maxMemoryMb)
  }

  #becameReady(tasks: readonly TaskManifest[]): void {
    this.#readiness.serves(tasks)
    this.#keepSpare()
    for (const seat of this.#seats) if (seat.life?.isFree === true) this.#retireIfDue(seat.life)
    this.#context.listener.room(this.#options.index)
  }

  #report(life: ProcessLife, ended: readonly Ended[]): void {
    const { listener } = this.#context
    if (life.status === 'leaving') life.leave()
    else this.#retireIfDue(life)
    listener.ended(this.#options.index, ended)
    listener.room(this.#options.index)
  }

  /** It waits until the spare is ready: so far this process serves on. */
  #retireIfDue(life: ProcessLife): void {
    if (this.#spare?.status !== 'ready' || this.#seatOf(life) === undefined) return
    const cause = causeToRecycle(this.#limitsOf(life), life.usage)
    if (cause !== undefined) this.#retire(life, cause)
  }

  #limitsOf({ baseBytes }: ProcessLife): RecycleLimits {
    const { recycle, maxMemoryMb } = this.#options
    if (maxMemoryMb === undefined || recycle?.memoryMb !== undefined) return recycle ?? {}
    return { ...recycle, memoryMb: memoryToLeaveMb(maxMemoryMb, baseBytes / 2 ** 20) }
  }

  /** It finishes what it runs, if anything, and another one has its seat. */
  #retire(life: ProcessLife, cause: RecycleCause): void {
    const seat = this.#seatOf(life)
    if (seat === undefined || this.#status !== 'running') return
    this.#context.listener.recycled(this.#options.index, cause, life.usage)
    life.leave()
    this.#fill(seat)
  }

  /** Kills it; its job is free again when it has exited, its seat at once. */
  #end(life: ProcessLife, verdict: Outcome | undefined): void {
    if (life.status === 'ending') return
    life.condemn(verdict)
    this.#fill(this.#seatOf(life))
    const late = this.#context.clock.setTimer(ZOMBIE_MS, () => this.#tellHung(life))
    late.unref()
    void life.exited.then(() => {
      late.cancel()
      if (this.#hung.delete(life)) this.#reportZombies()
    })
  }

  #tellHung(life: ProcessLife): void {
    const { listener } = this.#context
    const { index } = this.#options
    this.#hung.add(life)
    const running = life.entry === undefined ? undefined : runningOf(life.entry)
    listener.thread(index, { type: 'hung', thread: life.number, jobs: running === undefined ? [] : [running] })
    this.#reportZombies()
    listener.hopeless(index, this.#hung.size)
  }

  #reportZombies(): void {
    this.#context.listener.zombies(this.#options.index, this.#hung.size)
  }

  #fill(seat: ProcessSeat | undefined): void {
    if (seat === undefined || this.#status !== 'running') return
    this.#restarts++
    seat.life = this.#spare ?? this.#start(seat.number)
    seat.life.number = seat.number
    this.#spare = undefined
    this.#keepSpare()
    if (seat.life.status === 'ready') this.#context.listener.room(this.#options.index)
  }

  #keepSpare(): void {
    if (this.#status === 'running') this.#spare ??= this.#start(this.#seats.length)
  }

  #exited(life: ProcessLife, end: ProcessEnd): void {
    const { clock, listener } = this.#context
    const { index, maxMemoryMb } = this.#options
    const { entry } = life
    this.#tellUnasked(life, end)
    life.entry = undefined
    if (life.record !== undefined) this.#freeRecords.push(life.record)
    if (life.start !== 'started') this.#startFailed(life, life.start ?? endedEarly(end))
    else this.#replace(life, entry?.begunAt === undefined ? PAUSE_MS : 0)
    if (entry === undefined) return
    const { job, begunAt, verdict } = entry
    if (begunAt === undefined && verdict === undefined) return listener.putBack(index, [job])
    const outcome = verdict ?? (life.wasEndedByAnotherThan(job) ? NEIGHBOUR : processEndOutcome(end, maxMemoryMb))
    const startedAt = begunAt === undefined ? undefined : begunAt + clock.now() - clock.monotonicMs()
    listener.ended(index, [{ job, outcome, startedAt, endedAt: clock.now() }])
    listener.room(index)
  }

  /** One that was told to end has no seat any more. */
  #tellUnasked(life: ProcessLife, end: ProcessEnd): void {
    const { listener } = this.#context
    const { index } = this.#options
    const { entry, endedBy, number, start } = life
    if (life.wasEndedByAnotherThan(entry?.job)) listener.stray(index, endedBy, lateExit('process'))
    const hasSeat = life === this.#spare || this.#seatOf(life) !== undefined
    if (!hasSeat || start !== 'started' || this.#status !== 'running') return
    const running = entry === undefined ? undefined : runningOf(entry)
    const jobs = running === undefined ? [] : [running]
    listener.thread(index, { type: 'died', thread: number, jobs, error: endedUnasked(end) })
  }

  /** One that was given up has been replaced already. */
  #replace(life: ProcessLife, afterMs: number): void {
    const seat = this.#seatOf(life)
    if (seat === undefined && life !== this.#spare) return
    if (life === this.#spare) this.#spare = undefined
    if (seat !== undefined) seat.life = undefined
    const replace = () => (seat === undefined ? this.#keepSpare() : this.#fill(seat))
    if (afterMs === 0) replace()
    else this.#context.clock.setTimer(afterMs, replace).unref()
  }

  #startFailed(life: ProcessLife, error: Error): void {
    if (this.#readiness.failed() === 'try again') return this.#replace(life, PAUSE_MS)
    if (this.#status !== 'running') return
    this.#status = 'failed'
    for (const each of this.#lives) each.leave()
    this.#readiness.giveUp(error)
    this.#context.listener.failed(this.#options.index, error)
  }

  #seatOf(life: ProcessLife): ProcessSeat | undefined {
    return this.#seats.find((seat) => seat.life === life)
  }
}
