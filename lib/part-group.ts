import type { Limiter, Limiters, StartState } from './limiter.ts'
import { Lineup } from './lineup.ts'
import { Part, type PartName, Queue } from './part.ts'

/** What a group has to know of its task. */
export interface GroupRules {
  /** Limiters that all of the group have: nobody is parked in them, since nobody could go past. */
  readonly gates: readonly Limiter[]
  limitersOf(name: PartName): readonly Limiter[]
  /** Who the run time of a part is charged to; absent in a group that does not share fairly. */
  readonly shareOf?: (name: PartName) => string
  /** The most claims at once where they must not run far ahead of what runs, by the usual run time. */
  readonly ahead?: (usualMs: number) => number
  /** The order number of the first waiting job of a part and rank behind another; asked only where there is one. */
  next(name: PartName, rank: number, after: number): number
}

/** A claim that counts against limits, from its commit to that of its end. */
export interface Ticket {
  readonly group: PartGroup
  readonly part: Part
  readonly chargedMs: number
  start: StartState
}

/** A job that a group gives out. */
export interface Picked extends PartName {
  readonly rank: number
  readonly ord: number
  readonly ticket: Ticket
}

/** Where a group stands among the other jobs of its place. */
export interface Position {
  readonly rank: number
  readonly ord: number
}

/** What holds a part up, and when time alone ends that. */
export interface HeldUp {
  /** 'ahead': enough is claimed already, and fairness wants the rest to be chosen later. */
  readonly by: Limiter | 'ahead'
  readonly opensAt: number
}

/**
 * The waiting jobs of a task that has limits, part by part, in memory only as far as they are open: a part without
 * waiting and running jobs is forgotten. A pick is O(log n) on average, however many parts there are: those that are
 * full are parked in what they wait for, and are not met again before that opens.
 */
export class PartGroup {
  readonly #rules: GroupRules
  readonly #limiters: Limiters
  readonly #lineup: Lineup
  readonly #parts = new Map<string | null, Part>()
  #waiting = 0
  #running = 0

  constructor(rules: GroupRules, limiters: Limiters) {
    this.#rules = rules
    this.#limiters = limiters
    this.#lineup = new Lineup(rules.shareOf)
    for (const gate of rules.gates) limiters.join(gate)
  }

  /** Waiting jobs, claimable or not. */
  get waiting(): number {
    return this.#waiting
  }

  get running(): number {
    return this.#running
  }

  /** Parts that are remembered. */
  get parts(): number {
    return this.#parts.size
  }

  /** Jobs of parts that are not known to be full. */
  claimable(now: number): number {
    return this.#closed(now) === undefined ? this.#lineup.jobs : 0
  }

  /** When time alone opens what closes the whole group. */
  opensAt(now: number): number {
    const closed = this.#lineup.jobs === 0 ? undefined : this.#closed(now)
    return closed === undefined ? Number.POSITIVE_INFINITY : closed.opensAt
  }

  /** Jobs have begun to wait: one, or as many as there are from this one on. */
  add(name: PartName, rank: number, ord: number, jobs = 1): void {
    const part = this.#partOf(name)
    const known = part.queueOf(rank)
    const queue = known ?? new Queue(part, rank, ord, this.#lineup)
    part.waiting += jobs
    this.#waiting += jobs
    this.#lineup.count(queue, jobs)
    if (known !== undefined) {
      if (ord < queue.ord) this.#moveTo(queue, ord)
      return
    }
    part.open(queue)
    this.#lineup.enter(queue)
  }

  /** A job waits no more, and was not picked from here. */
  remove(name: PartName, rank: number, ord: number, now: number): void {
    const part = this.#parts.get(name.part)
    const queue = part?.queueOf(rank)
    if (part === undefined || queue === undefined) return
    this.#takeOne(queue, ord, now)
    this.#forget(part, now)
  }

  /** Where the next pick stands; `undefined` if nothing can be picked now. */
  position(which: 'foremost' | 'oldest', now: number): Position | undefined {
    if (this.#closed(now) !== undefined) return undefined
    return this.#firstOf(() => (which === 'oldest' ? this.#lineup.oldest : this.#lineup.foremost), now)
  }

  /** Takes a job when it is the turn of where `position` stands; whose it is is a matter of fairness. */
  pick(which: 'foremost' | 'oldest', now: number): Picked | undefined {
    const queue = this.#firstOf(() => (which === 'oldest' ? this.#lineup.oldestInTurn : this.#lineup.nextInTurn), now)
    if (queue === undefined) return undefined
    const { part, rank, ord } = queue
    const ticket = this.#enter(part, 'reserved', now)
    this.#takeOne(queue, ord, now)
    this.#limiters.resolve(queue, now)
    return { task: part.task, part: part.part, rank, ord, ticket }
  }

  /** Whether a claim that is not picked here, as that of a trial, would break no limit. */
  mayRun(name: PartName, now: number): boolean {
    const limiters = this.#parts.get(name.part)?.limiters ?? this.#rules.limitersOf(name)
    return [...this.#rules.gates, ...limiters].every((limiter) => limiter.isOpen(now))
  }

  /** A claim that was not picked here; the start of one that is 'started' is paid for. */
  claimed(name: PartName, start: StartState, now: number): Ticket {
    return this.#enter(this.#partOf(name), start, now)
  }

  /** The start of a claim may have been, and nobody knows when: it counts from now. */
  charge({ part }: Ticket, now: number): void {
    for (const limiter of [...this.#rules.gates, ...part.limiters]) this.#limiters.charge(limiter, now)
  }

  /** The same for a claim that is none any more. */
  chargeAlone(name: PartName, now: number): void {
    const ticket = this.claimed(name, 'started', now)
    this.charge(ticket, now)
    this.ended(ticket, undefined, now)
  }

  started(ticket: Ticket, at: number, now: number): void {
    if (ticket.start === 'started') return
    ticket.start = 'started'
    this.#limiters.started(this.#rules.gates, at, now)
    this.#limiters.started(ticket.part.limiters, at, now)
  }

  /** A claim has ended after so long; `undefined` if it never started. */
  ended(ticket: Ticket, ranMs: number | undefined, now: number): void {
    const { part, chargedMs, start } = ticket
    part.running--
    this.#running--
    this.#lineup.correct(part.sharer, chargedMs, ranMs)
    this.#limiters.exit(this.#rules.gates, start, now)
    this.#limiters.exit(part.limiters, start, now)
    this.#forget(part, now)
  }

  /** What holds up jobs of a part now; `undefined` if nothing does, or none of them waits. */
  heldUp(name: PartName, now: number): HeldUp | undefined {
    const full = this.#parts.get(name.part)?.fullAt(now)
    return this.#closed(now) ?? (full === undefined ? undefined : { by: full, opensAt: full.opensFor(now, 1) })
  }

  /** What holds up the whole group. */
  #closed(now: number): HeldUp | undefined {
    const { gates, ahead } = this.#rules
    for (const gate of gates) {
      if (!gate.isOpen(now)) return { by: gate, opensAt: gate.opensFor(now, Math.max(1, this.#lineup.jobs)) }
    }
    if (ahead === undefined || this.#running < ahead(this.#lineup.usualMs)) return undefined
    return { by: 'ahead', opensAt: Number.POSITIVE_INFINITY }
  }

  /** Those in front that are full are parked, until one is found that is not. */
  #firstOf(front: () => Queue | undefined, now: number): Queue | undefined {
    for (let queue = front(); queue !== undefined; queue = front()) {
      const full = queue.part.fullAt(now)
      if (full === undefined) return queue
      this.#lineup.leave(queue)
      this.#limiters.resolve(queue, now)
      this.#limiters.park(queue, full, now)
    }
    return undefined
  }

  #enter(part: Part, start: StartState, now: number): Ticket {
    part.running++
    this.#running++
    this.#limiters.enter(this.#rules.gates, start, now)
    this.#limiters.enter(part.limiters, start, now)
    return { group: this, part, chargedMs: this.#lineup.charge(part.sharer), start }
  }

  #takeOne(queue: Queue, ord: number, now: number): void {
    const { part } = queue
    part.waiting--
    this.#waiting--
    this.#lineup.count(queue, -1)
    if (queue.jobs > 0) {
      if (ord === queue.ord) this.#moveTo(queue, this.#rules.next(part, queue.rank, ord))
      return
    }
    part.close(queue)
    if (queue.parked === undefined) this.#lineup.leave(queue)
    else this.#limiters.unpark(queue, now)
    this.#limiters.resolve(queue, now)
  }

  #moveTo(queue: Queue, ord: number): void {
    queue.ord = ord
    if (queue.parked === undefined) this.#lineup.moved(queue)
    else this.#limiters.moved(queue)
  }

  #partOf(name: PartName): Part {
    const known = this.#parts.get(name.part)
    if (known !== undefined) return known
    const part = new Part(name, this.#rules.limitersOf(name), this.#lineup.join(name))
    for (const limiter of part.limiters) this.#limiters.join(limiter)
    this.#parts.set(name.part, part)
    return part
  }

  #forget(part: Part, now: number): void {
    if (part.waiting > 0 || part.running > 0) return
    this.#parts.delete(part.part)
    this.#lineup.retire(part.sharer)
    for (const limiter of part.limiters) this.#limiters.leave(limiter, now)
  }
}
