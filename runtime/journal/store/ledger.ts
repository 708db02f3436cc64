import { MillraceError } from '../../../lib/errors.ts'
import { RANKS, Waiting } from './waiting.ts'
import { prepareStatements, type Statements } from '../schema/statements.ts'
import { PlaceRooms } from './place-rooms.ts'
import { TaskList } from './task-list.ts'
import { Admission } from '../limits/admission.ts'
import { Paces } from '../limits/paces.ts'
import { Regulator, type WaitingJob } from '../limits/regulator.ts'
import { NUMBERS_AHEAD } from '../numbers.ts'
import { OutboundJobs } from '../crossing/outbound-jobs.ts'
import { HomewardTexts } from '../crossing/homeward-texts.ts'
import { LateRows, newRow } from '../crossing/late-rows.ts'
import type { EndedPosition } from './history.ts'
import { KeepTimes } from './keep-times.ts'
import type { Routes } from '../protocol.ts'
import { RetryBudget } from './retry-budget.ts'
import { isOutboundRank, RETRIED_RANK } from '../schema/schema.ts'
import { type Database, type Prepared, prepare, prepareValue } from '../files/sqlite.ts'
import { type Origin, TakenHere } from '../crossing/taken-here.ts'
import { Turns } from './turns.ts'

/** The ends of other kinds than success keep their row this long unless the owner says otherwise. */
export const DEFAULT_KEEP_ENDED_MS = 7 * 24 * 3_600_000

/** The open journal of its owner: the database, its prepared statements, and what is known of the rows without reading. */
export class Ledger {
  readonly db: Database
  readonly sql: Statements
  readonly tasks: TaskList
  /** Fresh work that waits. */
  readonly waiting = new Waiting()
  /** What waits to be tried again. */
  readonly retried = new Waiting()
  /** What waits to go to a broker. */
  readonly outbound = new OutboundJobs()
  readonly taken = new TakenHere()
  readonly late = new LateRows()
  /** What goes home with the group that is applied. */
  readonly homes = new HomewardTexts()
  /** Whether jobs are known that shall not run here, as far as was looked. */
  mayBeUnwanted: 'yes' | 'no' = 'yes'
  readonly retryBudget = new RetryBudget()
  readonly paces = new Paces(this.waiting)
  readonly rooms = new PlaceRooms()
  readonly regulator: Regulator
  readonly admission = new Admission((task) => this.waitingOf(task))
  readonly turns = new Turns()
  /** How far the histories of tasks have been looked at, by task. */
  historyLooks: ReadonlyMap<number, EndedPosition> = new Map()
  readonly epoch: number
  readonly name: string
  readonly keepTimes: KeepTimes
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
    this.keepTimes = new KeepTimes(db, meta.keepEndedMs)
    this.sql = prepareStatements(db)
    this.tasks = new TaskList(db)
    this.regulator = new Regulator(db, this)
    this.begin = prepare(db, 'BEGIN IMMEDIATE')
    this.commit = prepare(db, 'COMMIT')
    this.rollback = prepare(db, 'ROLLBACK')
    this.#totalChanges = prepareValue<[], number>(db, 'SELECT total_changes()')
    this.#dataVersion = prepareValue<[], number>(db, 'PRAGMA data_version')
  }

  /** For undoing what a transaction has changed here, or a part of it under a savepoint, once its rows are as they were. */
  remember(): () => void {
    const { nextOrd, historyLooks, homes, late } = this
    const { size } = homes
    const { changes } = late
    const restores = [this.rooms, this.turns, this.keepTimes].map((part) => part.snapshot())
    return () => {
      this.nextOrd = nextOrd
      this.historyLooks = historyLooks
      homes.truncate(size)
      late.undoTo(changes)
      for (const restore of restores) restore()
      this.recount()
    }
  }

  /** Reads the counts of waiting jobs anew: at the start, and after a transaction was rolled back. */
  recount(): void {
    this.waiting.clear()
    this.retried.clear()
    this.outbound.waiting.clear()
    this.suspects = 0
    this.taken.clear()
    for (const [number, origin] of this.sql.takenHere.all()) this.taken.add(number, JSON.parse(origin) as Origin)
    for (const [number, { origin }] of this.late) this.taken.add(number, origin)
    this.mayBeUnwanted = this.sql.anyUnwanted.get() === undefined ? 'no' : 'yes'
    for (const { task, rank, jobs } of this.sql.waitingCounts.all()) {
      this.addWaiting(this.tasks.indexOfId(task), rank, jobs)
    }
    this.regulator.rebuild()
  }

  beginsToWait(job: WaitingJob): void {
    this.addWaiting(job.task, job.rank, 1)
    if (this.regulator.has(job.task)) this.regulator.waits(job)
  }

  /** A job is not available any more, for another reason than a claim. */
  ceasesToWait(job: WaitingJob): void {
    this.addWaiting(job.task, job.rank, -1)
    if (this.regulator.has(job.task)) this.regulator.waitsNoMore(job)
  }

  /** Counts jobs that begin to wait, or with a negative number cease to; suspects are counted apart. */
  addWaiting(task: number, rank: number, jobs: number): void {
    if (rank < RANKS) this.waiting.add(task, rank, jobs)
    else if (isOutboundRank(rank)) this.outbound.add(task, rank, jobs)
    else if (rank >= RETRIED_RANK) this.retried.add(task, rank - RETRIED_RANK, jobs)
    else this.suspects += jobs
  }

  route(routes: Routes, now: number): void {
    // What has a limit from now on is counted by its rows.
    this.writeAllLate()
    if (routes.places.length !== this.rooms.places) this.paces.forget()
    this.rooms.reset(routes.places.map((place) => place.capacity))
    this.turns.route()
    this.admission.route(routes)
    this.keepTimes.route(routes.keepEndedMs)
    const limited = this.regulator.route(routes)
    this.waiting.route(routes.places.length, routes.placeOf, limited)
    this.retried.route(routes.places.length, routes.placeOf, limited)
    this.retryBudget.route(routes.places.map(({ retryEvery }) => retryEvery))
    this.outbound.route(routes)
    if (routes.places.length > 0) this.#redirect(now)
  }

  /** The rank under which a job waits, by the way that its task goes; what was taken from a broker runs here. */
  rankOf(task: number, rank: number, number: number): number {
    return this.taken.has(number) ? rank : this.outbound.rankOf(task, rank)
  }

  /** Jobs that waited before it was known which way their task goes, or when it went another. */
  #redirect(now: number): void {
    let changes = 0
    this.tasks.names.forEach((_, task) => {
      const id = this.tasks.idOf(task)
      if (!this.outbound.goesOut(task)) {
        if (this.outbound.waiting.ofTask(task) === 0) return
        changes += this.sql.keepForLater.run(id, now).changes + this.sql.keepHere.run(id).changes
      } else if (this.waiting.ofTask(task) + this.retried.ofTask(task) > 0) changes += this.sql.sendOut.run(id).changes
    })
    if (changes === 0) return
    this.recount()
    this.timesChanged = 'yes'
  }

  /** Writes the row of a delivery, if it was put off: somebody is about to look at it. */
  writeLate(number: number): void {
    const row = this.late.take(number)
    if (row !== undefined) this.sql.appendTaken.run(...newRow(row, this.tasks.idOf(row.job.task), 'claimed'))
  }

  writeAllLate(): void {
    for (const [number] of this.late) this.writeLate(number)
  }

  /** Keeps a reserve of numbers ahead of those that the owner has given out. */
  reserveNumbers(next: number): void {
    if (next >= this.nextNumber - NUMBERS_AHEAD / 2) this.nextNumber = next + NUMBERS_AHEAD
  }

  /**
   * In every transaction: it carries its number, by which the owner learns after a crash of this thread what was committed,
   * and checks the owner epoch.
   */
  stamp(number: number): void {
    const { changes } = this.sql.stamp.run(number, this.nextOrd, this.nextNumber, this.epoch)
    if (changes > 0) return
    throw new MillraceError(
      'MILLRACE_JOURNAL_LOST',
      'another process has taken the journal over; got a newer owner epoch, expected our own; stop one of the two',
    )
  }

  /** When the next scheduled job is due or the next waiting one expires; read only after a change. */
  nextDueAt(): number | undefined {
    const [time, limit] = [this.#nextInTime(), this.regulator.opensAt()]
    return time === undefined || (limit !== undefined && limit < time) ? limit : time
  }

  /** Waiting jobs that could be claimed, were there room. */
  get claimable(): number {
    return (
      this.waiting.unlimited + this.retried.unlimited + this.outbound.waiting.unlimited + this.regulator.claimable()
    )
  }

  /** Jobs that wait for a claim, of all tasks that have a place. */
  get waitingJobs(): number {
    return this.waiting.total + this.retried.total + this.outbound.waiting.total
  }

  waitingOf(task: number): number {
    return this.waiting.ofTask(task) + this.retried.ofTask(task) + this.outbound.waiting.ofTask(task)
  }

  #nextInTime(): number | undefined {
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

  /** What a transaction of ours found there is not true any more: it was rolled back. */
  forgetInbox(): void {
    this.#inbox = 'unknown'
  }
}
