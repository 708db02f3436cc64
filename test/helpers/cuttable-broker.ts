import { setImmediate as turn } from 'node:timers/promises'
import type {
  Broker,
  Delivery,
  Message,
  OpenOptions,
  PublishResult,
  Settlement,
  SettleResult,
  SubscribeOptions,
  Subscription,
} from '../../lib/broker.ts'
import { ORPHANED, UNKNOWN } from '../../lib/broker.ts'
import { MillraceError } from '../../lib/errors.ts'

const LINK = 'cuttable'

/**
 * A broker whose connection a test can cut, over brokers without one: what is unsettled goes back, what is being
 * published is unconfirmed, and everything is there again a turn later.
 */
export class CuttableBroker implements Broker {
  readonly #attach: () => Broker
  #inner: Broker
  #options: OpenOptions | undefined
  #opened: Promise<void> = Promise.resolve()
  #cuts = 0
  readonly #subscriptions = new Set<CuttableSubscription>()

  constructor(attach: () => Broker) {
    this.#attach = attach
    this.#inner = attach()
  }

  get supports() {
    return this.#inner.supports
  }

  async open(options: OpenOptions): Promise<void> {
    this.#options = options
    await this.#inner.open(options)
  }

  async publish(messages: readonly Message[]): Promise<readonly PublishResult[]> {
    await this.#opened
    const cuts = this.#cuts
    const results = await this.#inner.publish(messages)
    await turn()
    return cuts === this.#cuts ? results : messages.map(() => ({ type: 'unconfirmed', error: lostError() }))
  }

  subscribe(queue: string, options: SubscribeOptions): Subscription {
    const subscription = new CuttableSubscription(queue, options, () => this.#subscriptions.delete(subscription))
    subscription.begin(this.#inner)
    this.#subscriptions.add(subscription)
    return subscription
  }

  async close(): Promise<void> {
    await this.#inner.close()
  }

  async cut(): Promise<void> {
    this.#cuts++
    const options = this.#options as OpenOptions
    const lost = this.#inner
    options.tell({ type: 'down', link: LINK, error: lostError(), retryMs: 0 })
    this.#inner = this.#attach()
    const orphans = [...this.#subscriptions].map((subscription) => subscription.orphan())
    await lost.close()
    for (const tell of orphans) tell()
    this.#opened = this.#inner.open(options)
    await this.#opened
    for (const subscription of this.#subscriptions) subscription.begin(this.#inner)
  }
}

class CuttableSubscription implements Subscription {
  readonly begun = Promise.resolve()
  readonly #queue: string
  readonly #options: SubscribeOptions
  readonly #ended: () => void
  readonly #held = new Map<Delivery, Delivery>()
  readonly #orphaned = new WeakSet<Delivery>()
  #inner: Subscription | undefined
  #prefetch: number

  constructor(queue: string, options: SubscribeOptions, ended: () => void) {
    this.#queue = queue
    this.#options = options
    this.#prefetch = options.prefetch
    this.#ended = ended
  }

  begin(broker: Broker): void {
    this.#inner = broker.subscribe(this.#queue, {
      prefetch: this.#prefetch,
      deliver: (inner) => {
        const delivery = { ...inner, from: this }
        this.#held.set(delivery, inner)
        this.#options.deliver(delivery)
      },
      lost: () => {},
    })
  }

  async settle(settlements: readonly Settlement[]): Promise<readonly SettleResult[]> {
    return await Promise.all(settlements.map((settlement) => this.#settle(settlement)))
  }

  async #settle({ delivery, verdict }: Settlement): Promise<SettleResult> {
    const inner = this.#held.get(delivery)
    if (inner === undefined) return this.#orphaned.has(delivery) ? ORPHANED : UNKNOWN
    const [result] = await inner.from.settle([{ delivery: inner, verdict }])
    if (result?.type !== 'kept') this.#held.delete(delivery)
    return result ?? UNKNOWN
  }

  setPrefetch(prefetch: number): void {
    this.#prefetch = prefetch
    this.#inner?.setPrefetch(prefetch)
  }

  async cancel(): Promise<void> {
    this.orphan()
    this.#ended()
    await this.#inner?.cancel()
  }

  /** Forgets what is held; the answer tells whose it was. */
  orphan(): () => void {
    const orphaned = [...this.#held.keys()]
    for (const delivery of orphaned) this.#orphaned.add(delivery)
    this.#held.clear()
    return () => this.#options.lost(orphaned, lostError())
  }
}

function lostError(): MillraceError {
  return new MillraceError('MILLRACE_BROKER_LOST', 'the connection was cut by a test; it comes back')
}
