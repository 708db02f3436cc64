import { Limiters } from '../../../lib/limiter.ts'
import { keyIn, type KeyName, type PartLimits } from '../../../lib/limits.ts'
import type { Limiter, LimiterName, LimiterRule } from '../../../lib/limiter.ts'
import { type HeldUp, PartGroup, type Picked, type Ticket } from '../../../lib/part-group.ts'
import type { PartName } from '../../../lib/part.ts'
import type { Routes, Settle } from '../protocol.ts'
import { isPlaceRank, RETRIED_RANK } from '../schema/schema.ts'
import type { Database } from '../files/sqlite.ts'
import { RANKS } from '../store/waiting.ts'
import { type PartStatements, prepareParts } from './statements.ts'

/** A job that waits for its claim, as far as limits go by it. */
export interface WaitingJob extends PartName {
  readonly rank: number
  readonly ord: number
}

/** What the regulator has to know of the rest of the journal. */
export interface RegulatedJournal {
  readonly tasks: { idOf(index: number): number; indexOfId(id: number): number; nameOf(index: number): string }
  readonly waiting: { count(task: number, rank: number): number }
  readonly retried: { count(task: number, rank: number): number }
}

/** The ranks that claims see: those of fresh work, and those of retries. */
const CLAIMED_RANKS = Array.from({ length: RANKS }, (_, rank) => [rank, rank + RETRIED_RANK]).flat()

const NONE: readonly PartGroup[] = []

/**
 * Which waiting jobs limits let be claimed. Rows are the truth; what stands here is how many of each part wait and run,
 * and it is read from the rows anew whenever it may be wrong: when limits have changed, and after a rollback.
 * A task without limits is not known here.
 */
export class Regulator {
  readonly #journal: RegulatedJournal
  readonly #sql: PartStatements
  #limits: readonly (PartLimits | undefined)[] = []
  #signature = '[]'
  #limiters = new Limiters()
  /** By task index. */
  #groups: (PartGroup | undefined)[] = []
  /** By place index; tasks without a place are parked. */
  #ofPlace: readonly (readonly PartGroup[])[] = []
  #placeOf: readonly number[] = []
  #parallel: readonly number[] = []
  /** Claims of tasks that have limits. */
  #tickets = new Map<number, Ticket>()
  /** Rates that an owner before this one has left behind, until somebody needs them or they are as new. */
  #rates: Map<string, number> | undefined
  #ratesUntil = 0
  /** Claims that such an owner held: nobody knows which of them had started. */
  #orphans: PartName[] = []
  #now = 0

  constructor(db: Database, journal: RegulatedJournal) {
    this.#journal = journal
    this.#sql = prepareParts(db)
  }

  /** Time as of the present commit. */
  pass(now: number): void {
    this.#now = now
    this.#limiters.pass(now)
    if (now >= this.#ratesUntil) this.#rates?.clear()
  }

  /** Returns the tasks that have limits now. */
  route(routes: Routes): ReadonlySet<number> {
    this.#placeOf = routes.placeOf
    this.#parallel = routes.places.map(({ parallel }) => parallel)
    this.#limits = routes.limits ?? this.#limits
    const signature = JSON.stringify(this.#limits)
    if (signature === this.#signature) this.#groupByPlace()
    else {
      this.rebuild()
      this.#sql.forgetRatesUntil.run(this.#now)
    }
    this.#orphans = []
    this.#signature = signature
    return new Set(this.#limits.flatMap((limits, task) => (limits === undefined ? [] : [task])))
  }

  has(task: number): boolean {
    return this.#groups[task] !== undefined
  }

  /** Whether any claim counts against a limit, so that ends have to be told. */
  get holds(): boolean {
    return this.#tickets.size > 0
  }

  /** The group of a task that has limits, parked or not. */
  groupOf(task: number): PartGroup | undefined {
    return this.#groups[task]
  }

  /** Groups of a place that may have something to claim. */
  groupsOf(place: number): readonly PartGroup[] {
    return (this.#ofPlace[place] ?? NONE).filter((group) => group.waiting > 0)
  }

  /** The rank of the first job that waits for the place and that no limit holds up; `undefined` if there is none. */
  firstRank(place: number): number | undefined {
    let first: number | undefined
    for (const group of this.#ofPlace[place] ?? NONE) {
      const rank = group.waiting === 0 ? undefined : group.position('foremost', this.#now)?.rank
      if (rank !== undefined && (first === undefined || rank < first)) first = rank
    }
    return first
  }

  /** Whether such a job is of this rank or a better one. */
  anyBefore(place: number, rank: number): boolean {
    return (this.firstRank(place) ?? Number.POSITIVE_INFINITY) <= rank
  }

  /** Waiting jobs of all places that no limit is known to hold up. */
  claimable(): number {
    let jobs = 0
    for (const groups of this.#ofPlace) for (const group of groups) jobs += group.claimable(this.#now)
    return jobs
  }

  /** When time alone lets a waiting job be claimed. */
  opensAt(): number | undefined {
    let at = this.#limiters.opensAt
    for (const groups of this.#ofPlace) for (const group of groups) at = Math.min(at, group.opensAt(this.#now))
    return at === Number.POSITIVE_INFINITY ? undefined : at
  }

  waits(job: WaitingJob): void {
    if (isPlaceRank(job.rank)) this.#groups[job.task]?.add(job, job.rank, job.ord)
  }

  /** A job waits no more, and was not claimed from a group. */
  waitsNoMore(job: WaitingJob): void {
    if (isPlaceRank(job.rank)) this.#groups[job.task]?.remove(job, job.rank, job.ord, this.#now)
  }

  /** The next job of a group, whose row is to be claimed in this transaction. */
  pick(group: PartGroup, which: 'foremost' | 'oldest'): Picked | undefined {
    return group.pick(which, this.#now)
  }

  position(group: PartGroup, which: 'foremost' | 'oldest') {
    return group.position(which, this.#now)
  }

  claimed(number: number, ticket: Ticket): void {
    this.#tickets.set(number, ticket)
  }

  /** Whether a claim that is not picked here, as that of a trial, would break no limit. */
  mayRun(name: PartName): boolean {
    return this.#groups[name.task]?.mayRun(name, this.#now) ?? true
  }

  /** What holds up jobs of a part now. */
  heldUp(name: PartName): HeldUp | undefined {
    return this.#groups[name.task]?.heldUp(name, this.#now)
  }

  /** Claims of a task's group. */
  runningOf(task: number): number {
    return this.#groups[task]?.running ?? 0
  }

  /** A claim that was not picked here. */
  claimedAlone(number: number, name: PartName): void {
    const ticket = this.#groups[name.task]?.claimed(name, 'reserved', this.#now)
    if (ticket !== undefined) this.#tickets.set(number, ticket)
  }

  /** Pairs of a claim's number and when it has started. */
  started(starts: Float64Array): void {
    for (let at = 0; at < starts.length; at += 2) {
      const ticket = this.#tickets.get(starts[at] as number)
      ticket?.group.started(ticket, starts[at + 1] as number, this.#now)
    }
  }

  /** A claim has ended, of which is not told when it has started: at the latest now. */
  finished(number: number): void {
    this.ended({ number, startedAt: this.#now, ranMs: 0 })
  }

  /** A claim is over; it counts as never started where it is not told when. */
  ended({ number, startedAt, ranMs }: Pick<Settle, 'number' | 'startedAt' | 'ranMs'>): void {
    const ticket = this.#tickets.get(number)
    if (ticket === undefined) return
    this.#tickets.delete(number)
    if (startedAt !== undefined) ticket.group.started(ticket, startedAt, this.#now)
    ticket.group.ended(ticket, ranMs, this.#now)
  }

  /** A claim was found that nobody holds any more. */
  orphaned(name: PartName): void {
    this.#orphans.push(name)
  }

  /** In every commit, so that what has started is paid for whatever becomes of this owner. */
  writeRates(): void {
    const { changed, forgotten } = this.#limiters
    for (const { name, meter } of changed) if (meter !== undefined) this.#sql.writeRate.run(name, meter.paidUntil)
    changed.clear()
    for (const name of forgotten.splice(0)) this.#sql.forgetRate.run(name)
  }

  /** Reads all of it from the rows. A claim of which nothing is known counts as started now. */
  rebuild(): void {
    const tickets = this.#tickets
    this.#keepRates()
    this.#limiters = new Limiters()
    this.#tickets = new Map()
    this.#groups = this.#limits.map((limits, task) => (limits === undefined ? undefined : this.#newGroup(task, limits)))
    this.#groupByPlace()
    if (this.#groups.every((group) => group === undefined)) return
    this.#groups.forEach((group, task) => {
      if (group !== undefined) this.#readWaiting(group, task)
    })
    for (const [number, id, part] of this.#sql.running.all()) {
      const task = this.#journal.tasks.indexOfId(id)
      const known = tickets.get(number)?.start
      // One that has not started yet does so later, however often this is read.
      const ticket = this.#groups[task]?.claimed({ task, part }, known ?? 'started', this.#now)
      if (ticket === undefined) continue
      this.#tickets.set(number, ticket)
      if (known === undefined) ticket.group.charge(ticket, this.#now)
    }
    for (const name of this.#orphans.splice(0)) this.#groups[name.task]?.chargeAlone(name, this.#now)
  }

  /** Rates outlive what is known of parts, and this owner. */
  #keepRates(): void {
    this.#rates ??= new Map(this.#sql.rates.all())
    for (const { name, meter } of this.#limiters.all()) if (meter !== undefined) this.#rates.set(name, meter.paidUntil)
    this.#ratesUntil = 0
    for (const paidUntil of this.#rates.values()) this.#ratesUntil = Math.max(this.#ratesUntil, paidUntil)
  }

  #groupByPlace(): void {
    const ofPlace: PartGroup[][] = []
    this.#groups.forEach((group, task) => {
      const place = this.#placeOf[task] ?? -1
      if (group !== undefined && place >= 0) (ofPlace[place] ??= []).push(group)
    })
    // Without holes: it is asked for every job that is appended.
    this.#ofPlace = Array.from(ofPlace, (groups) => groups ?? NONE)
  }

  #readWaiting(group: PartGroup, task: number): void {
    const id = this.#journal.tasks.idOf(task)
    const left = new Map(CLAIMED_RANKS.map((rank) => [rank, this.#countOf(task, rank)]))
    for (const [part, rank, jobs, ord] of this.#sql.heads.all(id)) {
      if (!isPlaceRank(rank)) continue
      group.add({ task, part }, rank, ord, jobs)
      left.set(rank, (left.get(rank) as number) - jobs)
    }
    for (const [rank, jobs] of left) {
      const ord = jobs > 0 ? this.#sql.nextWithout.get(id, rank, -1) : undefined
      if (ord !== undefined) group.add({ task, part: null }, rank, ord, jobs)
    }
  }

  #countOf(task: number, rank: number): number {
    const { waiting, retried } = this.#journal
    return rank < RETRIED_RANK ? waiting.count(task, rank) : retried.count(task, rank - RETRIED_RANK)
  }

  #newGroup(task: number, limits: PartLimits): PartGroup {
    const scope = `task:${this.#journal.tasks.nameOf(task)}`
    const rules = rulesOf(limits)
    const { fair, place } = limits
    const limiterOf = (name: KeyName | undefined, rule: LimiterRule, part: string | null) =>
      this.#limiterOf(nameOf(scope, name, part), rule)
    return new PartGroup(
      {
        gates: [
          ...rules.flatMap(([name, rule]) => (name === undefined ? [limiterOf(undefined, rule, null)] : [])),
          ...(place === undefined ? [] : [this.#limiterOf({ name: `place:${place.name}` }, place)]),
        ],
        limitersOf: ({ part }) =>
          rules.flatMap(([name, rule]) => (name === undefined ? [] : [limiterOf(name, rule, part)])),
        ...(fair !== undefined && {
          shareOf: ({ part }) => keyIn(part, fair.by) ?? '',
          ahead: (usualMs) => jobsAhead(this.#parallel[this.#placeOf[task] ?? -1] ?? 0, usualMs),
        }),
        next: ({ part }, rank, after) => this.#next(task, part, rank, after),
      },
      this.#limiters,
    )
  }

  #limiterOf(of: LimiterName, rule: LimiterRule): Limiter {
    return this.#limiters.get(of, rule, this.#now, (name) => this.#rates?.get(name))
  }

  #next(task: number, part: string | null, rank: number, after: number): number {
    const id = this.#journal.tasks.idOf(task)
    const ord = part === null ? this.#sql.nextWithout.get(id, rank, after) : this.#sql.next.get(id, part, rank, after)
    if (ord === undefined) throw new Error(`a job of ${this.#journal.tasks.nameOf(task)} was counted that is not there`)
    return ord
  }
}

/** Fair jobs are claimed no further ahead than this: what is in a hand runs in its order, whoever comes then. */
const AHEAD_MS = 50

function jobsAhead(parallel: number, usualMs: number): number {
  return parallel + Math.max(1, Math.ceil((parallel * AHEAD_MS) / usualMs))
}

/** The limits of a task by the key that they go by: those with the same one are one limiter. */
function rulesOf({ concurrency, rate }: PartLimits): (readonly [KeyName | undefined, LimiterRule])[] {
  const rules = new Map<KeyName | undefined, LimiterRule>()
  if (concurrency !== undefined) rules.set(concurrency.by, { concurrency: concurrency.limit })
  if (rate !== undefined) rules.set(rate.by, { ...rules.get(rate.by), rate })
  return [...rules]
}

function nameOf(scope: string, name: KeyName | undefined, part: string | null): LimiterName {
  if (name === undefined) return { name: scope }
  const key = keyIn(part, name)
  return { name: `${scope} ${name} ${key ?? ''}`, key }
}
