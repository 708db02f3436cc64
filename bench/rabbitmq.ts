import { rabbitmq } from '../adapters/rabbitmq/index.ts'
import { type Broker, DONE, type Message, type Settlement, type Subscription } from '../lib/broker.ts'
import { alternate, ratioFigure } from './alternate.ts'
import { AMQP_URL, AmqplibAlone, BODY, PREFETCH, WINDOW } from './amqplib-alone.ts'
import { type Bench, type Figure, pick } from './bench.ts'

/** What an outbox sends together, and how many such groups it keeps on their way. */
const GROUP = 100
const GROUPS = 10
const LEAST = 0.7
const QUEUE = 'work'

export const rabbitmqBench: Bench = {
  name: 'rabbitmq',
  about: `the adapter against amqplib alone, on the RabbitMQ at AMQP_URL: publish with confirms, consume and ack`,
  async run(scale): Promise<readonly Figure[]> {
    const messages = pick(scale, { full: 20_000, quick: 4_000, once: 500 })
    const figures: Figure[] = []
    for (const queues of ['quorum', 'classic'] as const) {
      const prefix = `bench-${process.pid}-${queues}.`
      const connected = await AmqplibAlone.connect(prefix)
      if (connected === undefined) return []
      await using alone = connected
      await using adapter = await Adapter.open(prefix, queues, alone)
      const perSecond = (work: (count: number) => Promise<void>) => async () => {
        const startedAt = performance.now()
        await work(messages)
        return (messages / (performance.now() - startedAt)) * 1_000
      }
      const published = await alternate(
        scale,
        emptied(
          alone,
          perSecond((count) => alone.publish(QUEUE, count)),
        ),
        emptied(
          alone,
          perSecond((count) => adapter.publish(count)),
        ),
      )
      figures.push(
        ratioFigure(`publish with confirms, ${queues}`, 'messages/s', published, {
          name: 'amqplib',
          least: LEAST,
          note: `200 bytes; a window of ${WINDOW} on both sides; groups of ${GROUP}`,
        }),
      )
      const consumed = await alternate(
        scale,
        filled(
          alone,
          messages,
          perSecond((count) => alone.consume(QUEUE, count)),
        ),
        filled(
          alone,
          messages,
          perSecond((count) => adapter.consume(count)),
        ),
      )
      figures.push(
        ratioFigure(`consume and ack, ${queues}`, 'messages/s', consumed, {
          name: 'amqplib',
          least: LEAST,
          note: `a prefetch of ${PREFETCH} on both sides; the adapter is given its acks once a turn, amqplib one by one`,
        }),
      )
    }
    return figures
  },
}

type Measure = () => Promise<number>

function emptied(alone: AmqplibAlone, measure: Measure): Measure {
  return async () => {
    await alone.purge(QUEUE)
    return await measure()
  }
}

function filled(alone: AmqplibAlone, messages: number, measure: Measure): Measure {
  return async () => {
    await alone.purge(QUEUE)
    await alone.publish(QUEUE, messages)
    return await measure()
  }
}

/** The adapter, on the same queue. */
class Adapter implements AsyncDisposable {
  readonly #broker: Broker
  readonly #alone: AmqplibAlone
  #subscription: Subscription | undefined

  private constructor(broker: Broker, alone: AmqplibAlone) {
    this.#broker = broker
    this.#alone = alone
  }

  static async open(prefix: string, queues: 'quorum' | 'classic', alone: AmqplibAlone): Promise<Adapter> {
    const broker = rabbitmq({ urls: AMQP_URL, prefix, queues, window: WINDOW })
    await broker.open({ queues: [{ name: QUEUE, kind: 'work' }], tell: () => {} })
    return new Adapter(broker, alone)
  }

  async publish(count: number): Promise<void> {
    let next = 0
    const sender = async () => {
      while (next < count) {
        const group: Message[] = []
        while (group.length < GROUP && next < count) group.push({ id: `m${next++}`, queue: QUEUE, body: BODY })
        const results = await this.#broker.publish(group)
        if (results.some(({ type }) => type !== 'held')) throw new Error('a message is not held')
      }
    }
    await Promise.all(Array.from({ length: GROUPS }, sender))
  }

  /** The acks of a turn go together, as those of a commit of the journal do. */
  async consume(count: number): Promise<void> {
    let left = count
    let settlements: Settlement[] = []
    await new Promise<void>((resolve) => {
      const settle = () => {
        const group = settlements
        settlements = []
        void subscription.settle(group)
        left -= group.length
        if (left === 0) resolve()
      }
      const subscription = this.#broker.subscribe(QUEUE, {
        prefetch: PREFETCH,
        deliver: (delivery) => {
          if (settlements.push({ delivery, verdict: DONE }) === 1) setImmediate(settle)
        },
        lost: () => {},
      })
      this.#subscription = subscription
    })
    await this.#subscription?.cancel()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#broker.close()
    await this.#alone.deleteQueues([QUEUE])
  }
}
