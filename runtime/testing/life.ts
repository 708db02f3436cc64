import { nextTurn, systemClock } from '../../lib/clock.ts'
import { MillraceError } from '../../lib/errors.ts'
import type { ManualClock } from '../../lib/manual-clock.ts'
import type { CustomBackoff } from '../config/backoffs-config.ts'
import { type Booted, boot } from '../boot.ts'
import { resolveConfig } from '../config/config.ts'
import type { Emitter } from '../emit.ts'
import type { Database } from '../journal/files/sqlite.ts'
import { LifeClock } from './life-clock.ts'
import { StoreConnection } from './store-connection.ts'
import { handlersOf, placesOf, type TestTasks } from './test-tasks.ts'

/** What outlives a crash: the journal, what its starts file would say, and the test. */
export interface Stage {
  readonly tasks: TestTasks
  readonly backoffs: Readonly<Record<string, CustomBackoff>>
  readonly db: Database
  readonly clock: ManualClock
  readonly emitter: Emitter
  /** Claims that have begun, by the number of their job. */
  readonly begun: Map<number, number>
}

/** Attempts that wait for something real are given this long before time goes on without them. */
const PATIENCE_MS = 20

/** Real time after which what happens without time passing counts as endless. */
const BUSY_MS = 5_000

/** Jobs that wait although nothing runs, and nothing has happened for so long, wait for time to pass. */
const AT_REST_MS = 200

/** A change of routes is given this long; where jobs enqueue each other without end it comes to rest later, or never. */
const REROUTE_MS = 500

/** One life of the process under test, from a start to a stop or a crash. */
export class Life {
  readonly booted: Booted
  readonly #stage: Stage
  readonly #clock: LifeClock
  readonly #connection: () => StoreConnection | undefined
  /** Claims that have used up all patience: they wait for time to pass, or for nothing. */
  readonly #blocked = new Set<number>()

  #status: 'alive' | 'ended' = 'alive'

  private constructor(stage: Stage, clock: LifeClock, connection: () => StoreConnection | undefined, booted: Booted) {
    this.#stage = stage
    this.#clock = clock
    this.#connection = connection
    this.booted = booted
  }

  static async start(stage: Stage): Promise<Life> {
    const { tasks, backoffs, db, emitter, begun } = stage
    const clock = new LifeClock(stage.clock)
    const handlers = handlersOf(tasks)
    await handlers.setUp()
    const places = placesOf(handlers)
    const before = new Map(begun)
    begun.clear()
    let connection: StoreConnection | undefined
    const config = resolveConfig({ tasks: 'file:in-memory', journal: { file: ':memory:' }, backoffs, promotion: 'off' })
    const booted = await boot(
      { ...config, places },
      {
        clock,
        emitter,
        handlers,
        // The whole of each delay, so that a test knows when the retry comes.
        random: () => 1 - Number.EPSILON,
        begun: { begin: (_slot, number, claim) => begun.set(number, claim) },
        paused: new Set(places.keys()),
        trials: 'on the loop',
        connect(_options, _resume, listener) {
          connection = new StoreConnection(
            db,
            clock,
            { has: (number, claim) => before.get(number) === claim },
            listener,
          )
          return connection
        },
      },
    )
    return new Life(stage, clock, () => connection, booted)
  }

  /** Nothing of this life is written or told any more. */
  end(): void {
    const error = ended()
    this.#status = 'ended'
    this.#connection()?.cut()
    this.#clock.end()
    const { publisher, journal, results } = this.booted.wires
    publisher.close()
    journal.abandon(error)
    results.rejectAll(error)
  }

  /** Lets jobs start. */
  async resume(): Promise<void> {
    if (this.#status === 'ended') throw ended()
    this.booted.wires.paused.clear()
    await this.#reroute()
  }

  /** From now on jobs wait where a test can look at them. */
  async pause(): Promise<void> {
    const { paused, places } = this.booted.wires
    for (const place of places.keys()) paused.add(place)
    await this.#reroute()
  }

  /** Calm, and attempts that wait for something real have had their time for it. */
  async settle(): Promise<void> {
    const endlessAt = systemClock.monotonicMs() + BUSY_MS
    let givesUpAt = Number.POSITIVE_INFINITY
    for (;;) {
      if ((await this.#calm(endlessAt)) === 'busy') throw await this.#stuck('advance', BUSY_MS)
      if (this.#isOver || this.#active().length === 0) return
      givesUpAt = Math.min(givesUpAt, systemClock.monotonicMs() + PATIENCE_MS)
      if (systemClock.monotonicMs() >= givesUpAt) for (const number of this.#active()) this.#blocked.add(number)
    }
  }

  /** Resolves when nothing is due and nothing runs, or this life is over; rejects after so many real milliseconds. */
  async quiet(timeoutMs: number): Promise<void> {
    const givesUpAt = systemClock.monotonicMs() + timeoutMs
    let restsAt = Number.POSITIVE_INFINITY
    for (;;) {
      const state = await this.#calm(givesUpAt)
      // Its places still have what ran in them: nobody will ever hear how that ends.
      if (this.#isOver) return
      if (state === 'calm' && this.booted.wires.desk.isQuiet()) return
      const now = systemClock.monotonicMs()
      if (now >= givesUpAt) throw await this.#stuck('drain', timeoutMs)
      const isAtRest = state === 'calm' && this.booted.wires.desk.holdsNothing()
      restsAt = isAtRest ? Math.min(restsAt, now + AT_REST_MS) : Number.POSITIVE_INFINITY
      if (now >= restsAt) throw await this.#waiting()
    }
  }

  /** Lets time pass, timer by timer, and at each all that follows from it. */
  async advance(ms: number): Promise<void> {
    const { clock } = this.#stage
    const until = clock.now() + ms
    await this.settle()
    for (let next = clock.nextTimerAt; next !== undefined && next <= until; next = clock.nextTimerAt) {
      clock.advance(Math.max(0, next - clock.now()))
      await this.settle()
    }
    clock.advance(Math.max(0, until - clock.now()))
  }

  /** Lets as much time pass as its stop needs, after which it is over. */
  async stopped<T>(promise: Promise<T>): Promise<T> {
    try {
      return await this.#whileTimePasses(promise)
    } finally {
      this.#status = 'ended'
    }
  }

  async #whileTimePasses<T>(promise: Promise<T>): Promise<T> {
    let status: 'pending' | 'settled' = 'pending'
    const settled = () => {
      status = 'settled'
    }
    promise.then(settled, settled)
    const { clock } = this.#stage
    for (;;) {
      await this.#calm(systemClock.monotonicMs() + BUSY_MS)
      if ((status as string) === 'settled') return promise
      const next = clock.nextTimerAt
      if (next !== undefined) clock.advance(Math.max(0, next - clock.now()))
    }
  }

  async #reroute(): Promise<void> {
    // A router whose journal is gone would take its tree down, and that in real time.
    if (this.#isOver) return
    this.booted.wires.router.tell({ type: 'reroute' })
    await this.#calm(systemClock.monotonicMs() + REROUTE_MS)
  }

  /** Resolves when all that can happen without time passing has happened; 'busy' where it has no end by then. */
  async #calm(givesUpAt: number): Promise<'calm' | 'busy'> {
    let quietTurns = 0
    while (quietTurns < 2) {
      await nextTurn(systemClock)
      quietTurns = this.#clock.isBusy ? 0 : quietTurns + 1
      if (quietTurns === 0 && systemClock.monotonicMs() >= givesUpAt) return 'busy'
    }
    return 'calm'
  }

  /** Asked for after each wait: a handler may have ended it meanwhile. */
  get #isOver(): boolean {
    return this.#status === 'ended'
  }

  #active(): readonly number[] {
    const running = this.booted.wires.places.flatMap((place) => place.claims())
    return running.map(({ number }) => number).filter((number) => !this.#blocked.has(number))
  }

  async #waiting(): Promise<MillraceError> {
    const tasks = await this.booted.wires.desk.tasks()
    const open = tasks.filter(({ jobs }) => (jobs.available ?? 0) > 0).map(({ task }) => task)
    return new MillraceError(
      'MILLRACE_RESULT_TIMEOUT',
      `drain() has nothing more to run; got jobs of ${open.join(', ')} that wait for a limit, or for their trial, ` +
        'expected all to end without time passing; let time pass with advance(ms)',
    )
  }

  async #stuck(call: 'drain' | 'advance', timeoutMs: number): Promise<MillraceError> {
    const tasks = await this.booted.wires.desk.tasks()
    const open = tasks.filter(({ jobs }) => (jobs.running ?? 0) + (jobs.available ?? 0) > 0).map(({ task }) => task)
    return new MillraceError(
      'MILLRACE_RESULT_TIMEOUT',
      `${call}() has waited ${timeoutMs} ms; got jobs of ${open.join(', ')} still running, expected all ` +
        'to end without time passing; look for a job that enqueues itself without end, use advance(ms) for what waits ' +
        'for a limit, or pass a longer timeoutMs',
    )
  }
}

function ended(): MillraceError {
  return new MillraceError(
    'MILLRACE_STOPPING',
    'the process of the test has crashed or stopped; what waited in its memory is gone; call reboot() and ask the journal',
  )
}
