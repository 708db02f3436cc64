import type { ChannelModel } from 'amqplib'
import type { MillraceError } from '../../lib/errors.ts'
import type { ClusterParts } from './cluster.ts'
import { Link, type LinkUser } from './link.ts'
import { SilenceWatch } from './silence.ts'
import type { RabbitSubscription } from './subscription.ts'

/** The connection that consumes, with a channel for each subscription: one that fails takes no other along. */
export class Intake implements LinkUser {
  readonly #link: Link
  readonly #subscriptions = new Set<RabbitSubscription>()
  readonly #silence: SilenceWatch
  #current: { readonly model: ChannelModel; readonly link: string } | undefined

  constructor(parts: ClusterParts) {
    this.#link = new Link({ ...parts, heartbeatMs: parts.settings.heartbeatMs, user: this, tell: () => {} })
    this.#silence = new SilenceWatch({
      clock: parts.clock,
      everyMs: parts.settings.silenceMs,
      watched: () => this.#subscriptions,
      silent: ({ queue }, error) => {
        const link = this.#current?.link ?? ''
        parts.tell({ type: 'subscription-down', link, queue, error, retryMs: 0 })
        this.#link.suspect(error)
      },
    })
  }

  add(subscription: RabbitSubscription): void {
    this.#subscriptions.add(subscription)
    if (this.#current !== undefined) subscription.start(this.#current.model, this.#current.link)
    // Only the first time does it do anything.
    this.#link.open()
  }

  remove(subscription: RabbitSubscription): void {
    this.#subscriptions.delete(subscription)
  }

  async close(): Promise<void> {
    await this.#link.close()
    await this.finish()
  }

  /** Each subscription makes what it needs itself. */
  async prepare(): Promise<void> {}

  begin(model: ChannelModel, link: string): void {
    this.#current = { model, link }
    this.#silence.start(model)
    for (const subscription of this.#subscriptions) subscription.start(model, link)
  }

  letGo(error: MillraceError): void {
    this.#current = undefined
    this.#silence.stop()
    for (const subscription of this.#subscriptions) subscription.letGo(error)
  }

  /** The broker stops only those who publish. */
  blocked(): void {}

  unblocked(): void {}

  async finish(): Promise<void> {
    this.#silence.stop()
    await Promise.all([...this.#subscriptions].map((subscription) => subscription.finish()))
  }
}
