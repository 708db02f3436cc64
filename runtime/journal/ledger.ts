import { RANKS, Waiting } from './waiting.ts'
import { prepareStatements, type Statements } from './statements.ts'
import { Rooms } from './rooms.ts'
import { TaskList } from './task-list.ts'
import type { Routes } from './protocol.ts'
import { INBOX_NUMBERS_FROM } from './schema.ts'
import { type Database, type Prepared, prepare, prepareValue } from './sqlite.ts'

/** How many numbers the owner gets ahead, so that giving one out needs no commit. */
export const NUMBERS_AHEAD = 2 ** 20

/** The ends of other kinds than success keep their row this long unless the owner says otherwise. */
export const DEFAULT_KEEP_ENDED_MS = 7 * 24 * 3_600_000

/** The open journal of its owner: the database, its prepared statements, and what is known of the rows without reading. */
export class Ledger {
  readonly db: Database
  readonly sql: Statements
  readonly tasks: TaskList
  readonly waiting = new Waiting()
  readonly rooms = new Rooms()
  /** Waiting jobs that each place was given so far: one in eight is the oldest, however few a claim takes. */
  readonly turns: number[] = []
  readonly epoch: number
  readonly name: string
  /** How long jobs are kept that the journal itself ends. */
  readonly keepEndedMs: number
  readonly begin: Prepared<[]>
  readonly commit: Prepared<[]>
  readonly rollback: Prepared<[]>
  readonly #dataVersion: Prepared<[], number>
  readonly #totalChanges: Prepared<[], number>
  commits: number
  nextOrd: number
  nextNumber: number
  /** Jobs that wait for their trial, where no claim sees them. */
  suspects = 0
  /** Whether a commit since the last look has touched what is scheduled or expires. */
  timesChanged: 'yes' | 'no' = 'yes'
  #nextDueAt: number | undefined
  #seenVersion = -1
  #inbox: 'unknown' | 'empty' = 'unknown'

  constructor(
    db: Database,
    meta: {
      name: string
      epoch: number
      commits: number
      nextOrd: number
      nextNumber: number
      keepEndedMs: number
    },
  ) {
    this.db = db
    this.name = meta.name
    this.epoch = meta.epoch
    this.commits = meta.commits
    this.nextOrd = meta.nextOrd
    this.nextNumber = meta.nextNumber
    this.keepEndedMs = meta.keepEndedMs
    this.sql = prepareStatements(db)
    this.tasks = new TaskList(db)
    this.begin = prepare(db, 'BEGIN IMMEDIATE')
    this.commit = prepare(db, 'COMMIT')
    this.rollback = prepare(db, 'ROLLBACK')
    this.#totalChanges = prepareValue<[], number>(db, 'SELECT total_changes()')
    this.#dataVersion = prepareValue<[], number>(db, 'PRAGMA data_version')
  }

  /** Reads the counts of waiting jobs anew: at the start, and after a transaction was rolled back. */
  recount(): void {
    this.waiting.clear()
    this.suspects = 0
    for (const { task, rank, jobs } of this.sql.waitingCounts.all()) {
      this.addWaiting(this.tasks.indexOfId(task), rank, jobs)
    }
  }

  /** Counts jobs that begin to wait, or with a negative number cease to; suspects are counted apart. */
  addWaiting(task: number, rank: number, jobs: number): void {
    if (rank < RANKS) this.waiting.add(task, rank, jobs)
    else this.suspects += jobs
  }

  route(routes: Routes): void {
    this.rooms.reset(routes.places.map((place) => place.capacity))
    this.waiting.route(routes.places.length, routes.placeOf)
  }

  /** Keeps the owner's next numbers ahead of those it has used. */
  reserveNumbers(used: number): void {
    if (used >= INBOX_NUMBERS_FROM) return
    if (used >= this.nextNumber - NUMBERS_AHEAD / 2) this.nextNumber = used + NUMBERS_AHEAD
  }

  /** When the next scheduled job is due or the next waiting one expires; read only after a change. */
  nextDueAt(): number | undefined {
    if (this.timesChanged === 'yes') {
      const due = this.sql.nextDueAt.get() ?? undefined
      const expires = this.sql.nextExpiresAt.get() ?? undefined
      this.#nextDueAt = due === undefined || (expires !== undefined && expires < due) ? expires : due
      this.timesChanged = 'no'
    }
    return this.#nextDueAt
  }

  /** Rows that this connection has changed in its life. */
  totalChanges(): number {
    return this.#totalChanges.get() as number
  }

  /** Whether another connection may have put something into the inbox since it was last found empty. */
  inboxMayHaveRows(): 'yes' | 'no' {
    const version = this.#dataVersion.get() as number
    if (version === this.#seenVersion && this.#inbox === 'empty') return 'no'
    this.#seenVersion = version
    this.#inbox = 'unknown'
    return 'yes'
  }

  inboxIsEmpty(): void {
    this.#inbox = 'empty'
  }
}
