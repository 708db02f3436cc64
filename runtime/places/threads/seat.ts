import type { Clock, Timer } from '../../../lib/clock.ts'
import { type ErrorRecord, fromErrorRecord, toErrorRecord } from '../../../lib/error-record.ts'
import { MillraceError } from '../../../lib/errors.ts'
import type { Outcome } from '../../../lib/outcome.ts'
import type { TaskManifest } from '../../../lib/task.ts'
import { HANGS_MS } from '../../../lib/verdict.ts'
import type { ChildPort, ClaimedJob, Ended, Running } from '../../messages.ts'
import { lateExit, NEIGHBOUR } from '../ends.ts'
import { type Entry, Incarnation } from './incarnation.ts'
import { enqueueNow, giveNumbers } from '../owner-answers.ts'
import type { FromThread, JournalFacts, ThreadRun } from '../thread-protocol.ts'
import type { RunEnd, TierPool } from './tier-pool.ts'

/** On a machine that has far too much to do it may take longer; what is alive after this is not waited for any more. */
const HOPELESS_MS = 3_000

type SeatStatus = 'filled' | 'leaving'

export interface SeatOptions {
  /** Its number within the place. */
  readonly number: number
  readonly pool: Pick<TierPool, 'serve' | 'begun' | 'exitOf' | 'activeMsOf' | 'destroy'>
  readonly journal: JournalFacts
  readonly clock: Clock
  readonly slots: number
  readonly concurrency: number
  readonly firstStart: number
  readonly memory: ThreadRun['memory']
  readonly children: ChildPort
}

/** What a seat tells its place. */
export interface SeatListener {
  serving(tasks: readonly TaskManifest[]): void
  /** Slots were marked, or the thread is new: look at them. */
  progressed(seat: Seat): void
  progress(number: number, task: string, value: string): void
  stray(number: number | undefined, error: ErrorRecord): void
  /** Something of an ended job still acts in the present thread. */
  tainted(seat: Seat): void
  /** A thread has exited: what it finished, and what goes back uncharged. */
  exited(ended: readonly Ended[], unstarted: readonly ClaimedJob[]): void
  /** A thread that was given up should have exited by now: most likely it hangs in a native call. */
  hung(seat: Seat, thread: Incarnation): void
  /** A thread that hung has exited after all, or an attempt that was given up has ended. */
  zombieEnded(): void
  /** One of them has hung for so long that nothing but the end of the process will end it. */
  hopeless(seat: Seat, thread: Incarnation): void
  /** A thread has ended that nobody had told to. */
  died(seat: Seat, jobs: readonly Running[], error: Error): void
  /** The thread could not load its tasks. */
  unusable(error: Error): void
}

/**
 * A chair for one thread at a time. When a thread is given up the chair gets the next one at once, and the old one is
 * waited for apart: only its exit says that nothing of its job runs any more.
 */
export class Seat {
  readonly #options: SeatOptions
  readonly #listener: SeatListener
  /** Threads that were given up and have not exited. */
  readonly #zombies = new Map<Incarnation, 'ending' | 'hung' | 'hopeless'>()
  #current: Incarnation | undefined
  #abort = new AbortController()
  #exit: Promise<number> = Promise.resolve(0)
  #status: SeatStatus = 'filled'
  /** Threads that were given up, on their way to their exit. */
  readonly #burials = new Set<Promise<void>>()
  #lives = 0
  readonly left: Promise<void>

  constructor(options: SeatOptions, listener: SeatListener) {
    this.#options = options
    this.#listener = listener
    this.left = this.#fill()
  }

  get number(): number {
    return this.#options.number
  }

  /** The thread that takes work, if there is one now. */
  get thread(): Incarnation | undefined {
    return this.#current?.status === 'serving' ? this.#current : undefined
  }

  /** The thread that runs jobs, if there is one now, although it may take no more. */
  get active(): Incarnation | undefined {
    return this.#current?.status === 'closing' ? this.#current : this.thread
  }

  /** Threads that were given up and hang. */
  get hung(): number {
    return [...this.#zombies.values()].filter((status) => status !== 'ending').length
  }

  get hopeless(): number {
    return [...this.#zombies.values()].filter((status) => status === 'hopeless').length
  }

  /** Threads that have exited or were given up, and were replaced. */
  get restarts(): number {
    return Math.max(0, this.#lives - 1)
  }

  /** The thread of this seat, and those that were given up and have not exited. */
  *threads(): Generator<Incarnation> {
    if (this.#current !== undefined) yield this.#current
    for (const zombie of this.#zombies.keys()) if (zombie !== this.#current) yield zombie
  }

  /** Every claim that stands here, on threads that were given up as well. */
  *entries(): Generator<Entry> {
    if (this.#current !== undefined) yield* this.#current.entries
    for (const zombie of this.#zombies.keys()) yield* zombie.entries
  }

  /** Ends a thread, unless it has ended; a new one comes in its place. */
  terminate(thread: Incarnation | undefined): void {
    if (thread === undefined || thread !== this.#current) return
    thread.status = 'ending'
    thread.toldToEndAt = this.#options.clock.monotonicMs()
    this.#abort.abort()
  }

  /** No thread comes after this one, which is asked to end by itself. */
  leave(): void {
    this.#status = 'leaving'
    const current = this.#current
    if (current === undefined) return
    if (current.status === 'serving' || current.status === 'closing') current.post({ type: 'stop' })
    else this.#abort.abort()
    current.status = 'closing'
  }

  /** Resolves when it has left and nothing runs on it any more, on threads that were given up as well. */
  async empty(): Promise<void> {
    await this.left
    await Promise.all(this.#burials)
  }

  /** How long the loop of a thread of it was busy since its start. */
  activeMsOf({ threadId }: Incarnation): number | undefined {
    return this.#options.pool.activeMsOf(threadId)
  }

  /** Resolves when its thread has exited, one that hangs in a native call excepted if it was given up before. */
  destroy(): Promise<void> {
    return this.#options.pool.destroy()
  }

  async #fill(): Promise<void> {
    while (this.#status === 'filled') {
      const { pool, journal, slots, concurrency, firstStart, memory } = this.#options
      const thread = new Incarnation({ ...journal, slots, concurrency, firstStart, memory }, (message) =>
        this.#received(thread, message),
      )
      this.#current = thread
      this.#lives++
      this.#abort = new AbortController()
      this.#exit = Promise.resolve(0)
      const end = await pool.serve(thread.run, this.#abort.signal)
      this.#current = undefined
      this.#zombies.set(thread, 'ending')
      if (end.type === 'lost' && thread.status === 'starting') this.#listener.unusable(lostAtStart(end.error))
      // A thread that returned is idle and will not exit: nothing of a job is left on it.
      if (end.type === 'returned') this.#bury(thread, end)
      const buried = this.#awaitExit(thread, end)
      this.#burials.add(buried)
      void buried.then(() => this.#burials.delete(buried))
      if ((this.#status as SeatStatus) === 'leaving') await buried
    }
  }

  async #awaitExit(thread: Incarnation, end: RunEnd): Promise<void> {
    if (!this.#zombies.has(thread)) return
    const late = this.#watch(thread)
    await this.#exit
    for (const timer of late) timer.cancel()
    this.#bury(thread, end)
  }

  /** Timers that say how long a thread has been dying. */
  #watch(thread: Incarnation): readonly Timer[] {
    const { clock } = this.#options
    const mark = (afterMs: number, status: 'hung' | 'hopeless') => {
      const timer = clock.setTimer(afterMs, () => {
        this.#zombies.set(thread, status)
        this.#listener[status](this, thread)
      })
      timer.unref()
      return timer
    }
    return [mark(HANGS_MS, 'hung'), mark(HOPELESS_MS, 'hopeless')]
  }

  #received(thread: Incarnation, message: FromThread): void {
    switch (message.type) {
      case 'ready':
        this.#options.pool.begun(thread.run)
        thread.threadId = message.threadId
        thread.kernelThread = message.kernelThread
        this.#exit = this.#options.pool.exitOf(message.threadId)
        this.#listener.serving(message.tasks)
        return this.#serve(thread)
      case 'unusable':
        return this.#listener.unusable(fromErrorRecord(message.error))
      case 'progressed':
        thread.memoryBytes = message.memoryBytes
        return this.#listener.progressed(this)
      case 'outcome':
        thread.outcome(message.slot, message.generation, message.outcome)
        return
      case 'gave-back':
        if (thread.gaveBack(message.slot, message.generation) === 'freed') this.#listener.zombieEnded()
        return
      case 'progress':
        return this.#listener.progress(message.number, message.task, message.value)
      case 'stray':
        this.#listener.stray(message.number, message.error)
        // What no job has left behind is the modules' own: the next thread would do the same.
        if (thread === this.#current && message.number !== undefined) this.#listener.tainted(this)
        return
      case 'enqueue':
        return enqueueNow(this.#options.children, message, (answer) => thread.post(answer))
      case 'numbers-wanted':
        return giveNumbers(this.#options.children, (answer) => thread.post(answer))
      case 'leaves':
        thread.endedBy = message.number
        return
      case 'stopped':
        // Nothing is left to do in it, whatever its handlers have done to what piscina waits for.
        if (thread === this.#current) this.#abort.abort()
        return
    }
  }

  #serve(thread: Incarnation): void {
    if (thread.status !== 'starting') return
    giveNumbers(this.#options.children, (answer) => thread.post(answer))
    thread.status = 'serving'
    this.#listener.progressed(this)
  }

  #bury(thread: Incarnation, end: RunEnd): void {
    const zombie = this.#zombies.get(thread)
    if (zombie === undefined) return
    this.#zombies.delete(thread)
    const { clock } = this.#options
    const offset = clock.now() - clock.monotonicMs()
    const ended = thread.harvestRest(offset)
    const unstarted: ClaimedJob[] = [...thread.recall(() => true)]
    const remains = thread.remains()
    const innocent = ({ job }: Entry) => thread.endedBy !== undefined && thread.endedBy !== job.number
    if (thread.endedBy !== undefined && remains.every(innocent))
      this.#listener.stray(thread.endedBy, lateExit('thread'))
    const running: Running[] = []
    for (const entry of remains) {
      running.push({ number: entry.job.number, task: entry.job.task, startedAt: thread.startedAt(entry) })
      const outcome = entry.verdict ?? entry.outcome ?? (innocent(entry) ? NEIGHBOUR : exitOutcome(end))
      ended.push({ job: entry.job, outcome, startedAt: offset + thread.startedAt(entry), endedAt: clock.now() })
    }
    const unasked = thread.status === 'starting' || thread.status === 'serving'
    if (end.type === 'lost' && unasked) this.#listener.died(this, running, end.error)
    thread.close()
    this.#listener.exited(ended, unstarted)
    if (zombie !== 'ending' || thread.abandoned > 0) this.#listener.zombieEnded()
  }
}

function lostAtStart(cause: Error): MillraceError {
  return new MillraceError(
    'MILLRACE_TASKS_MODULE',
    `a thread ended while it loaded the tasks modules: ${cause.message}; expected modules that can be imported in a ` +
      'worker thread; look for process.exit, a crash in native code or too little memory',
    { cause },
  )
}

function exitOutcome(end: RunEnd): Outcome {
  const cause = end.type === 'lost' ? end.error : undefined
  const why = cause === undefined ? 'its thread returned' : cause.message
  const error = new MillraceError(
    'MILLRACE_THREAD_EXIT',
    `the thread ended while the job ran: ${why}; expected the handler to return or throw; look for process.exit, ` +
      'a crash in native code or too little memory',
    { cause },
  )
  return { type: 'failed', error: toErrorRecord(error), retry: 'by-policy' }
}
