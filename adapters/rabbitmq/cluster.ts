import type { ChannelModel } from 'amqplib'
import {
  brokerClosed,
  type Broker,
  type BrokerEvent,
  type BrokerSupports,
  type Message,
  type OpenOptions,
  type PublishResult,
  type QueueSpec,
  type SubscribeOptions,
  type Subscription,
} from '../../lib/broker.ts'
import type { Clock } from '../../lib/clock.ts'
import { MillraceError } from '../../lib/errors.ts'
import { checkQueueName, deadLettersOf } from '../../lib/message.ts'
import { invalidOption } from '../../lib/options.ts'
import type { Address } from './address.ts'
import { declare } from './declare.ts'
import { MOST_DELAY_MS, STEP_MS } from './delays.ts'
import { type Connect, loadDriver } from './driver.ts'
import { Intake } from './intake.ts'
import { Outlet } from './outlet.ts'
import type { Settings } from './options.ts'
import { RabbitSubscription } from './subscription.ts'
import { declarations } from './topology.ts'

/** What the connections of a cluster share. */
export interface ClusterParts {
  readonly settings: Settings
  readonly supports: BrokerSupports
  readonly addresses: readonly Address[]
  readonly clock: Clock
  readonly connect: Connect
  readonly specs: readonly QueueSpec[]
  readonly tell: (event: BrokerEvent) => void
}

/** One RabbitMQ cluster: a connection that publishes, and one that consumes once something is subscribed to. */
export class Cluster implements Broker {
  readonly supports: BrokerSupports
  readonly #settings: Settings
  readonly #addresses: readonly Address[]
  readonly #clock: Clock
  #specs = new Map<string, QueueSpec>()
  #tell: (event: BrokerEvent) => void = () => {}
  #outlet: Outlet | undefined
  #intake: Intake | undefined
  #closing: Promise<void> | undefined
  #refuseOpen: (error: MillraceError) => void = () => {}

  constructor(settings: Settings, addresses: readonly Address[], clock: Clock) {
    this.#settings = settings
    this.#addresses = addresses
    this.#clock = clock
    this.supports = {
      durability: 'restart',
      delay: { stepMs: STEP_MS, mostMs: MOST_DELAY_MS },
      priorities: settings.queues === 'classic' ? 10 : 1,
      deadLetter: true,
      control: true,
    }
  }

  async open({ queues, tell }: OpenOptions): Promise<void> {
    this.#refuseClosed()
    if (this.#outlet !== undefined) throw invalidOption('open', 'a second call', 'one call; make another broker')
    for (const spec of queues) this.#specs.set(checkSpec(spec).name, spec)
    this.#tell = (event) => {
      if (this.#closing === undefined) tell(event)
    }
    const driver = loadDriver()
    const parts: ClusterParts = {
      settings: this.#settings,
      supports: this.supports,
      addresses: this.#addresses,
      clock: this.#clock,
      connect: async (...where) => await (await driver)(...where),
      specs: queues,
      tell: this.#tell,
    }
    const outlet = new Outlet(parts)
    this.#outlet = outlet
    this.#intake = new Intake(parts)
    const closed = new Promise<never>((_, reject) => {
      this.#refuseOpen = reject
    })
    await Promise.race([driver.then(() => outlet.open()), closed])
  }

  async publish(messages: readonly Message[]): Promise<readonly PublishResult[]> {
    return await this.#opened(this.#outlet).publish(messages)
  }

  subscribe(queue: string, options: SubscribeOptions): Subscription {
    const intake = this.#opened(this.#intake)
    const spec = this.#specs.get(deadLettersOf(queue) ?? queue)
    if (spec === undefined || (spec.name !== queue && spec.kind !== 'work')) {
      throw invalidOption('queue', queue, `one of ${[...this.#specs.keys()].join(', ')}`)
    }
    const subscription: RabbitSubscription = new RabbitSubscription(
      {
        settings: this.#settings,
        queue,
        spec,
        clock: this.#clock,
        tell: this.#tell,
        publish: (messages) => this.publish(messages),
        declare: (model: ChannelModel) => this.#declareAgain(model, spec),
        ended: () => intake.remove(subscription),
      },
      options,
    )
    intake.add(subscription)
    return subscription
  }

  async close(): Promise<void> {
    this.#closing ??= this.#close()
    await this.#closing
  }

  async #close(): Promise<void> {
    this.#refuseOpen(brokerClosed())
    // First what takes, so that what is settled until then has been heard.
    await this.#intake?.close()
    await this.#outlet?.close(brokerClosed())
  }

  async #declareAgain(model: ChannelModel, spec: QueueSpec): Promise<void> {
    await declare(model, declarations(this.#settings, [spec]), this.#settings)
  }

  #opened<T>(part: T | undefined): T {
    this.#refuseClosed()
    if (part === undefined) throw new MillraceError('MILLRACE_BROKER_CLOSED', 'the broker is not open; call open first')
    return part
  }

  #refuseClosed(): void {
    if (this.#closing !== undefined) throw brokerClosed()
  }
}

function checkSpec(spec: QueueSpec): QueueSpec {
  checkQueueName(spec.name, 'queues')
  if (deadLettersOf(spec.name) === undefined) return spec
  throw invalidOption('queues', spec.name, 'a name that does not end in .dead, which is where dead letters go')
}
