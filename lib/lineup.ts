import { FairShares } from './fair-share.ts'
import { Heap } from './heap.ts'
import { hasHadLess, isForemost, isNextInTurn, isOlder, type PartName, type Queue, Sharer } from './part.ts'

/** The queues of a group that nothing is known to hold up, in the orders in which somebody asks for the first. */
export class Lineup {
  readonly #shareOf: ((name: PartName) => string) | undefined
  readonly #shares = new FairShares()
  readonly #sharers = new Map<string, Sharer>()
  readonly #order = new Heap('order', isForemost)
  readonly #age = new Heap('age', isOlder)
  readonly #turns = new Heap('turn', isNextInTurn)
  readonly #anyTurns = new Heap('anyTurn', hasHadLess)
  readonly #idle = new Heap('idle', (a: Sharer, b: Sharer) => a.share.startsAt < b.share.startsAt)
  #jobs = 0

  /** `shareOf` says who a part's run time is charged to; without it nobody is charged, and jobs come in their order. */
  constructor(shareOf: ((name: PartName) => string) | undefined) {
    this.#shareOf = shareOf
  }

  /** Jobs in all its queues. */
  get jobs(): number {
    return this.#jobs
  }

  /** How long a job usually runs, as far as that is measured. */
  get usualMs(): number {
    return this.#shares.usualMs
  }

  /** The first by priority and order. */
  get foremost(): Queue | undefined {
    return this.#order.first
  }

  get oldest(): Queue | undefined {
    return this.#age.first
  }

  /** The first of the best priority of who has had least. */
  get nextInTurn(): Queue | undefined {
    return this.#turns.first?.order.first
  }

  /** The oldest, whatever its priority, of who has had least: the oldest of all would undo what fairness does. */
  get oldestInTurn(): Queue | undefined {
    return this.#anyTurns.first?.age.first
  }

  enter(queue: Queue): void {
    const { sharer } = queue.part
    if (sharer.order.size === 0) this.#shares.join(sharer.share)
    this.#jobs += queue.jobs
    this.#put(queue)
  }

  leave(queue: Queue): void {
    if (!this.#order.has(queue)) return
    const { sharer } = queue.part
    this.#order.remove(queue)
    this.#age.remove(queue)
    sharer.order.remove(queue)
    sharer.age.remove(queue)
    this.#jobs -= queue.jobs
    this.#turned(sharer)
  }

  /** The order number of its first job has changed. */
  moved(queue: Queue): void {
    if (this.#order.has(queue)) this.#put(queue)
  }

  #put(queue: Queue): void {
    const { sharer } = queue.part
    this.#order.put(queue)
    this.#age.put(queue)
    sharer.order.put(queue)
    sharer.age.put(queue)
    this.#turned(sharer)
  }

  /** So many jobs more, or less, in a queue. */
  count(queue: Queue, jobs: number): void {
    queue.jobs += jobs
    if (this.#order.has(queue)) this.#jobs += jobs
  }

  /** One of theirs is taken; returns what it was charged. */
  charge(sharer: Sharer): number {
    if (this.#shareOf === undefined) return 0
    const chargedMs = this.#shares.charge(sharer.share)
    this.#turned(sharer)
    return chargedMs
  }

  /** What was charged so much has run for so long, or not at all. */
  correct(sharer: Sharer, chargedMs: number, ranMs: number | undefined): void {
    if (this.#shareOf === undefined) return
    this.#shares.correct(sharer.share, chargedMs, ranMs)
    this.#turned(sharer)
  }

  /** Whose a new part is. */
  join(name: PartName): Sharer {
    const share = this.#shareOf?.(name) ?? ''
    const sharer = this.#sharers.get(share) ?? new Sharer(share)
    this.#sharers.set(share, sharer)
    sharer.parts++
    this.#idle.remove(sharer)
    this.#forgetSettled()
    return sharer
  }

  /** A part of theirs is forgotten. */
  retire(sharer: Sharer): void {
    if (--sharer.parts > 0) return
    this.#idle.put(sharer)
    this.#forgetSettled()
  }

  /** Who is gone is remembered until the others have caught up with what they have had, or are gone as well. */
  #forgetSettled(): void {
    const nobodyElse = this.#idle.size === this.#sharers.size
    for (let sharer = this.#idle.first; sharer !== undefined; sharer = this.#idle.first) {
      if (!nobodyElse && !this.#shares.isSettled(sharer.share)) return
      this.#idle.remove(sharer)
      this.#sharers.delete(sharer.name)
    }
  }

  /** After any change of what somebody has ready, or of what they have had. */
  #turned(sharer: Sharer): void {
    if (sharer.order.size === 0) {
      this.#turns.remove(sharer)
      this.#anyTurns.remove(sharer)
    } else {
      this.#turns.put(sharer)
      this.#anyTurns.put(sharer)
    }
  }
}
