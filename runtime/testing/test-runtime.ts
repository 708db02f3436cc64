import { isDeepStrictEqual } from 'node:util'
import { EventEmitter } from 'eventemitter3'
import { MillraceError } from '../../lib/errors.ts'
import type { RuntimeEvents } from '../../lib/events.ts'
import type { JobRecord } from '../../lib/job.ts'
import { checkedInstant } from '../../lib/job-extra.ts'
import { ManualClock } from '../../lib/manual-clock.ts'
import { duration, invalidOption, refuseUnknown } from '../../lib/options.ts'
import { type AnyTask, type InputOf, isTask } from '../../lib/task.ts'
import type { CustomBackoff } from '../config/backoffs-config.ts'
import type { Booted } from '../boot.ts'
import { type Database, openDatabase } from '../journal/files/sqlite.ts'
import type { Transaction } from '../publish/transaction.ts'
import { Runtime } from '../runtime.ts'
import type { StopOptions } from '../supervise/drain.ts'
import { Life, type Stage } from './life.ts'
import { exportedBackoffs, type TestTasks } from './test-tasks.ts'

export interface TestRuntimeOptions {
  readonly tasks: TestTasks
  /** As of `createRuntime`. Default: what a module given as `tasks` exports by that name. */
  readonly backoffs?: Readonly<Record<string, CustomBackoff>>
  /** Where the clock starts, in epoch ms. Default: 2000-01-01. */
  readonly startAt?: number
}

export interface DrainOptions {
  /** Real milliseconds after which jobs that still run are an error. Default 5,000. */
  readonly timeoutMs?: number
}

/** A job that has not run yet, as `enqueued` finds it. */
export type EnqueuedJob<Input> = Omit<JobRecord, 'input'> & { readonly input: Input }

/** Some of an input: of objects in it some of their properties, everything else whole. */
export type PartOf<Input> = Input extends readonly unknown[]
  ? Input
  : Input extends object
    ? { readonly [Name in keyof Input]?: PartOf<Input[Name]> }
    : Input

/** The first midnight of 2000, UTC: a test that prints a time prints one that everybody can read. */
const YEAR_2000 = 946_684_800_000
const PAGE = 200

/**
 * Starts a runtime for tests: the real journal in memory, the real codec, the real retry policy, every place on the
 * loop of the test. No job starts before `drain` or `advance`, and time stands still until `advance`.
 */
export async function testRuntime(options: TestRuntimeOptions): Promise<TestRuntime> {
  refuseUnknown(options, ['tasks', 'backoffs', 'startAt'], '')
  const { tasks, startAt = YEAR_2000 } = options
  const clock = new ManualClock(checkedInstant(startAt, 'startAt'))
  const emitter = new EventEmitter<RuntimeEvents>()
  const { backoffs = exportedBackoffs(tasks) } = options
  const stage: Stage = { tasks, backoffs, clock, emitter, db: openDatabase(':memory:', {}), begun: new Map() }
  return new TestRuntime(stage, await Life.start(stage))
}

/** A runtime whose jobs and whose time a test moves on. Make one with `testRuntime`. */
export class TestRuntime extends Runtime {
  readonly #stage: Stage
  /** What the methods of `Runtime` use: a reboot puts the new life's parts into it. */
  readonly #present: { -readonly [Part in keyof Booted]: Booted[Part] }
  #life: Life

  /** @internal */
  constructor(stage: Stage, life: Life) {
    const present = { ...life.booted }
    super(present)
    this.#stage = stage
    this.#present = present
    this.#life = life
  }

  /** Epoch ms by the clock of the test. */
  get now(): number {
    return Math.floor(this.#stage.clock.now())
  }

  /** Runs everything that is due, children and retries without a delay included, until nothing is left to run. */
  async drain(options: DrainOptions = {}): Promise<void> {
    refuseUnknown(options, ['timeoutMs'], '')
    const { timeoutMs = 5_000 } = options
    duration(timeoutMs, 'timeoutMs')
    await this.#life.resume()
    try {
      await this.#life.quiet(timeoutMs)
    } finally {
      await this.#life.pause()
    }
  }

  /** Lets so many milliseconds pass: what falls due meanwhile runs at its instant, and limits apply. */
  async advance(ms: number): Promise<void> {
    duration(ms, 'ms')
    await this.#life.resume()
    try {
      await this.#life.advance(ms)
    } finally {
      await this.#life.pause()
    }
  }

  /**
   * Jobs of a task that have not run yet, those that wait for a time included, oldest first. `match` is a part of their
   * input, or says which of them are meant.
   */
  async enqueued<T extends AnyTask>(
    task: T,
    match?: PartOf<InputOf<T>> | ((input: InputOf<T>) => boolean),
  ): Promise<EnqueuedJob<InputOf<T>>[]> {
    if (!isTask(task)) throw invalidOption('task', task, 'a task made by defineTask')
    const found: EnqueuedJob<InputOf<T>>[] = []
    let after: string | undefined
    do {
      const page = await this.jobs(
        { task: task.name, state: ['available', 'scheduled'] },
        { limit: PAGE, ...(after !== undefined && { after }) },
      )
      const jobs = page.jobs.filter((job) => !hasRun(job)) as EnqueuedJob<InputOf<T>>[]
      found.push(...jobs.filter(({ input }) => matches(input, match)))
      after = page.next
    } while (after !== undefined)
    // Where time stands still all were made at once: their numbers tell.
    return found.sort((a, b) => a.createdAt - b.createdAt || this.#numberOf(a) - this.#numberOf(b))
  }

  /** The process dies here and now: only what the journal has committed is left. Promises that waited are rejected. */
  crash(): void {
    this.#life.end()
  }

  /** Starts anew on the same journal, after a crash or in its place. */
  async reboot(): Promise<void> {
    this.#life.end()
    this.#life = await Life.start(this.#stage)
    Object.assign(this.#present, this.#life.booted)
  }

  /** Not here: the journal is in memory, where no other connection finds it. Test it with `createRuntime` and a file. */
  override transaction<R>(_db: Database, _run: (transaction: Transaction) => R): R {
    throw new MillraceError(
      'MILLRACE_INVALID_OPTION',
      'a runtime of the testing kit has no transactions; got a connection, expected none, since its journal is in memory, ' +
        'where no other connection finds it; test this with createRuntime and a file in a temporary folder',
      { path: 'db' },
    )
  }

  #numberOf({ id }: JobRecord): number {
    return this.#present.wires.desk.numberOf(id)
  }

  override stop(options?: StopOptions): Promise<{ readonly stuck: readonly string[] }> {
    return this.#life.stopped(super.stop(options))
  }
}

/** Not so one that has only been claimed, or was put off before it began. */
function hasRun({ attempts, crashes, history }: JobRecord): boolean {
  return attempts + crashes > 0 || history.some(({ startedAt }) => startedAt !== undefined)
}

function matches(input: unknown, match: unknown): boolean {
  if (match === undefined) return true
  if (typeof match === 'function') return (match as (input: unknown) => boolean)(input)
  if (typeof match !== 'object' || match === null || Array.isArray(match)) return isDeepStrictEqual(input, match)
  if (typeof input !== 'object' || input === null) return false
  return Object.entries(match).every(([name, part]) => matches((input as Record<string, unknown>)[name], part))
}
