import { Share } from './fair-share.ts'
import { Heap } from './heap.ts'
import type { Limiter, Parkable } from './limiter.ts'

/** Jobs of one task that have all keys in common; `null` where a job has none. */
export interface PartName {
  readonly task: number
  readonly part: string | null
}

const NO_QUEUES: readonly Queue[] = []

/** A part as long as any of its jobs waits or runs. */
export class Part implements PartName {
  readonly task: number
  readonly part: string | null
  readonly limiters: readonly Limiter[]
  readonly sharer: Sharer
  /** One of each rank that its jobs wait under: nearly always a single one. */
  #queues: readonly Queue[] = NO_QUEUES
  waiting = 0
  running = 0

  constructor({ task, part }: PartName, limiters: readonly Limiter[], sharer: Sharer) {
    this.task = task
    this.part = part
    this.limiters = limiters
    this.sharer = sharer
  }

  queueOf(rank: number): Queue | undefined {
    return this.#queues.find((queue) => queue.rank === rank)
  }

  open(queue: Queue): void {
    this.#queues = [...this.#queues, queue]
  }

  close(queue: Queue): void {
    this.#queues = this.#queues.length === 1 ? NO_QUEUES : this.#queues.filter((each) => each !== queue)
  }

  /** The first of its limiters that is full. */
  fullAt(now: number): Limiter | undefined {
    return this.limiters.find((limiter) => !limiter.isOpen(now))
  }
}

/** Where a queue stands that nothing holds up. */
interface ReadyQueues {
  enter(queue: Queue): void
}

/** The waiting jobs of a part at one rank. Only how many they are and the first one is known here. */
export class Queue implements Parkable {
  readonly part: Part
  readonly rank: number
  ord: number
  jobs = 0
  parked: Parkable['parked']
  wokenBy: Parkable['wokenBy']
  ageInLot = -1
  /** Its places among those that are ready, by priority and order and by order alone: of the whole group, … */
  order = -1
  age = -1
  /** … and of whose it is. */
  ownOrder = -1
  ownAge = -1
  readonly #lineup: ReadyQueues

  constructor(part: Part, rank: number, ord: number, lineup: ReadyQueues) {
    this.part = part
    this.rank = rank
    this.ord = ord
    this.#lineup = lineup
  }

  wake(): void {
    this.#lineup.enter(this)
  }

  get startsAt(): number {
    return this.part.sharer.share.startsAt
  }
}

/** Who shares a group with others: their queues that are ready. */
export class Sharer {
  readonly name: string
  readonly share = new Share()
  readonly order = new Heap('ownOrder', isForemost)
  readonly age = new Heap('ownAge', isOlder)
  /** Their places among those whose turn may come: by priority first, and whatever their priority. */
  turn = -1
  anyTurn = -1
  /** Their place among those who have no parts any more. */
  idle = -1
  /** Parts that are theirs. */
  parts = 0

  constructor(name: string) {
    this.name = name
  }
}

export function isForemost(a: Queue, b: Queue): boolean {
  return a.rank === b.rank ? a.ord < b.ord : a.rank < b.rank
}

export function isOlder(a: Queue, b: Queue): boolean {
  return a.ord < b.ord
}

/** Priority goes before fairness. */
export function isNextInTurn(a: Sharer, b: Sharer): boolean {
  const [first, second] = [a.order.first as Queue, b.order.first as Queue]
  if (first.rank !== second.rank) return first.rank < second.rank
  return a.share.startsAt === b.share.startsAt ? first.ord < second.ord : a.share.startsAt < b.share.startsAt
}

export function hasHadLess(a: Sharer, b: Sharer): boolean {
  if (a.share.startsAt !== b.share.startsAt) return a.share.startsAt < b.share.startsAt
  return isOlder(a.age.first as Queue, b.age.first as Queue)
}
