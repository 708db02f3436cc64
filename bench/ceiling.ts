import { type Database, openDatabase } from '../runtime/journal/files/sqlite.ts'
import { alternate } from './alternate.ts'
import { type Bench, type Figure, pick } from './bench.ts'
import { nowMs } from './board.ts'
import { median, percentiles, rangeOf } from './figures.ts'
import { evenly, openLoop } from './open-loop.ts'
import { PAYLOAD } from './payload.ts'
import { Scratch } from './scratch.ts'

/** Fixed: a figure of another schema is no ceiling of the figures before it. */
const CEILING_SCHEMA =
  'CREATE TABLE jobs (id INTEGER PRIMARY KEY, task INTEGER NOT NULL, state INTEGER NOT NULL, payload TEXT NOT NULL)'

const TRANSACTION = 500

/** Opens a file as the journal does: FULL, the same page cache, the same checkpoints. */
export function openRaw(file: string): Database {
  const db = openDatabase(file)
  db.pragma('journal_mode = WAL')
  db.pragma('synchronous = FULL')
  db.pragma('wal_autocheckpoint = 4000')
  db.pragma('cache_size = -16384')
  return db
}

/**
 * What SQLite alone can do on this machine at this minute: rows of 200 bytes, synchronous FULL, transactions of 500, one
 * thread, no runtime. Every figure of the journal is a share of one of these.
 */
export class Ceiling implements Disposable {
  readonly #scratch = new Scratch()
  readonly #db: Database
  readonly #insert: (id: number) => unknown
  readonly #delete: (id: number) => unknown
  readonly #begin: () => unknown
  readonly #commit: () => unknown
  #last = 0

  constructor() {
    this.#db = openRaw(this.#scratch.file('ceiling.db'))
    this.#db.exec(CEILING_SCHEMA)
    const insert = this.#db.prepare('INSERT INTO jobs VALUES (?, 1, 1, ?)')
    const remove = this.#db.prepare('DELETE FROM jobs WHERE id = ?')
    const begin = this.#db.prepare('BEGIN IMMEDIATE')
    const commit = this.#db.prepare('COMMIT')
    this.#insert = (id) => insert.run(id, PAYLOAD)
    this.#delete = (id) => remove.run(id)
    this.#begin = () => begin.run()
    this.#commit = () => commit.run()
  }

  /** Jobs per second: one insert and one delete each. */
  cycles(jobs: number): number {
    return this.#perSecond(jobs, (first, count) => {
      this.#transaction(first, count, this.#insert)
      this.#transaction(first, count, this.#delete)
    })
  }

  /** Inserts per second, without a delete. */
  inserts(jobs: number): number {
    return this.#perSecond(jobs, (first, count) => this.#transaction(first, count, this.#insert))
  }

  /** How long commits of a single row take, in ms each. */
  singleCommits(commits: number): number[] {
    return Array.from({ length: commits }, () => {
      const startedAt = performance.now()
      this.#transaction(this.#next(1), 1, this.#insert)
      return performance.now() - startedAt
    })
  }

  /**
   * Rows that come so often, whatever became of those before; all that have come go into one commit. How long each has waited
   * until it was committed, in ms.
   */
  async rowsAsTheyCome(perSecond: number, seconds: number): Promise<number[]> {
    const waits: number[] = []
    let due: number[] = []
    const commit = () => {
      this.#transaction(this.#next(due.length), due.length, this.#insert)
      const at = nowMs()
      for (const meantAt of due) waits.push(at - meantAt)
      due = []
    }
    await openLoop(evenly(perSecond, seconds), (meantAt) => {
      if (due.push(meantAt) === 1) queueMicrotask(commit)
    })
    return waits
  }

  [Symbol.dispose](): void {
    this.#db.close()
    this.#scratch[Symbol.dispose]()
  }

  #perSecond(jobs: number, part: (first: number, count: number) => void): number {
    const startedAt = performance.now()
    for (let done = 0; done < jobs; done += TRANSACTION) {
      const count = Math.min(TRANSACTION, jobs - done)
      part(this.#next(count), count)
    }
    return (jobs / (performance.now() - startedAt)) * 1_000
  }

  #transaction(first: number, count: number, write: (id: number) => unknown): void {
    this.#begin()
    for (let id = first; id < first + count; id++) write(id)
    this.#commit()
  }

  #next(count: number): number {
    const first = this.#last + 1
    this.#last += count
    return first
  }
}

export const ceiling: Bench = {
  name: 'ceiling',
  about: 'raw SQLite without a runtime: what every other figure is a share of',
  async run(scale): Promise<readonly Figure[]> {
    const jobs = pick(scale, { full: 100_000, quick: 20_000, once: 1_000 })
    const commits = pick(scale, { full: 3_000, quick: 500, once: 20 })
    using raw = new Ceiling()
    const { ceiling: cycles, subject: inserts } = await alternate(
      scale,
      () => raw.cycles(jobs),
      () => raw.inserts(jobs),
    )
    const single = percentiles(raw.singleCommits(commits))
    const runs = cycles.length
    return [
      { what: 'ceiling: insert + delete', unit: 'jobs/s', value: median(cycles), runs, range: rangeOf(cycles) },
      { what: 'inserts alone', unit: 'jobs/s', value: median(inserts), runs, range: rangeOf(inserts) },
      { what: 'single-row commit p50', unit: 'ms', value: single.p50, runs: single.count },
      { what: 'single-row commit p99', unit: 'ms', value: single.p99, runs: single.count },
    ]
  },
}
