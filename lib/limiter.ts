import { Heap } from './heap.ts'
import { type RateLimit, RateMeter } from './rate-meter.ts'

/** What a limiter allows. */
export interface LimiterRule {
  /** Jobs at once. */
  readonly concurrency?: number
  readonly rate?: RateLimit
}

export interface LimiterName {
  /** Unique among all limiters. */
  readonly name: string
  readonly key?: string | undefined
}

/** What waits for a limiter to open. */
export interface Parkable {
  readonly rank: number
  readonly ord: number
  /** How many jobs stand behind it. */
  readonly jobs: number
  /** Its turn among those who share fairly, and the same for all where nobody does. */
  readonly startsAt: number
  /** Where it is parked, if it is. */
  parked: Parking | undefined
  ageInLot: number
  /** Where a place has opened for it, until it is seen whether it could use that. */
  wokenBy: ParkingLot | undefined
  /** May be picked again. */
  wake(): void
}

interface Parking {
  readonly item: Parkable
  readonly lot: ParkingLot
  startsAt: number
  turnInLot: number
}

/** Who waits for a limiter, in the two orders in which they are woken. */
class ParkingLot {
  readonly limiter: Limiter
  readonly turns = new Heap('turnInLot', comesFirst)
  readonly ages = new Heap('ageInLot', (a: Parkable, b: Parkable) => a.ord < b.ord)
  /** Who was woken, while it is not known yet if they take what is open. */
  readonly woken: { next: Parkable | undefined; oldest: Parkable | undefined } = { next: undefined, oldest: undefined }

  constructor(limiter: Limiter) {
    this.limiter = limiter
  }
}

/** Who is woken when a limiter opens: the next in turn, and the oldest whatever its priority, so that none starves. */
const WOKEN = ['next', 'oldest'] as const

/** One limit of one key: how many of its jobs run, how often they start, and who waits for it. */
export class Limiter {
  readonly name: string
  /** The value that it is for, as JSON; `undefined` where it is one for all. */
  readonly key: string | undefined
  readonly rule: LimiterRule
  readonly meter: RateMeter | undefined
  /** Absent until somebody waits for it: of very many limiters few are ever full. */
  lot: ParkingLot | undefined
  running = 0
  /** Parts that have this limiter. */
  parts = 0
  opening = -1
  opensAt = Number.POSITIVE_INFINITY
  cooling = -1
  coolAt = 0

  constructor({ name, key }: LimiterName, rule: LimiterRule, now: number, paidUntil: number | undefined) {
    this.name = name
    this.key = key
    this.rule = rule
    this.meter = rule.rate === undefined ? undefined : new RateMeter(rule.rate, now, paidUntil)
  }

  isOpen(now: number): boolean {
    if (this.running >= (this.rule.concurrency ?? Number.POSITIVE_INFINITY)) return false
    return this.meter === undefined || this.meter.isOpen(now)
  }

  /** When time alone opens it for so many; never where it waits for a job to end. */
  opensFor(now: number, jobs: number): number {
    if (this.meter === undefined || this.running >= (this.rule.concurrency ?? Number.POSITIVE_INFINITY)) {
      return Number.POSITIVE_INFINITY
    }
    // A commit for each token would be one a millisecond where the rate is high.
    return this.meter.opensAt(now, Math.min(jobs, Math.ceil(this.meter.tokens / 2)))
  }
}

/** Whether a claim has started, as far as rates are concerned. */
export type StartState = 'reserved' | 'started'

/**
 * All limiters of a journal by name. Who meets a closed one is parked in it; one that opens wakes the next in turn and the
 * oldest, and others when those have taken their turn or could not use it: nobody ever looks at all who wait.
 */
export class Limiters {
  readonly #byName = new Map<string, Limiter>()
  readonly #opening = new Heap('opening', (a: Limiter, b: Limiter) => a.opensAt < b.opensAt)
  readonly #cooling = new Heap('cooling', (a: Limiter, b: Limiter) => a.coolAt < b.coolAt)
  /** Whose meters have changed since they were written last. */
  readonly changed = new Set<Limiter>()
  /** Names of meters that are as if they had never been used. */
  readonly forgotten: string[] = []

  get size(): number {
    return this.#byName.size
  }

  all(): Iterable<Limiter> {
    return this.#byName.values()
  }

  /** The limiter of this name, which is made if there is none; `paidUntil` tells what a meter before it has come to. */
  get(of: LimiterName, rule: LimiterRule, now: number, paidUntil?: (name: string) => number | undefined): Limiter {
    const { name } = of
    const known = this.#byName.get(name)
    if (known !== undefined) return known
    const limiter = new Limiter(of, rule, now, rule.rate === undefined ? undefined : paidUntil?.(name))
    this.#byName.set(name, limiter)
    return limiter
  }

  /** A part has it. */
  join(limiter: Limiter): void {
    limiter.parts++
  }

  /** A part has it no more. It is forgotten with its last part, or when its rate is full again. */
  leave(limiter: Limiter, now: number): void {
    if (--limiter.parts === 0) this.#forget(limiter, now)
  }

  /** A claim; the start of one that is 'started' is paid for. */
  enter(limiters: readonly Limiter[], start: StartState, now: number): void {
    for (const limiter of limiters) {
      limiter.running++
      if (start === 'reserved') limiter.meter?.reserve()
      this.#look(limiter, now)
    }
  }

  /** A start that may have been, of an owner that is gone. */
  charge(limiter: Limiter, now: number): void {
    if (limiter.meter === undefined) return
    limiter.meter.charge(now, now)
    this.changed.add(limiter)
  }

  /** A claim has started. */
  started(limiters: readonly Limiter[], at: number, now: number): void {
    for (const limiter of limiters) {
      if (limiter.meter === undefined) continue
      limiter.meter.started(at, now)
      this.changed.add(limiter)
      this.#look(limiter, now)
    }
  }

  /** A claim has ended, started or not. */
  exit(limiters: readonly Limiter[], start: StartState, now: number): void {
    for (const limiter of limiters) {
      limiter.running--
      if (start === 'reserved') limiter.meter?.giveBack()
      this.#look(limiter, now)
    }
  }

  /** It waits for the limiter from now on. */
  park(item: Parkable, limiter: Limiter, now: number): void {
    const lot = (limiter.lot ??= new ParkingLot(limiter))
    item.parked = { item, lot, startsAt: item.startsAt, turnInLot: -1 }
    lot.turns.put(item.parked)
    lot.ages.put(item)
    this.#look(limiter, now)
  }

  /** It waits no more, and was not woken. */
  unpark(item: Parkable, now: number): void {
    this.#look(takeOut(item), now)
  }

  /** Its order number has changed while it was parked. */
  moved(item: Parkable): void {
    const { parked } = item
    if (parked === undefined) return
    parked.lot.turns.put(parked)
    parked.lot.ages.put(item)
  }

  /** Who was woken has taken its turn, or could not. */
  resolve(item: Parkable, now: number): void {
    const lot = item.wokenBy
    if (lot === undefined) return
    item.wokenBy = undefined
    for (const each of WOKEN) if (lot.woken[each] === item) lot.woken[each] = undefined
    this.#look(lot.limiter, now)
  }

  /** Opens what time has opened, and forgets what it has made as new. */
  pass(now: number): void {
    for (let next = this.#opening.first; next !== undefined && next.opensAt <= now; next = this.#opening.first) {
      this.#look(next, now)
      // The clock was set back: it is looked at again when it is then.
      if (this.#opening.has(next) && next.opensAt <= now) break
    }
    for (let next = this.#cooling.first; next !== undefined && next.coolAt <= now; next = this.#cooling.first) {
      this.#cooling.remove(next)
      if (next.parts === 0) this.#forget(next, now)
    }
  }

  /** When time opens the next one that somebody waits for. */
  get opensAt(): number {
    return this.#opening.first?.opensAt ?? Number.POSITIVE_INFINITY
  }

  /** After any change of a limiter: wakes who comes next if it is open, else sees to it that time does. */
  #look(limiter: Limiter, now: number): void {
    const { lot } = limiter
    if (lot === undefined) return
    const { ages, woken } = lot
    const open = limiter.isOpen(now)
    for (const which of WOKEN) {
      const item = which === 'next' ? nextOf(lot) : ages.first
      if (item === undefined) return this.#expect(limiter, Number.POSITIVE_INFINITY)
      if (!open) return this.#expect(limiter, limiter.opensFor(now, item.jobs))
      if (woken[which] !== undefined) continue
      takeOut(item)
      item.wokenBy = lot
      woken[which] = item
      item.wake()
    }
    this.#expect(limiter, Number.POSITIVE_INFINITY)
  }

  #expect(limiter: Limiter, at: number): void {
    limiter.opensAt = at
    if (at === Number.POSITIVE_INFINITY) this.#opening.remove(limiter)
    else this.#opening.put(limiter)
  }

  #forget(limiter: Limiter, now: number): void {
    const { meter } = limiter
    if (meter !== undefined && !meter.isFull(now)) {
      limiter.coolAt = meter.fullAt
      this.#cooling.put(limiter)
      return
    }
    this.#cooling.remove(limiter)
    this.#byName.delete(limiter.name)
    this.changed.delete(limiter)
    if (meter !== undefined) this.forgotten.push(limiter.name)
  }
}

function comesFirst(a: Parking, b: Parking): boolean {
  if (a.item.rank !== b.item.rank) return a.item.rank < b.item.rank
  return a.startsAt === b.startsAt ? a.item.ord < b.item.ord : a.startsAt < b.startsAt
}

/** Turns that have risen since they were parked are put right as they come up; those that fell a little come late. */
function nextOf({ turns }: ParkingLot): Parkable | undefined {
  for (;;) {
    const { first } = turns
    if (first === undefined || first.startsAt >= first.item.startsAt) return first?.item
    first.startsAt = first.item.startsAt
    turns.put(first)
  }
}

function takeOut(item: Parkable): Limiter {
  const parked = item.parked as Parking
  const { lot } = parked
  lot.turns.remove(parked)
  lot.ages.remove(item)
  item.parked = undefined
  return lot.limiter
}
