import { totalmem } from 'node:os'
import type { Timer } from '../../../lib/clock.ts'
import { MillraceError } from '../../../lib/errors.ts'
import type { Outcome } from '../../../lib/outcome.ts'
import type { ClaimedJob, Ended, Found, JobSource, Place, PlaceListener, PlaceReport, Stuck } from '../../messages.ts'
import { endedEarly, type ProcessEnd, processEndOutcome, poisonOutcome } from '../ends.ts'
import type { ProcessLife } from './process-life.ts'
import { ProcessLives } from './process-lives.ts'
import type { PlaceContext } from '../threads/thread-place-options.ts'

export interface TrialPlaceOptions {
  /** Its index, behind all places that tasks are routed to. */
  readonly index: number
  /** The record of its suspect in the starts file. */
  readonly start: number
  /** The limit of a task's own tier of processes, where it has one. */
  maxMemoryMbOf(job: ClaimedJob): number | undefined
}

export interface TrialListener extends PlaceListener {
  /** A suspect has ended, and how many processes have died with it. */
  tried(job: ClaimedJob, verdict: 'cleared' | 'poison', deaths: number): void
  /** No process can be started: suspects wait. */
  postponed(error: Error): void
}

/** A suspect whose process dies so many times is poison. */
const DEATHS = 2

/** A process waits this long for another suspect. */
const IDLE_MS = 1_000

/** Suspects that are claimed already when no process can be started go back within this time. */
const POSTPONED_MS = 5_000

/**
 * A suspect waits, the longer the more deaths of the service it has seen: should even its trial end the service, that is
 * not ended all the time.
 */
const FIRST_WAIT_MS = 100
const LONGEST_WAIT_MS = 10_000
const FEWEST_CRASHES = 3

interface Trial {
  readonly job: ClaimedJob
  /** Processes that have died with it. */
  readonly deaths: ProcessEnd[]
}

/**
 * Where suspects run: one at a time, in a process that is started when there is one, whatever place their task has. What
 * takes its process down does it here, where somebody sees it.
 */
export class TrialPlace implements Place {
  readonly name = 'trial'
  readonly kind = 'tier'
  /** No task is routed here. */
  readonly ready = Promise.resolve([])
  readonly capacity = { jobs: 0, bytes: 0 }
  readonly parallel = 1
  readonly #options: TrialPlaceOptions
  readonly #context: PlaceContext & { readonly listener: TrialListener }
  readonly #lives: ProcessLives
  /** The one that the present suspect has, or the next one may have. */
  #life: ProcessLife | undefined
  #maxMemoryMb: number | undefined
  #trial: Trial | undefined
  #wait: Timer | undefined
  #idle: Timer | undefined
  #status: 'running' | 'stopping' = 'running'
  #stopping: Promise<readonly Stuck[]> | undefined
  /** No process can be started: until then suspects go back as they come. */
  #postponedUntil = Number.NEGATIVE_INFINITY

  constructor(options: TrialPlaceOptions, context: PlaceContext & { readonly listener: TrialListener }) {
    this.#options = options
    this.#context = context
    this.#lives = new ProcessLives(
      {
        place: this.name,
        index: options.index,
        ready: () => this.#run(),
        stray: (life) => life.leave(),
        ended: (life, { outcome, ...times }) => {
          if (life.status === 'leaving') life.leave()
          this.#end(outcome, times)
        },
        exited: (life, end) => this.#exited(life, end),
        end: (life, verdict) => life.condemn(verdict),
        // How long a trial takes says nothing about the tier of its task.
        runs: () => {},
      },
      context,
    )
  }

  async report(): Promise<PlaceReport> {
    return { threads: await this.#lives.inspector.report(), zombies: 0, restarts: 0 }
  }

  /** A suspect that waits for its process stands nowhere yet. */
  find(number: number): Found | undefined {
    return this.#lives.inspector.find(number)
  }

  claims(): readonly ClaimedJob[] {
    return this.#trial === undefined ? [] : [this.#trial.job]
  }

  pull(source: JobSource): void {
    if (this.#status !== 'running' || this.#trial !== undefined) return
    const job = source.take()
    if (job === undefined) return
    if (this.#context.clock.monotonicMs() < this.#postponedUntil) this.#giveBackAll(job, source)
    else this.#begin({ job, deaths: [] })
  }

  recall(which: (job: ClaimedJob) => boolean): void {
    const job = this.#letGo(which)
    if (job !== undefined) this.#context.listener.putBack(this.#options.index, [job])
  }

  takeBack(numbers: ReadonlySet<number>): readonly ClaimedJob[] {
    const job = this.#letGo(({ number }) => numbers.has(number))
    if (job === undefined) return []
    this.#context.listener.room(this.#options.index)
    return [job]
  }

  cancel(number: number, mode: 'abort' | 'terminate'): 'aborted' | 'absent' {
    const trial = this.#trial
    if (trial?.job.number !== number) return 'absent'
    if (this.#life?.entry === undefined) this.#end({ type: 'cancelled' }, undefined)
    else {
      this.#life.ask('cancel')
      if (mode === 'terminate') this.#life.condemn({ type: 'cancelled' })
    }
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
    this.#idle?.cancel()
    if (this.#life?.entry === undefined) this.#end({ type: 'interrupted', cause: 'drain' }, undefined)
    await this.#lives.stop(graceMs, () => this.#trial === undefined)
    return this.claims().map((job) => ({ place: this.name, number: job.number }))
  }

  /** What waits for its first process has not started. */
  #letGo(which: (job: ClaimedJob) => boolean): ClaimedJob | undefined {
    const trial = this.#trial
    if (trial === undefined || this.#life?.entry !== undefined || trial.deaths.length > 0) return undefined
    if (!which(trial.job)) return undefined
    this.#wait?.cancel()
    this.#trial = undefined
    this.#restLater()
    return trial.job
  }

  #begin(trial: Trial): void {
    const { clock } = this.#context
    this.#trial = trial
    this.#idle?.cancel()
    const crashes = trial.job.extra?.crashes ?? FEWEST_CRASHES
    const waitMs = crashes <= FEWEST_CRASHES ? 0 : FIRST_WAIT_MS * 2 ** (crashes - FEWEST_CRASHES)
    this.#wait = clock.setTimer(Math.min(LONGEST_WAIT_MS, waitMs), () => this.#run())
  }

  /** In the process that is there, if it may have as much memory as this one's task; else in another. */
  #run(): void {
    const trial = this.#trial
    if (trial === undefined || this.#life?.entry !== undefined) return
    const maxMemoryMb = this.#options.maxMemoryMbOf(trial.job)
    if (this.#life?.isFree !== true || this.#maxMemoryMb !== maxMemoryMb) return this.#start(maxMemoryMb)
    this.#lives.run(this.#life, trial.job, this.#options.start)
  }

  #start(maxMemoryMb: number | undefined): void {
    this.#life?.leave()
    this.#maxMemoryMb = maxMemoryMb
    this.#life = this.#lives.start(0, maxMemoryMb ?? halfOfTheMachineMb(), maxMemoryMb)
  }

  #exited(life: ProcessLife, end: ProcessEnd): void {
    const { clock } = this.#context
    const { entry } = life
    life.entry = undefined
    if (life !== this.#life) return
    this.#life = undefined
    const trial = this.#trial
    if (trial === undefined) return
    if (entry === undefined) {
      // One that was idle is missed by nobody; else it was started for this suspect, and cannot start.
      if (life.start !== 'started') this.#postpone(life.start ?? endedEarly(end))
      return
    }
    const { begunAt, verdict } = entry
    if (verdict === undefined && (begunAt === undefined || life.wasEndedByAnotherThan(trial.job))) return this.#run()
    const startedAt = begunAt === undefined ? undefined : begunAt + clock.now() - clock.monotonicMs()
    const times = { startedAt, endedAt: clock.now() }
    if (verdict !== undefined) return this.#end(verdict, times)
    const ownLimit = this.#options.maxMemoryMbOf(trial.job)
    if (end.memoryBytes !== undefined && ownLimit !== undefined) {
      return this.#end(processEndOutcome(end, ownLimit), times)
    }
    trial.deaths.push(end)
    if (trial.deaths.length < DEATHS && this.#status === 'running') return this.#run()
    this.#end(trial.deaths.length < DEATHS ? GIVEN_BACK : poisonOutcome(trial.deaths), times)
  }

  #end(outcome: Outcome, times: Pick<Ended, 'startedAt' | 'endedAt'> | undefined): void {
    const trial = this.#trial
    if (trial === undefined) return
    const { listener } = this.#context
    const { index } = this.#options
    const { job, deaths } = trial
    this.#wait?.cancel()
    this.#trial = undefined
    listener.ended(index, [{ job, outcome, startedAt: times?.startedAt, endedAt: times?.endedAt }])
    if (outcome.type !== 'interrupted') {
      listener.tried(job, deaths.length < DEATHS ? 'cleared' : 'poison', deaths.length)
    }
    if (this.#status !== 'running') return
    this.#restLater()
    listener.room(index)
  }

  #restLater(): void {
    this.#idle?.cancel()
    this.#idle = this.#context.clock.setTimer(IDLE_MS, () => this.#rest())
    this.#idle.unref()
  }

  #rest(): void {
    if (this.#trial !== undefined) return
    this.#life?.leave()
    this.#life = undefined
  }

  #postpone(cause: Error): void {
    const { clock, listener } = this.#context
    this.#postponedUntil = clock.monotonicMs() + POSTPONED_MS
    listener.postponed(
      new MillraceError(
        'MILLRACE_TRIAL_POSTPONED',
        `no process can be started for the trial of jobs that were there at several deaths of the service: ` +
          `${cause.message}; they wait, and everything else goes on; mend the cause, it is tried again each minute`,
        { cause },
      ),
    )
    this.#end(GIVEN_BACK, undefined)
  }

  #giveBackAll(first: ClaimedJob, source: JobSource): void {
    const ended: Ended[] = []
    for (let job: ClaimedJob | undefined = first; job !== undefined; job = source.take()) {
      ended.push({ job, outcome: GIVEN_BACK, startedAt: undefined, endedAt: undefined })
    }
    this.#context.listener.ended(this.#options.index, ended)
  }
}

const GIVEN_BACK: Outcome = { type: 'interrupted', cause: 'recalled' }

/** A suspect that needs more shall not take the machine along. */
function halfOfTheMachineMb(): number {
  return Math.floor(Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY) / 2 ** 21)
}
