import {
  ORPHANED,
  SETTLED,
  UNKNOWN,
  type Delivery,
  type Message,
  type PublishResult,
  type Settlement,
  type SettleResult,
  type SubscribeOptions,
  type Subscription,
} from '../../lib/broker.ts'
import { checkPrefetch, deadLetterOf } from '../../lib/message.ts'
import type { MemoryQueue, Stored, Taker } from './queue.ts'

/** What a subscription needs of who has made it. */
export interface Source {
  readonly queue: MemoryQueue
  send(message: Message): PublishResult
  /** It has ended. */
  ended(subscription: MemorySubscription): void
}

export class MemorySubscription implements Subscription, Taker {
  readonly begun = Promise.resolve()
  readonly #source: Source
  readonly #deliver: SubscribeOptions['deliver']
  readonly #held = new Map<Delivery, Stored>()
  readonly #orphaned = new WeakSet<Delivery>()
  #prefetch: number

  constructor(source: Source, { prefetch, deliver }: SubscribeOptions) {
    this.#source = source
    this.#deliver = deliver
    this.#prefetch = checkPrefetch(prefetch)
    source.queue.join(this)
  }

  get room(): number {
    return this.#prefetch - this.#held.size
  }

  take(stored: Stored): void {
    const { id, body, headers = {}, queue } = stored.message
    const { returns } = stored
    const delivery: Delivery = { id, queue, body, headers, redelivered: returns > 0, returns, from: this }
    this.#held.set(delivery, stored)
    this.#deliver(delivery)
  }

  settle(settlements: readonly Settlement[]): Promise<readonly SettleResult[]> {
    const results = settlements.map((settlement) => this.#settle(settlement))
    this.#source.queue.pump()
    return Promise.resolve(results)
  }

  setPrefetch(prefetch: number): void {
    this.#prefetch = checkPrefetch(prefetch)
    this.#source.queue.pump()
  }

  cancel(): Promise<void> {
    this.#source.queue.leave(this)
    // The last one first, so that the first one is in front.
    for (const [delivery, stored] of [...this.#held].reverse()) {
      this.#orphaned.add(delivery)
      this.#source.queue.putBack(stored)
    }
    this.#held.clear()
    this.#source.ended(this)
    return Promise.resolve()
  }

  #settle({ delivery, verdict }: Settlement): SettleResult {
    const stored = this.#held.get(delivery)
    if (stored === undefined) return this.#orphaned.has(delivery) ? ORPHANED : UNKNOWN
    if (verdict.type === 'return') this.#source.queue.putBack(stored)
    if (verdict.type === 'replace' || verdict.type === 'dead') {
      const because = this.#source.send(
        verdict.type === 'replace' ? verdict.by : deadLetterOf(delivery, verdict.reason),
      )
      if (because.type !== 'held') return { type: 'kept', because }
    }
    this.#held.delete(delivery)
    return SETTLED
  }
}
