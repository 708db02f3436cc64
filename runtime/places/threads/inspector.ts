import { type Clock, pause } from '../../../lib/clock.ts'
import { BEAT_MS, heldMsOf, isSilent, type Reading, SILENT_MS, type Standing } from '../../../lib/verdict.ts'
import type { Found, PlaceReport, Running, ThreadNews, ThreadReport } from '../../messages.ts'
import { Gauge } from '../gauge.ts'
import type { Entry, Incarnation } from './incarnation.ts'
import { processorTimeOf, UNTOLD } from '../readings.ts'
import type { Seat } from './seat.ts'
import type { Seats } from './seats.ts'
import { SharedLoop } from './shared-loop.ts'

export interface InspectorOptions {
  readonly clock: Clock
  readonly seats: Seats
  news(news: ThreadNews): void
}

/** Looks at the threads of a place from outside. What nobody asks about, and what has just begun, is not looked at. */
export class Inspector {
  readonly #options: InspectorOptions
  readonly #gauges = new WeakMap<Incarnation, Gauge>()
  /** Threads that come after one that has exited without being told to. */
  readonly #heirs = new WeakSet<Incarnation>()
  readonly #told = new WeakSet<Entry>()
  #lookedAt = 0

  constructor(options: InspectorOptions) {
    this.#options = options
  }

  /** To be called while jobs run, as often as the place likes: once a beat it looks at those that run for longer. */
  look(now: number): void {
    if (now - this.#lookedAt < BEAT_MS) return
    this.#lookedAt = now
    for (const seat of this.#options.seats) for (const thread of seat.threads()) this.#lookAt(seat, thread, now)
  }

  #lookAt(seat: Seat, thread: Incarnation, now: number): void {
    const oldest = oldestOf(thread)
    if (oldest === undefined || now - thread.startedAt(oldest) < BEAT_MS) return
    const report = this.#reportOf(seat, thread)
    if (!isStuck(report) || this.#told.has(oldest) || stillMsOf(report) === 0) return
    if (now - thread.startedAt(oldest) < oldest.limits.softLimitMs) return
    this.#told.add(oldest)
    this.#options.news({ type: 'stuck', report, job: runningOf(thread, oldest) })
  }

  async report(): Promise<PlaceReport> {
    const { clock, seats } = this.#options
    const first = this.#reports()
    if (first.some(({ tells }) => tells === 'not yet')) {
      await pause(clock, BEAT_MS)
    }
    const threads = this.#reports().map(({ report }) => report)
    return { threads, zombies: seats.zombies, restarts: seats.restarts }
  }

  sharedLoop(seat: Seat, thread: Incarnation): SharedLoop {
    const now = this.#options.clock.monotonicMs()
    const isStill = isSilent({ at: now, beatAt: thread.beatAt })
    return new SharedLoop(thread, now, isStill ? stillMsOf(this.#reportOf(seat, thread)) : 0)
  }

  find(number: number): Found | undefined {
    for (const seat of this.#options.seats) {
      for (const thread of seat.threads()) {
        const entry = thread.find(number)
        if (entry !== undefined) return foundOf(seat, thread, entry)
      }
    }
    return undefined
  }

  hung(seat: Seat, thread: Incarnation): void {
    this.#options.news({ type: 'hung', thread: seat.number, jobs: runningOn(thread) })
  }

  died(seat: Seat, jobs: readonly Running[], error: Error): void {
    for (const heir of seat.threads()) {
      if (heir.status !== 'starting') continue
      this.#heirs.add(heir)
      // It is dead from now on, not from when somebody asks.
      this.#reportOf(seat, heir)
    }
    this.#options.news({ type: 'died', thread: seat.number, jobs, error })
  }

  #reports(): { readonly report: ThreadReport; readonly tells: 'yes' | 'not yet' }[] {
    return [...this.#options.seats].flatMap((seat) =>
      [...seat.threads()].map((thread) => {
        const report = this.#reportOf(seat, thread)
        const isSettled =
          report.verdict === 'dead' || report.verdict === 'starting' || this.#gaugeOf(seat, thread).tells
        return { report, tells: isSettled ? ('yes' as const) : ('not yet' as const) }
      }),
    )
  }

  #reportOf(seat: Seat, thread: Incarnation): ThreadReport {
    const oldest = oldestOf(thread)
    const judged = this.#gaugeOf(seat, thread).look(this.#standingOf(thread, oldest))
    const running = thread.entries.filter((entry) => isRunning(thread, entry)).length
    return {
      thread: seat.number,
      ...judged,
      oldest: oldest === undefined ? undefined : runningOf(thread, oldest),
      running,
      offered: thread.entries.filter((entry) => thread.state(entry) === 'offered').length,
    }
  }

  #standingOf(thread: Incarnation, oldest: Entry | undefined): Standing {
    const now = this.#options.clock.monotonicMs()
    const isNew = thread.status === 'starting'
    const isDead = isNew && this.#heirs.has(thread)
    return {
      status: isDead ? 'exited' : isNew ? 'starting' : 'serving',
      toldToEndMs: thread.toldToEndAt === undefined ? undefined : now - thread.toldToEndAt,
      longestMs: oldest === undefined ? undefined : now - thread.startedAt(oldest),
    }
  }

  #gaugeOf(seat: Seat, thread: Incarnation): Gauge {
    let gauge = this.#gauges.get(thread)
    if (gauge === undefined) {
      gauge = new Gauge(() => this.#read(seat, thread))
      this.#gauges.set(thread, gauge)
    }
    return gauge
  }

  #read(seat: Seat, thread: Incarnation): Reading {
    const { clock } = this.#options
    const time = processorTimeOf(thread.kernelThread) ?? UNTOLD
    const at = clock.monotonicMs()
    return {
      ...time,
      at,
      // Before its first beat it loads its tasks.
      beatAt: thread.beatAt === 0 ? at : thread.beatAt,
      activeMs: seat.activeMsOf(thread),
    }
  }
}

/** How long the loop has stood still; 0 where it turns, or would if it got a processor, which is nobody's fault. */
function stillMsOf({ evidence }: ThreadReport): number {
  const heldMs = heldMsOf(evidence)
  return heldMs < SILENT_MS ? 0 : heldMs
}

function isStuck({ verdict }: ThreadReport): boolean {
  return verdict === 'spinning' || verdict === 'blocked' || verdict === 'unresponsive'
}

function isRunning(thread: Incarnation, entry: Entry): boolean {
  const state = thread.state(entry)
  return state === 'taken' || state === 'condemned'
}

function runningOf(thread: Incarnation, entry: Entry): Running {
  return { number: entry.job.number, task: entry.job.task, startedAt: thread.startedAt(entry) }
}

/** What runs on a thread now; what it has marked done is not among it. */
export function runningOn(thread: Incarnation): Running[] {
  return thread.entries.filter((entry) => isRunning(thread, entry)).map((entry) => runningOf(thread, entry))
}

function oldestOf(thread: Incarnation): Entry | undefined {
  let oldest: Entry | undefined
  for (const entry of thread.entries) {
    if (!isRunning(thread, entry)) continue
    if (oldest === undefined || thread.startedAt(entry) < thread.startedAt(oldest)) oldest = entry
  }
  return oldest
}

function foundOf({ number: at }: Seat, thread: Incarnation, entry: Entry): Found {
  switch (thread.state(entry)) {
    case 'offered': {
      const before = oldestOf(thread)
      return { type: 'offered', thread: at, behind: before === undefined ? undefined : runningOf(thread, before) }
    }
    case 'taken':
      return { type: 'running', thread: at, startedAt: thread.startedAt(entry) }
    case 'condemned':
      return { type: 'given-up', thread: at, startedAt: thread.startedAt(entry) }
    case 'done':
      return { type: 'done' }
  }
}
