import type { ChildProcess } from 'node:child_process'
import type { Readable } from 'node:stream'
import { type Clock, nextTurn, type Timer } from '../../../lib/clock.ts'
import type { Outcome } from '../../../lib/outcome.ts'
import type { Usage } from '../../../lib/recycle.ts'
import { within } from '../../../lib/within.ts'
import type { Limits } from '../../catalog.ts'
import type { ClaimedJob, Ended } from '../../messages.ts'
import type { ProcessEnd } from '../ends.ts'
import { type FromProcess, LAST_WORDS, type ProcessData, type ToProcess } from './process-protocol.ts'
import { startProcess } from './process-start.ts'
import type { AbortReason } from '../thread-protocol.ts'

/** The claim that a process has: its own from the moment at which it was sent, whether it has begun or not. */
export interface ProcessEntry {
  readonly job: ClaimedJob
  readonly task: string
  readonly limits: Limits
  /** Monotonic ms. */
  readonly sentAt: number
  /** When the place heard that the handler is called, in monotonic ms; the limits count from there. */
  begunAt: number | undefined
  asked: AbortReason | undefined
  /** Why it was given up; its outcome unless it has ended by itself before the process has exited. */
  verdict: Outcome | undefined
}

/** What a process tells its place. */
export interface ProcessListener {
  received(life: ProcessLife, message: Exclude<FromProcess, { type: 'begun' | 'ended' | 'leaves' }>): void
  ended(life: ProcessLife, ended: Ended): void
  /** It has exited, and all that it had said before has been read. */
  exited(life: ProcessLife, end: ProcessEnd): void
}

/** What a process has said is read within this time of its exit, unless somebody else holds its channel. */
const LAST_WORDS_MS = 1_000

const NEVER_STARTED = { code: null, signal: null }

/** What its modules get for their teardown. */
const TEARDOWN_MS = 5_000

/**
 * One life of a process, from the place's side. It gets one job at a time. What is not said for certain is never
 * guessed: a job is free again only when its end was read from the channel, or when the process has exited.
 */
export class ProcessLife {
  /** `undefined` where the system would not start one. */
  readonly #child: ChildProcess | undefined
  /** The number of its seat, or of the one that it had; the spare's comes after them. */
  number: number
  readonly #clock: Clock
  readonly #listener: ProcessListener
  #lastWords = ''
  #farewell: Timer | undefined
  /** 'ready' once it has loaded its tasks; 'leaving' when it gets no more work; 'ending' when it is killed. */
  status: 'starting' | 'ready' | 'leaving' | 'ending' | 'exited' = 'starting'
  /** Why it could not start, once that is known; 'started' when it has been ready. */
  start: Error | 'started' | undefined
  entry: ProcessEntry | undefined
  /** In the starts file, from its first job on. */
  record: number | undefined
  /** The job whose code has ended it, if that is known. */
  endedBy: number | undefined
  /** Monotonic ms at which it was killed. */
  toldToEndAt: number | undefined
  #jobs = 0
  #workingSince: number | undefined
  #memoryBytes = 0
  /** With nothing but its modules. */
  baseBytes = 0
  readonly exited: Promise<void>

  constructor(
    options: {
      readonly place: string
      readonly number: number
      readonly data: ProcessData
      readonly heapMb: number | undefined
      readonly clock: Clock
    },
    listener: ProcessListener,
  ) {
    this.number = options.number
    this.#clock = options.clock
    this.#listener = listener
    this.#child = this.#spawn(options.place, options.heapMb)
    this.#child?.on('message', (message) => this.#received(message as FromProcess))
    // One that has closed its channel cannot be talked to any more.
    this.#child?.once('disconnect', () => this.kill())
    // Where there are no descriptors left there are no streams either.
    const lastWords = this.#child?.stdio?.[LAST_WORDS] as Readable | null | undefined
    lastWords?.on('data', (words: Buffer) => {
      this.#lastWords += words.toString()
    })
    lastWords?.on('error', () => {})
    this.exited = this.#awaitExit()
    this.post({ type: 'begin', data: options.data })
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Whether it can be given a job. */
  get isFree(): boolean {
    return this.status === 'ready' && this.entry === undefined
  }

  /** Code that a job has left behind after its end has ended it, whatever ran in it by then. */
  wasEndedByAnotherThan(job: ClaimedJob | undefined): boolean {
    return this.endedBy !== undefined && this.endedBy !== job?.number
  }

  get usage(): Usage {
    const now = this.#clock.monotonicMs()
    return {
      jobs: this.#jobs,
      ageMs: now - (this.#workingSince ?? now),
      memoryMb: this.#memoryBytes / 2 ** 20,
    }
  }

  becomeReady(memoryBytes: number): void {
    this.status = 'ready'
    this.start = 'started'
    this.baseBytes = memoryBytes
  }

  /** What is lost on the way to a process that has died is found when its exit is heard of. */
  post(message: ToProcess): void {
    if (this.#child?.connected === true) this.#child.send(message, () => {})
  }

  run(job: ClaimedJob, { task, limits }: { readonly task: string; readonly limits: Limits }, record: number): void {
    const sentAt = this.#clock.monotonicMs()
    this.#workingSince ??= sentAt
    this.entry = { job, task, limits, sentAt, begunAt: undefined, asked: undefined, verdict: undefined }
    const { number, claim, attempt, input } = job
    const overrides = job.extra?.overrides ?? null
    this.post({ type: 'job', job: { number, task, claim, attempt, input, overrides, start: record } })
  }

  ask(reason: AbortReason): void {
    const { entry } = this
    if (entry === undefined || entry.asked !== undefined) return
    entry.asked = reason
    this.post({ type: 'abort', number: entry.job.number, claim: entry.job.claim, reason })
  }

  /** Ends it, with all that it has started; `verdict` is what becomes of its job, unless that has just ended. */
  condemn(verdict: Outcome | undefined): void {
    if (this.entry !== undefined) this.entry.verdict ??= verdict
    this.kill()
  }

  /** It has nothing to do any more, and ends by itself. */
  leave(): void {
    if (this.status === 'starting') return this.kill()
    if (this.status === 'ready') this.status = 'leaving'
    if (this.status !== 'leaving' || this.entry !== undefined || this.#farewell !== undefined) return
    this.post({ type: 'stop' })
    this.#farewell = this.#clock.setTimer(TEARDOWN_MS, () => this.kill())
    this.#farewell.unref()
  }

  kill(): void {
    if (this.status === 'exited') return
    this.status = 'ending'
    this.toldToEndAt ??= this.#clock.monotonicMs()
    this.#killGroup()
  }

  #received(message: FromProcess): void {
    switch (message.type) {
      case 'begun':
        if (this.entry !== undefined) this.entry.begunAt = this.#clock.monotonicMs()
        return
      case 'ended':
        return this.#ended(message)
      case 'leaves':
        this.endedBy = message.number
        return
      default:
        return this.#listener.received(this, message)
    }
  }

  #ended({ outcome, startedAt, endedAt, memoryBytes }: Extract<FromProcess, { type: 'ended' }>): void {
    const { entry } = this
    if (entry === undefined) return
    this.entry = undefined
    this.#jobs++
    this.#memoryBytes = memoryBytes
    this.#listener.ended(this, { job: entry.job, outcome, startedAt, endedAt })
  }

  #spawn(place: string, heapMb: number | undefined): ChildProcess | undefined {
    try {
      return startProcess(place, heapMb)
    } catch (error) {
      this.start = error as Error
      return undefined
    }
  }

  async #awaitExit(): Promise<void> {
    const child = this.#child
    const { code, signal } = child === undefined ? NEVER_STARTED : await this.#exitOf(child)
    // Whoever makes a life hears of its end later, also where there was none.
    await nextTurn(this.#clock)
    this.status = 'exited'
    this.#farewell?.cancel()
    const memory = Number.parseInt(this.#lastWords, 10)
    this.#listener.exited(this, { code, signal, memoryBytes: Number.isNaN(memory) ? undefined : memory })
  }

  /** All that it had to say has been read by then. */
  async #exitOf(child: ChildProcess): Promise<Pick<ProcessEnd, 'code' | 'signal'>> {
    const closed = new Promise<void>((resolve) => child.once('close', () => resolve()))
    const disconnected = new Promise<void>((resolve) => child.once('disconnect', resolve))
    const end = await new Promise<Pick<ProcessEnd, 'code' | 'signal'>>((resolve) => {
      child.once('exit', (code, signal) => resolve({ code, signal }))
      child.once('error', (error) => {
        if (child.pid !== undefined) return
        this.start = error
        resolve(NEVER_STARTED)
      })
    })
    this.#killGroup()
    if (child.pid !== undefined)
      await within(this.#clock, LAST_WORDS_MS, Promise.all([closed, disconnected]), () => undefined)
    return end
  }

  #killGroup(): void {
    const { pid } = this
    if (pid === undefined) return
    try {
      process.kill(-pid, 'SIGKILL')
    } catch {
      // Nobody is left in it.
    }
  }
}
