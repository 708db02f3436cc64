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

/** What a broken broker does instead; what is absent works. */
export interface Breakage {
  readonly publish?: (inner: Broker, messages: readonly Message[]) => Promise<readonly PublishResult[]>
  readonly subscribe?: (options: SubscribeOptions) => SubscribeOptions
  /** What is made of a delivery before it is handed out. */
  readonly deliver?: (delivery: Delivery) => Delivery
  readonly settle?: (inner: Subscription, settlements: readonly Settlement[]) => Promise<readonly SettleResult[]>
  readonly setPrefetch?: () => void
  /** Is given what is unsettled, before the broker below is closed. */
  readonly close?: (unsettled: readonly Delivery[]) => Promise<unknown>
}

/** A broker that does one thing wrong: what the conformance suite has to notice. */
export class BrokenBroker implements Broker {
  readonly inner: Broker
  readonly #breakage: Breakage
  readonly #unsettled = new Map<Delivery, Delivery>()

  constructor(inner: Broker, breakage: Breakage) {
    this.inner = inner
    this.#breakage = breakage
  }

  get supports() {
    return this.inner.supports
  }

  open(options: OpenOptions): Promise<void> {
    return this.inner.open(options)
  }

  publish(messages: readonly Message[]): Promise<readonly PublishResult[]> {
    return this.#breakage.publish?.(this.inner, messages) ?? this.inner.publish(messages)
  }

  subscribe(queue: string, asked: SubscribeOptions): Subscription {
    const { subscribe = (same) => same, deliver = (same) => same, settle, setPrefetch } = this.#breakage
    const options = subscribe(asked)
    const inner = this.inner.subscribe(queue, {
      ...options,
      deliver: (delivery) => {
        const outer = { ...deliver(delivery), from: subscription }
        this.#unsettled.set(outer, delivery)
        options.deliver(outer)
      },
      lost: (orphaned, error) => {
        const lost = [...this.#unsettled].filter(([, each]) => orphaned.includes(each)).map(([outer]) => outer)
        options.lost(lost, error)
      },
    })
    const subscription: Subscription = {
      begun: inner.begun,
      settle: async (settlements) => {
        const own = settlements.map(({ delivery, verdict }) => ({
          delivery: this.#unsettled.get(delivery) ?? delivery,
          verdict,
        }))
        return await (settle?.(inner, own) ?? inner.settle(own))
      },
      setPrefetch: setPrefetch ?? ((prefetch) => inner.setPrefetch(prefetch)),
      cancel: () => inner.cancel(),
    }
    return subscription
  }

  async close(): Promise<void> {
    await this.#breakage.close?.([...this.#unsettled.values()])
    await this.inner.close()
  }
}
