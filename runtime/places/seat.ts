import type { Clock } from '../../lib/clock.ts'
import { fromErrorRecord, toErrorRecord } from '../../lib/error-record.ts'
import { MillraceError } from '../../lib/errors.ts'
import type { Outcome } from '../../lib/outcome.ts'
import type { TaskManifest } from '../../lib/task.ts'
import type { ChildPort, ClaimedJob, Ended } from '../messages.ts'
import { type Entry, Incarnation } from './incarnation.ts'
import type { RunEnd, TierPool } from './tier-pool.ts'
import type { FromThread } from './thread-protocol.ts'

const NUMBERS_AT_ONCE = 4_096

/** JavaScript that is terminated is gone within 40 ms (p99); what is alive after this hangs in a native call. */
const ZOMBIE_MS = 250

type SeatStatus = 'filled' | 'leaving'

export interface SeatOptions {
  readonly pool: TierPool
  readonly clock: Clock
  readonly slots: number
  readonly concurrency: number
  readonly firstStart: number
  readonly children: ChildPort
}

/** What a seat tells its place. */
export interface SeatListener {
  serving(tasks: readonly TaskManifest[]): void
  /** Slots were marked, or the thread is new: look at them. */
  progressed(seat: Seat): void
  progress(number: number, task: string, value: string): void
  stray(seat: Seat, number: number | undefined, error: Extract<FromThread, { type: 'stray' }>['error']): void
  /** A thread has exited: what it finished, and what goes back uncharged. */
  exited(ended: readonly Ended[], unstarted: readonly ClaimedJob[]): void
  /** A thread that was given up should have exited by now: it hangs in a native call. */
  hung(): void
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
  readonly #zombies = new Set<Incarnation>()
  #current: Incarnation | undefined
  #abort = new AbortController()
  #exit: Promise<number> = Promise.resolve(0)
  #status: SeatStatus = 'filled'
  readonly left: Promise<void>

  constructor(options: SeatOptions, listener: SeatListener) {
    this.#options = options
    this.#listener = listener
    this.left = this.#fill()
  }

  /** The thread that takes work, if there is one now. */
  get thread(): Incarnation | undefined {
    return this.#current?.status === 'serving' ? this.#current : undefined
  }

  /** The thread that runs jobs, if there is one now, although it may take no more. */
  get active(): Incarnation | undefined {
    return this.#current?.status === 'closing' ? this.#current : this.thread
  }

  /** Threads that were given up and have not exited. */
  get zombies(): number {
    return this.#zombies.size
  }

  /** Every claim that stands here, on threads that were given up as well. */
  *entries(): Generator<Entry> {
    if (this.#current !== undefined) yield* this.#current.entries
    for (const zombie of this.#zombies) yield* zombie.entries
  }

  /** Ends a thread, unless it has ended; a new one comes in its place. */
  terminate(thread: Incarnation | undefined): void {
    if (thread === undefined || thread !== this.#current) return
    thread.status = 'ending'
    this.#abort.abort()
  }

  /** No thread comes after this one, which is asked to end by itself. */
  leave(): void {
    this.#status = 'leaving'
    const current = this.#current
    if (current === undefined) return
    if (current.status === 'serving') current.post({ type: 'stop' })
    else this.#abort.abort()
    current.status = 'closing'
  }

  async #fill(): Promise<void> {
    while (this.#status === 'filled') {
      const { pool, slots, concurrency, firstStart } = this.#options
      const thread = new Incarnation({ slots, concurrency, firstStart }, (message) => this.#received(thread, message))
      this.#current = thread
      this.#abort = new AbortController()
      this.#exit = Promise.resolve(0)
      const end = await pool.serve(thread.run, this.#abort.signal)
      this.#zombies.add(thread)
      // A thread that returned is idle and will not exit: nothing of a job is left on it.
      if (end.type === 'returned') this.#bury(thread, end)
      const buried = this.#awaitExit(thread, end)
      if ((this.#status as SeatStatus) === 'leaving') await buried
    }
  }

  async #awaitExit(thread: Incarnation, end: RunEnd): Promise<void> {
    if (!this.#zombies.has(thread)) return
    const { clock } = this.#options
    const late = clock.setTimer(ZOMBIE_MS, () => this.#listener.hung())
    late.unref()
    await this.#exit
    late.cancel()
    this.#bury(thread, end)
  }

  #received(thread: Incarnation, message: FromThread): void {
    switch (message.type) {
      case 'ready':
        thread.threadId = message.threadId
        this.#exit = this.#options.pool.exitOf(message.threadId)
        this.#listener.serving(message.tasks)
        return this.#serve(thread)
      case 'unusable':
        return this.#listener.unusable(fromErrorRecord(message.error))
      case 'progressed':
        return this.#listener.progressed(this)
      case 'outcome':
        thread.outcome(message.slot, message.generation, message.outcome)
        return
      case 'gave-back':
        return thread.gaveBack(message.slot, message.generation)
      case 'progress':
        return this.#listener.progress(message.number, message.task, message.value)
      case 'stray':
        return this.#listener.stray(this, message.number, message.error)
      case 'enqueue':
        return this.#enqueue(thread, message)
      case 'numbers-wanted':
        return this.#giveNumbers(thread)
      case 'stopped':
        return
    }
  }

  #serve(thread: Incarnation): void {
    if (thread.status !== 'starting') return
    this.#giveNumbers(thread)
    thread.status = 'serving'
    this.#listener.progressed(this)
  }

  #giveNumbers(thread: Incarnation): void {
    const first = this.#options.children.takeNumbers(NUMBERS_AT_ONCE)
    thread.post({ type: 'numbers', first, count: NUMBERS_AT_ONCE })
  }

  #enqueue(thread: Incarnation, message: Extract<FromThread, { type: 'enqueue' }>): void {
    const { request, task, number, input, extra } = message
    const answer = (error: unknown) =>
      thread.post({ type: 'enqueued', request, error: error === undefined ? undefined : toErrorRecord(error) })
    this.#options.children.enqueue(task, number, input, extra).then(() => answer(undefined), answer)
  }

  #bury(thread: Incarnation, end: RunEnd): void {
    if (!this.#zombies.delete(thread)) return
    const { clock } = this.#options
    const offset = clock.now() - clock.monotonicMs()
    const ended = [...thread.harvest(offset)]
    const unstarted: ClaimedJob[] = [...thread.recall(() => true)]
    for (const entry of thread.remains()) {
      const outcome = entry.verdict ?? entry.outcome ?? exitOutcome(end)
      ended.push({ job: entry.job, outcome, startedAt: offset + thread.startedAt(entry), endedAt: clock.now() })
    }
    thread.close()
    this.#listener.exited(ended, unstarted)
  }
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
