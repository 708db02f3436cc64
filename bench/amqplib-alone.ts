import amqplib, { type ChannelModel, type ConfirmChannel, type ConsumeMessage } from 'amqplib'
import { answersQueue, CONTROL_QUEUE, keptQueue } from '../lib/control-message.ts'
import { replyQueueOf } from '../lib/envelope.ts'

export const AMQP_URL = process.env['AMQP_URL'] ?? 'amqp://guest:guest@127.0.0.1:5672'
/** Messages that are sent and not confirmed. */
export const WINDOW = 500
export const PREFETCH = 500
/** Of the consumer of a channel. */
const TAG = 'alone'
export const BODY = Buffer.alloc(200, 'x')

/** RabbitMQ through amqplib, as its own users write it: what everything else is measured against. */
export class AmqplibAlone implements AsyncDisposable {
  readonly #model: ChannelModel
  readonly #channel: ConfirmChannel
  /** In front of the names of its queues. */
  readonly prefix: string

  private constructor(model: ChannelModel, channel: ConfirmChannel, prefix: string) {
    this.#model = model
    this.#channel = channel
    this.prefix = prefix
  }

  /** `undefined` where no broker can be reached, which is said. What is named with the prefix is deleted at the end. */
  static async connect(prefix: string): Promise<AmqplibAlone | undefined> {
    let model: ChannelModel
    try {
      model = await amqplib.connect(AMQP_URL, { noDelay: true })
    } catch {
      process.stderr.write('left out: no RabbitMQ can be reached at AMQP_URL\n')
      return undefined
    }
    return new AmqplibAlone(model, await model.createConfirmChannel(), prefix)
  }

  /** Of the server. */
  get version(): string {
    return this.#model.connection.serverProperties.version
  }

  async stands(queue: string): Promise<boolean> {
    const channel = await this.#model.createChannel()
    // The broker closes the channel of whoever asks for a queue that is not there, and amqplib tells of that twice.
    channel.on('error', () => {})
    try {
      await channel.checkQueue(this.prefix + queue)
    } catch {
      return false
    }
    await channel.close()
    return true
  }

  async purge(queue: string): Promise<void> {
    await this.#channel.purgeQueue(this.prefix + queue)
  }

  async waiting(queue: string): Promise<number> {
    return (await this.#channel.checkQueue(this.prefix + queue)).messageCount
  }

  async consumers(queue: string): Promise<number> {
    return (await this.#channel.checkQueue(this.prefix + queue)).consumerCount
  }

  /** Resolves when so many messages are confirmed. */
  async publish(queue: string, count: number): Promise<void> {
    let sent = 0
    let confirmed = 0
    await new Promise<void>((resolve, reject) => {
      const send = () => {
        while (sent < count && sent - confirmed < WINDOW) {
          this.#channel.sendToQueue(
            this.prefix + queue,
            BODY,
            { persistent: true, messageId: `m${sent++}` },
            (error: unknown) => {
              if (error !== null) return reject(error as Error)
              if (++confirmed === count) resolve()
              else send()
            },
          )
        }
      }
      send()
    })
  }

  /** Takes and acknowledges so many messages. */
  async consume(queue: string, count: number): Promise<void> {
    const channel = await this.#model.createChannel()
    await channel.prefetch(PREFETCH)
    let left = count
    await new Promise<void>((resolve, reject) => {
      const take = (message: ConsumeMessage | null) => {
        if (message === null) return
        channel.ack(message)
        if (--left === 0) resolve()
      }
      channel.consume(this.prefix + queue, take, { consumerTag: TAG }).catch(reject)
    })
    // Without it a quorum queue would take the latest acknowledgements for lost, and keep some messages.
    await channel.cancel(TAG)
    await channel.close()
  }

  async deleteQueues(names: readonly string[]): Promise<void> {
    for (const name of names) {
      await this.#channel.deleteQueue(this.prefix + name)
      await this.#channel.deleteQueue(`${this.prefix}${name}.dead`)
    }
    await this.#channel.deleteExchange(`${this.prefix}_dead`)
  }

  /** All that nodes of ours have there with the prefix; `queues` are those of their places. */
  async deleteNodes(queues: readonly string[], nodes: readonly { readonly node: string }[]): Promise<void> {
    const own = nodes.flatMap(({ node }) => [replyQueueOf(node), answersQueue(node), keptQueue(node)])
    await this.deleteQueues([...queues, ...own])
    await this.deleteExchanges([CONTROL_QUEUE])
  }

  async deleteExchanges(names: readonly string[]): Promise<void> {
    for (const name of names) await this.#channel.deleteExchange(this.prefix + name)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#model.close()
  }
}
