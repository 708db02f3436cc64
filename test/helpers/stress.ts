import { join } from 'node:path'
import type { Worker } from 'node:worker_threads'
import { type Booted, boot, systemGround } from '../../runtime/boot.ts'
import { resolveConfig } from '../../runtime/config/config.ts'
import { Database, type Job } from '../../runtime/index.ts'
import { Runtime } from '../../runtime/runtime.ts'
import type { ConnectJournal } from '../../runtime/journal/link.ts'
import { startJournalThread } from '../../runtime/journal/owner/thread.ts'
import { parseJobId } from '../../lib/job.ts'
import type { EnqueueOptions, Task } from '../../lib/task.ts'
import type { Deed } from '../fixtures/stress-tasks.ts'
import { ledgerLines } from './scratch.ts'
import { markWorkers, workersSince } from './workers.ts'

export interface StressOptions {
  readonly seed: number
  /** How long jobs come and things happen to them. */
  readonly forMs: number
  /** How long all may take to end then. */
  readonly withinMs: number
  readonly folder: string
}

/** What the stress has found wrong, a line each; and how much there was of everything. */
export interface StressReport {
  readonly faults: readonly string[]
  readonly counts: Readonly<Record<string, number>>
}

/** More would be more than a runtime survives (three journal threads in ten seconds, five crashes of a stage). */
const DISASTER_MS = 5_000

type StressTask = Task<Deed, null>

const HOWS: readonly Deed['how'][] = ['throw', 'give up', 'discard', 'snooze', 'children', 'spin']
/** These cost a thread each, whose successor needs its time to start. */
const DEAR: readonly Deed['how'][] = ['hang', 'exit']

/** So many may be open at once: the more wait for a thread, the less happens to each. */
const MOST_OPEN = 300

/**
 * Enqueues, cancels, reschedules and retries at random, while threads are killed, the journal's thread too, and stages
 * crash. In the end everything that was acknowledged must have ended, once for each time that it was made available.
 */
export async function stress(options: StressOptions): Promise<StressReport> {
  const run = await Stress.start(options)
  await run.happen()
  const faults = await run.end()
  return { faults, counts: run.counts }
}

class Stress {
  readonly counts: Record<string, number> = {}
  readonly #options: StressOptions
  readonly #random: () => number
  readonly #booted: Booted
  readonly #runtime: Runtime
  readonly #tasks: readonly StressTask[]
  readonly #note: (...words: readonly (string | number)[]) => void
  readonly #journalThread: () => Worker | undefined
  readonly #workersFrom: number
  readonly #jobs: Job<null>[] = []
  /** How often each job was made available by somebody's wish. */
  readonly #wanted = new Map<string, number>()
  /** How many of these nobody knows to have come to anything. */
  readonly #perhapsNot = new Map<string, number>()
  readonly #ends = new Map<string, string[]>()
  readonly #waiting = new Set<Promise<unknown>>()
  readonly #doing: Promise<void>[] = []
  readonly #faults: string[] = []
  /** Threads that have run something: who kills them while they start finds a place that gives up, as it should. */
  readonly #serving = new Set<unknown>()
  #disasterAt = 0

  static async start(options: StressOptions): Promise<Stress> {
    process.env['MILLRACE_LEDGER'] = join(options.folder, 'ledger')
    const { onTier, onNarrowTier, onThreadedLane, onLane, note } = await import('../fixtures/stress-tasks.ts')
    const config = resolveConfig({
      tasks: new URL('../fixtures/stress-tasks.js', import.meta.url),
      journal: { file: join(options.folder, 'jobs.db') },
      tiers: { default: { threads: 2, handJobs: 16 }, narrow: { threads: 1, handJobs: 0 } },
      lanes: { network: { concurrency: 6, handJobs: 8 }, threaded: { concurrency: 4, threads: 1, handJobs: 4 } },
    })
    const workersFrom = markWorkers()
    let journalAt = workersFrom
    const connect: ConnectJournal = (journal, resume, listener) => {
      journalAt = markWorkers()
      return startJournalThread(journal, resume, listener)
    }
    const booted = await boot(config, { ...systemGround(), connect })
    const tasks = [onTier, onNarrowTier, onThreadedLane, onLane]
    return new Stress(options, booted, tasks, note, workersFrom, () => workersSince(journalAt)[0])
  }

  private constructor(
    options: StressOptions,
    booted: Booted,
    tasks: readonly StressTask[],
    note: (...words: readonly (string | number)[]) => void,
    workersFrom: number,
    journalThread: () => Worker | undefined,
  ) {
    this.#options = options
    this.#random = randomFrom(options.seed)
    this.#booted = booted
    this.#runtime = new Runtime(booted)
    this.#tasks = tasks
    this.#note = note
    this.#workersFrom = workersFrom
    this.#journalThread = journalThread
    this.#listen()
  }

  /** Lets things happen for a while. */
  async happen(): Promise<void> {
    const endsAt = performance.now() + this.#options.forMs
    while (performance.now() < endsAt) {
      this.#doing.push(this.#act())
      await new Promise((resolve) => setTimeout(resolve, this.#random() * 8))
    }
    await Promise.all(this.#doing)
  }

  async #act(): Promise<void> {
    try {
      await this.#somethingHappens()
    } catch (error) {
      this.#faults.push(`an act failed: ${String(error)}`)
    }
  }

  /** Waits until nothing is left, stops the runtime, and says what is wrong. */
  async end(): Promise<readonly string[]> {
    const givesUpAt = performance.now() + this.#options.withinMs
    const left = async () =>
      (await this.#runtime.jobs({ state: ['scheduled', 'available', 'running'] }, { limit: 5 })).jobs
    for (let jobs = await left(); jobs.length > 0; jobs = await left()) {
      if (performance.now() > givesUpAt) {
        for (const job of jobs) this.#faults.push(`it waits although there is room: ${JSON.stringify(job)}`)
        break
      }
      await Promise.race([this.#runtime.idle(), later(givesUpAt - performance.now())])
      await later(20)
    }
    const answered = await Promise.race([Promise.allSettled(this.#waiting), later(2_000)])
    if (answered === undefined) this.#faults.push('somebody waits for the result of a job that has ended')
    await this.#runtime.stop({ graceMs: 0 })
    this.#judge()
    return this.#faults
  }

  #listen(): void {
    const ended = (how: string) => {
      return ({ id }: { readonly id: string }) => {
        this.#ends.set(id, [...(this.#ends.get(id) ?? []), how])
        this.#count(how)
        this.#note('ended', id)
      }
    }
    for (const how of ['succeeded', 'dead', 'discarded', 'cancelled', 'expired'] as const) {
      this.#runtime.on(`job.${how}`, ended(how))
    }
    this.#runtime.on('job.progress', ({ value }) => void this.#serving.add(value))
    this.#runtime.on('job.retrying', () => this.#count('failed attempts'))
    this.#runtime.on('job.interrupted', () => this.#count('given back'))
    this.#runtime.on('journal.down', () => {
      this.#count('deaths of the journal thread')
      this.#note('journal-down')
    })
    this.#runtime.on('runtime.failed', ({ error }) => this.#faults.push(`the runtime failed: ${error.message}`))
    this.#runtime.on('place.stopped', ({ place, error }) => this.#faults.push(`${place} gave up: ${error.message}`))
    this.#runtime.on('job.unsettled', ({ id, error }) => this.#faults.push(`${id} is not settled: ${error.message}`))
  }

  async #somethingHappens(): Promise<void> {
    const at = this.#random()
    if (at < 0.55) return this.#enqueue()
    if (at < 0.65) return this.#cancel()
    if (at < 0.72) return this.#reschedule()
    if (at < 0.8) return this.#retry()
    if (at < 0.83) return this.#cancelMany()
    if (at < 0.88) return void this.#waiting.add(this.#runtime.idle().catch(() => {}))
    if (at < 0.94) return this.#look()
    if (at < 0.985) return this.#killThread()
    if (performance.now() - this.#disasterAt < DISASTER_MS) return
    this.#disasterAt = performance.now()
    return this.#random() < 0.6 ? this.#killJournal() : this.#crashStage()
  }

  async #enqueue(): Promise<void> {
    if ((this.counts['acknowledged'] ?? 0) - this.#ends.size > MOST_OPEN) return
    const jobs = Array.from({ length: 1 + Math.floor(this.#random() ** 3 * 40) }, async () => {
      const task = this.#pick(this.#tasks) as StressTask
      const deed = this.#deedOf(task)
      const job = (await this.#runtime.enqueue(task, deed, this.#optionsOf()).catch(ifUnknown)) as Job<null> | undefined
      if (job === undefined) return this.#count('unknown')
      if (job.duplicate) return this.#count('duplicates')
      this.#count('acknowledged')
      this.#jobs.push(job)
      this.#wanted.set(job.id, (this.#wanted.get(job.id) ?? 0) + 1)
      if (this.#random() < 0.3) this.#waiting.add(job.result().catch(() => {}))
    })
    await Promise.all(jobs)
  }

  #deedOf({ name }: StressTask): Deed {
    const ms = this.#random() < 0.6 ? 0 : Math.floor(this.#random() ** 2 * 40)
    const dice = this.#random()
    const how = dice < 0.75 ? 'return' : (this.#pick(dice < 0.98 ? HOWS : DEAR) as Deed['how'])
    const ofOurLoop = name === 'on.lane' && (how === 'exit' || how === 'spin')
    return { ms, how: ofOurLoop ? 'throw' : how }
  }

  #optionsOf(): EnqueueOptions {
    const maybe = <T extends object>(share: number, part: () => T) => (this.#random() < share ? part() : {})
    const options: { readonly delayMs?: number } = {
      ...maybe(0.3, () => ({ priority: Math.floor(this.#random() * 10) as 4 })),
      ...maybe(0.2, () => ({ delayMs: Math.floor(this.#random() * 300) })),
      ...maybe(0.1, () => ({ key: `k${Math.floor(this.#random() * 20)}` })),
    }
    // One that may only start later is refused where it expires before.
    const laterMs = options.delayMs === undefined ? 0 : options.delayMs + 100
    const expiry = maybe(0.1, () => ({ expiresAt: Date.now() + laterMs + Math.floor(this.#random() * 400) }))
    return { ...options, ...expiry } as EnqueueOptions
  }

  async #cancel(): Promise<void> {
    const job = this.#latest()
    if (job === undefined) return
    const mode = this.#random() < 0.3 ? 'terminate' : 'abort'
    const answer = await job.cancel({ mode }).catch(ifUnknown)
    this.#note('cancel', job.id, answer ?? 'unknown')
    this.#count('cancels')
  }

  async #reschedule(): Promise<void> {
    const soon = this.#random() < 0.5
    const delayMs = Math.floor(this.#random() * 100)
    await allow(this.#latest()?.reschedule(soon ? { delayMs } : { priority: 9 }))
    this.#count('reschedules')
  }

  async #retry(): Promise<void> {
    const job = this.#latest()
    if (job === undefined) return
    // Before it is committed: the job may have ended again before this goes on.
    this.#wanted.set(job.id, (this.#wanted.get(job.id) ?? 0) + 1)
    this.#note('retried', job.id)
    const refused = await allow(job.retry())
    if (refused === undefined) return this.#count('retries')
    if (isUnknown(refused)) {
      this.#perhapsNot.set(job.id, (this.#perhapsNot.get(job.id) ?? 0) + 1)
      return this.#count('unknown')
    }
    this.#note('refused', job.id)
    this.#wanted.set(job.id, (this.#wanted.get(job.id) ?? 0) - 1)
  }

  async #cancelMany(): Promise<void> {
    await this.#runtime.cancelMany({ task: this.#pick(this.#tasks) as StressTask, state: 'running' }).catch(ifUnknown)
    this.#count('cancels of many')
  }

  async #look(): Promise<void> {
    await allow(this.#latest()?.record())
    await allow(this.#runtime.tasks())
  }

  /** Of a tier or lane. */
  async #killThread(): Promise<void> {
    const alive = workersSince(this.#workersFrom).filter(({ threadId }) => threadId > 0)
    const victim = this.#pick(alive.filter(({ threadId }) => this.#serving.has(threadId)))
    if (victim === undefined) return
    this.#count('killed threads')
    await victim.terminate()
  }

  async #killJournal(): Promise<void> {
    await this.#journalThread()?.terminate()
  }

  async #crashStage(): Promise<void> {
    const { wires } = this.#booted
    this.#count('crashes of a stage')
    if (this.#random() < 0.5) wires.dispatch.tell(undefined as never)
    else wires.upkeep.tell(undefined as never)
  }

  #latest(): Job<null> | undefined {
    return this.#pick(this.#jobs.slice(-60))
  }

  #pick<T>(of: readonly T[]): T | undefined {
    return of[Math.floor(this.#random() * of.length)]
  }

  #count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1
  }

  /** Each job has ended as often as it was wanted, and nothing has run that should not. */
  #judge(): void {
    const lines = ledgerLines(join(this.#options.folder, 'ledger'))
    for (const [id, wanted] of this.#wanted) {
      const ends = this.#ends.get(id) ?? []
      if (ends.length <= wanted && ends.length >= wanted - (this.#perhapsNot.get(id) ?? 0)) continue
      const evidence = lines.filter((words) => words[1] === id).map((words) => words.join(' '))
      const row = rowOf(join(this.#options.folder, 'jobs.db'), id)
      this.#faults.push(
        `${id} was wanted ${wanted} times and ended ${ends.join(', ')}: ${[...evidence, row].join('; ')}`,
      )
    }
    this.#faults.push(...faultsOf(lines, this.#ends))
    this.#count('judged lines')
  }
}

/** What is left of a job when its runtime has stopped. */
function rowOf(file: string, id: string): string {
  const db = new Database(file, { readonly: true })
  const row = db.prepare<[number], object>('SELECT * FROM millrace_jobs WHERE id = ?').get(parseJobId(id)?.number ?? 0)
  db.close()
  return row === undefined ? 'no row' : JSON.stringify(row)
}

/** Reads the ledger in the order in which it was written. */
function faultsOf(lines: readonly (readonly string[])[], ends: ReadonlyMap<string, readonly string[]>): string[] {
  const faults: string[] = []
  const latestRun = new Map<string, string>()
  /** How often each job may yet be begun and ended. */
  const open = new Map<string, number>()
  const done = new Set<string>()
  for (const [what = '', id = '', task = '', run = ''] of lines) {
    const left = open.get(id) ?? 1
    if (what === 'ended' || what === 'refused') open.set(id, left - 1)
    else if (what === 'retried') open.set(id, left + 1)
    else if (what === 'start') {
      if (left < 1) faults.push(`${id} of ${task} began after it had ended`)
      latestRun.set(id, run)
    } else if (what === 'end' || what === 'fail') {
      // On a lane nothing can end an attempt that was given up.
      const onTier = task.endsWith('tier')
      if (onTier && latestRun.get(id) !== run) faults.push(`${id} of ${task} went on after its next attempt had begun`)
      if (what === 'end') done.add(id)
    }
  }
  for (const [id, how] of ends) {
    if (how.includes('succeeded') && !done.has(id)) faults.push(`${id} is told to have succeeded and has not run`)
  }
  return faults
}

/** Where the thread of the journal died meanwhile, nobody may be able to say what came of it. */
function ifUnknown(error: unknown): undefined {
  if (!isUnknown(error)) throw error
  return undefined
}

function isUnknown(error: unknown): boolean {
  return (error as { readonly code?: string }).code === 'MILLRACE_OUTCOME_UNKNOWN'
}

function later(ms: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), Math.max(0, ms)).unref())
}

/** A refusal is an answer as well. */
async function allow(asked: Promise<unknown> | undefined): Promise<unknown> {
  try {
    await asked
    return undefined
  } catch (error) {
    return error
  }
}

/** Numbers from 0 up to 1 that are the same for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
