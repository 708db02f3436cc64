import { rabbitmq, type RabbitmqOptions } from '../../adapters/rabbitmq/index.ts'
import type {
  Broker,
  BrokerEvent,
  Delivery,
  Message,
  PublishResult,
  QueueSpec,
  Subscription,
} from '../../lib/broker.ts'
import type { MillraceError } from '../../lib/errors.ts'
import { ownPrefix, removeQueues } from './rabbit-rig.ts'

type EventOf<T extends BrokerEvent['type']> = Extract<BrokerEvent, { readonly type: T }>

const PATIENCE_MS = 40_000
export const WORK: readonly QueueSpec[] = [{ name: 'work', kind: 'work' }]

interface Cleaning {
  after(clean: () => Promise<void>): unknown
}

/** A node on a server, with everything that it tells; its queues go with the test. */
export class RabbitNode {
  readonly broker: Broker
  readonly prefix: string
  readonly events: BrokerEvent[] = []
  readonly opened: Promise<void>
  #looks = new Set<() => void>()

  constructor(broker: Broker, prefix: string, queues: readonly QueueSpec[]) {
    this.broker = broker
    this.prefix = prefix
    this.opened = broker.open({
      queues,
      tell: (event) => {
        this.events.push(event)
        for (const look of this.#looks) look()
      },
    })
    this.opened.catch(() => 'looked at by who waits for it')
  }

  /** `cleanUrl` is where its queues are removed when the test is over. */
  static start(
    test: Cleaning,
    cleanUrl: string,
    options: RabbitmqOptions,
    queues: readonly QueueSpec[] = WORK,
  ): RabbitNode {
    const { prefix = ownPrefix() } = options
    const node = new RabbitNode(rabbitmq({ ...options, prefix }), prefix, queues)
    test.after(async () => {
      await node.broker.close()
      await removeQueues(cleanUrl, prefix, queues)
    })
    return node
  }

  static async open(...args: Parameters<typeof RabbitNode.start>): Promise<RabbitNode> {
    const node = RabbitNode.start(...args)
    await node.opened
    return node
  }

  /** The first event of this kind that matches, told already or yet to come; `from` skips so many events. */
  async event<T extends BrokerEvent['type']>(
    type: T,
    where: (event: EventOf<T>) => boolean = () => true,
    from = 0,
  ): Promise<EventOf<T>> {
    const find = () =>
      this.events.slice(from).find((event): event is EventOf<T> => event.type === type && where(event as EventOf<T>))
    await this.until(`an event ${type}`, () => find() !== undefined)
    return find() as EventOf<T>
  }

  async until(what: string, isSo: () => boolean): Promise<void> {
    let look: () => void = () => {}
    let timer: NodeJS.Timeout | undefined
    try {
      await new Promise<void>((resolve, reject) => {
        look = () => {
          if (isSo()) resolve()
        }
        timer = setTimeout(
          () => reject(new Error(`no ${what}; told: ${this.events.map(({ type }) => type).join(' ')}`)),
          PATIENCE_MS,
        )
        this.#looks.add(look)
        look()
      })
    } finally {
      clearTimeout(timer)
      this.#looks.delete(look)
    }
  }

  take(queue = 'work', prefetch = 100): Taken {
    const taken = new Taken(this)
    taken.subscription = this.broker.subscribe(queue, {
      prefetch,
      deliver: (delivery) => taken.deliver(delivery),
      lost: (orphaned, error) => taken.lose(orphaned, error),
    })
    return taken
  }

  changed(): void {
    for (const look of this.#looks) look()
  }

  async publish(...group: readonly Message[]): Promise<readonly PublishResult['type'][]> {
    return (await this.broker.publish(group)).map(({ type }) => type)
  }

  /** As an outbox does; returns how often something had to be sent again. */
  async publishUntilHeld(group: readonly Message[]): Promise<number> {
    let left = group
    for (let again = 0; ; again++) {
      const results = await this.broker.publish(left)
      left = left.filter((_, at) => results[at]?.type !== 'held')
      if (left.length === 0) return again
      if (results.some(({ type }) => type === 'refused')) await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

/** What a subscription was given. */
export class Taken {
  subscription: Subscription | undefined
  readonly deliveries: Delivery[] = []
  readonly orphaned: Delivery[] = []
  error: MillraceError | undefined
  /** Called for each delivery. */
  onDelivery: (delivery: Delivery) => void = () => {}
  readonly #node: RabbitNode

  constructor(node: RabbitNode) {
    this.#node = node
  }

  deliver(delivery: Delivery): void {
    this.deliveries.push(delivery)
    this.onDelivery(delivery)
    this.#node.changed()
  }

  lose(orphaned: readonly Delivery[], error: MillraceError): void {
    this.orphaned.push(...orphaned)
    this.error = error
    this.#node.changed()
  }

  async first(count: number): Promise<readonly Delivery[]> {
    await this.#node.until(`${count} deliveries`, () => this.deliveries.length >= count)
    return this.deliveries.slice(0, count)
  }

  async done(...deliveries: readonly Delivery[]): Promise<readonly string[]> {
    const settlements = deliveries.map((delivery) => ({ delivery, verdict: { type: 'done' } as const }))
    return ((await this.subscription?.settle(settlements)) ?? []).map(({ type }) => type)
  }
}

export function numbered(count: number, of: Partial<Message> = {}): readonly Message[] {
  return Array.from({ length: count }, (_, at) => ({ id: `m${at}`, queue: 'work', body: Buffer.from('body'), ...of }))
}

export function plain(id: string, of: Partial<Message> = {}): Message {
  return { id, queue: 'work', body: Buffer.from('body'), ...of }
}
