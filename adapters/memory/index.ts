import {
  brokerClosed,
  HELD,
  UNROUTABLE,
  type Broker,
  type BrokerSupports,
  type Message,
  type OpenOptions,
  type PublishResult,
  type QueueSpec,
  type SubscribeOptions,
  type Subscription,
} from '../../lib/broker.ts'
import { systemClock, type Clock } from '../../lib/clock.ts'
import { checkMessage, checkQueueName, deadLetterQueue, deadLettersOf, refusedForGood } from '../../lib/message.ts'
import { invalidOption, TEN_YEARS_MS } from '../../lib/options.ts'
import { MemoryStore } from './queue.ts'
import { MemorySubscription } from './subscription.ts'

export type { MemoryStore } from './queue.ts'

const LINK = 'memory'

/** A broker in the memory of this process, for tests: nothing in it outlives the process. */
export function memoryStore(clock: Clock = systemClock): MemoryStore {
  return new MemoryStore(clock)
}

/** A node's access to the broker in memory: nodes that are given the same store share their queues. */
export function memory(store: MemoryStore = memoryStore()): Broker {
  return new MemoryBroker(store)
}

class MemoryBroker implements Broker {
  readonly supports: BrokerSupports = {
    durability: 'nothing',
    delay: { stepMs: 1, mostMs: TEN_YEARS_MS },
    priorities: 10,
    deadLetter: true,
    control: true,
  }
  readonly #store: MemoryStore
  readonly #specs = new Map<string, QueueSpec>()
  readonly #subscriptions = new Set<MemorySubscription>()
  #status: 'new' | 'open' | 'closed' = 'new'

  constructor(store: MemoryStore) {
    this.#store = store
  }

  async open({ queues, tell }: OpenOptions): Promise<void> {
    this.#refuseClosed()
    for (const spec of queues) {
      this.#specs.set(checkQueueName(spec.name, 'queues'), spec)
      this.#store.declare(spec)
      if (spec.kind === 'work') this.#store.declare({ ...spec, name: deadLetterQueue(spec.name) })
    }
    this.#status = 'open'
    tell({ type: 'up', link: LINK })
  }

  async publish(messages: readonly Message[]): Promise<readonly PublishResult[]> {
    this.#refuseClosed()
    return messages.map((message) => this.#send(message))
  }

  subscribe(name: string, options: SubscribeOptions): Subscription {
    this.#refuseClosed()
    const spec = this.#specs.get(deadLettersOf(name) ?? name)
    if (spec === undefined) throw invalidOption('queue', name, `one of ${[...this.#specs.keys()].join(', ')}`)
    const queue = spec.kind === 'fan' ? this.#store.branch(name) : this.#store.queue(name)
    if (queue === undefined) throw invalidOption('queue', name, 'a queue that has not expired')
    const subscription = new MemorySubscription(
      {
        queue,
        send: (message) => this.#send(message),
        ended: (ended) => {
          this.#subscriptions.delete(ended)
          if (spec.kind === 'fan') this.#store.dropBranch(queue)
          if (spec.kind === 'reply') this.#store.expire(queue, spec.expiresMs)
        },
      },
      options,
    )
    this.#subscriptions.add(subscription)
    return subscription
  }

  async close(): Promise<void> {
    this.#status = 'closed'
    await Promise.all([...this.#subscriptions].map((subscription) => subscription.cancel()))
  }

  #send(message: Message): PublishResult {
    const error = checkMessage(message, this.supports)
    if (error !== undefined) return refusedForGood(error)
    const { delayMs = 0 } = message
    const copy = { ...message, body: Buffer.from(message.body) }
    const where = delayMs > 0 ? this.#store.putLater(copy, delayMs) : this.#store.put(copy)
    return where === 'held' ? HELD : UNROUTABLE
  }

  #refuseClosed(): void {
    if (this.#status !== 'closed') return
    throw brokerClosed()
  }
}
