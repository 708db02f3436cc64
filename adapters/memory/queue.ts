import type { Message, QueueSpec } from '../../lib/broker.ts'
import type { Clock, Timer } from '../../lib/clock.ts'
import { DEFAULT_MESSAGE_PRIORITY } from '../../lib/message.ts'
import { Ring } from '../../lib/ring.ts'

/** A message in the store, with what has happened to it. */
export interface Stored {
  readonly message: Message
  readonly returns: number
}

/** Who takes from a queue. */
export interface Taker {
  /** How many more it may hold. */
  readonly room: number
  take(stored: Stored): void
}

const PRIORITIES = 10

/** The messages that wait under one name, the highest priority first, and those who take them in turn. */
export class MemoryQueue {
  readonly name: string
  readonly #waiting: readonly Ring<Stored>[] = Array.from({ length: PRIORITIES }, () => new Ring<Stored>())
  readonly #most: number
  #length = 0
  #takers: readonly Taker[] = []
  #next = 0
  #pumping: 'planned' | 'not' = 'not'

  constructor(name: string, most = Number.POSITIVE_INFINITY) {
    this.name = name
    this.#most = most
  }

  put(message: Message): void {
    this.#ringOf(message).push({ message, returns: 0 })
    this.#length++
    if (this.#length > this.#most) this.#dropOldest()
    this.pump()
  }

  /** To the front of its priority: it was there before. */
  putBack({ message, returns }: Stored): void {
    this.#ringOf(message).pushFront({ message, returns: returns + 1 })
    this.#length++
    this.pump()
  }

  join(taker: Taker): void {
    this.#takers = [...this.#takers, taker]
    this.pump()
  }

  leave(taker: Taker): void {
    this.#takers = this.#takers.filter((each) => each !== taker)
  }

  get isTaken(): boolean {
    return this.#takers.length > 0
  }

  /** Hands out what there is room for, once what called has ended. */
  pump(): void {
    if (this.#pumping === 'planned') return
    this.#pumping = 'planned'
    queueMicrotask(() => {
      this.#pumping = 'not'
      this.#handOut()
    })
  }

  #handOut(): void {
    while (this.#length > 0) {
      const taker = this.#nextTaker()
      if (taker === undefined) return
      const ring = this.#highest() as Ring<Stored>
      this.#length--
      taker.take(ring.shift() as Stored)
    }
  }

  #nextTaker(): Taker | undefined {
    for (let tries = 0; tries < this.#takers.length; tries++) {
      const taker = this.#takers[this.#next++ % this.#takers.length] as Taker
      if (taker.room > 0) return taker
    }
    return undefined
  }

  #highest(): Ring<Stored> | undefined {
    return this.#waiting.findLast((ring) => ring.length > 0)
  }

  #dropOldest(): void {
    this.#waiting.find((ring) => ring.length > 0)?.shift()
    this.#length--
  }

  #ringOf({ priority = DEFAULT_MESSAGE_PRIORITY }: Message): Ring<Stored> {
    return this.#waiting[priority] as Ring<Stored>
  }
}

/** What outlives the nodes that are attached to it: the broker itself, in the memory of one process. */
export class MemoryStore {
  readonly #clock: Clock
  readonly #queues = new Map<string, MemoryQueue>()
  readonly #expiries = new Map<string, Timer>()
  /** The queues of the subscriptions to a queue of kind 'fan'. */
  readonly #fans = new Map<string, Set<MemoryQueue>>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Makes the queue unless it is there. */
  declare(spec: QueueSpec): void {
    if (spec.kind === 'fan') {
      if (!this.#fans.has(spec.name)) this.#fans.set(spec.name, new Set())
      return
    }
    if (this.#queues.has(spec.name)) return
    this.#queues.set(spec.name, new MemoryQueue(spec.name, spec.kind === 'reply' ? spec.most : undefined))
  }

  queue(name: string): MemoryQueue | undefined {
    return this.#queues.get(name)
  }

  /** Says whether anybody has taken it. */
  put(message: Message): 'held' | 'unroutable' {
    const fan = this.#fans.get(message.queue)
    for (const queue of fan ?? []) queue.put(message)
    if (fan !== undefined) return fan.size > 0 ? 'held' : 'unroutable'
    const queue = this.#queues.get(message.queue)
    if (queue === undefined) return 'unroutable'
    queue.put(message)
    return 'held'
  }

  putLater(message: Message, delayMs: number): 'held' | 'unroutable' {
    const queue = this.#queues.get(message.queue)
    if (queue === undefined) return 'unroutable'
    this.#clock.setTimer(delayMs, () => queue.put(message)).unref()
    return 'held'
  }

  /** A queue for one subscription, which gets a copy of each message that is published to the name. */
  branch(name: string): MemoryQueue {
    const queue = new MemoryQueue(name)
    this.#fans.get(name)?.add(queue)
    return queue
  }

  dropBranch(queue: MemoryQueue): void {
    this.#fans.get(queue.name)?.delete(queue)
  }

  /** Forgets a queue that nobody takes from for so long. */
  expire(queue: MemoryQueue, expiresMs: number): void {
    this.#expiries.get(queue.name)?.cancel()
    const timer = this.#clock.setTimer(expiresMs, () => {
      this.#expiries.delete(queue.name)
      if (!queue.isTaken) this.#queues.delete(queue.name)
    })
    timer.unref()
    this.#expiries.set(queue.name, timer)
  }
}
