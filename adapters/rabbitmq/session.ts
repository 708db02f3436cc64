import type { Channel, ChannelModel, ConsumeMessage, Message as Tagged } from 'amqplib'
import type { Delivery, Headers, Subscription } from '../../lib/broker.ts'
import { MillraceError } from '../../lib/errors.ts'
import { Ring } from '../../lib/ring.ts'
import { readEnvelope } from './wire.ts'

/** A delivery and how far it is; its tag means something only on the channel that it came on. */
export class RabbitDelivery implements Delivery {
  readonly id: string
  readonly queue: string
  readonly body: Uint8Array
  readonly headers: Headers
  readonly redelivered: boolean
  readonly returns: number
  readonly from: Subscription
  readonly tag: number
  /** 'settling': another message is on its way to take its place. */
  state: 'held' | 'settling' | 'settled' | 'orphaned' = 'held'

  constructor(of: Delivery, tag: number) {
    this.id = of.id
    this.queue = of.queue
    this.body = of.body
    this.headers = of.headers
    this.redelivered = of.redelivered
    this.returns = of.returns
    this.from = of.from
    this.tag = tag
  }
}

/** Who has the session, and hears of it. */
export interface SessionOwner {
  readonly queue: string
  readonly subscription: Subscription
  deliver(delivery: RabbitDelivery): void
  malformed(error: MillraceError): void
  /** The broker ended the consumer: its queue was deleted, or its node is gone. Settling goes on. */
  cancelled(): void
  /** The channel is gone, not by us. */
  ended(cause: unknown): void
}

/** What the broker may have underway to one consumer of a queue. */
interface Share {
  readonly tag: string
  readonly prefetch: number
}

/** One channel that consumes one queue: what is unsettled on it, and its acknowledgements. */
export class Session {
  readonly #channel: Channel
  readonly #owner: SessionOwner
  /** Not settled by tag, lowest first: those handed out, and those behind the prefetch. */
  readonly #outstanding = new Set<RabbitDelivery>()
  /** Come beyond the prefetch while it was changed. */
  readonly #beyond = new Ring<RabbitDelivery>()
  #held = 0
  #queue = ''
  #wanted = 0
  /**
   * Together they have the prefetch. A quorum queue keeps the prefetch of a consumer as it was, and returns what is on its
   * way to one that is cancelled, counted as if somebody had died of it: so more room is one more consumer.
   */
  readonly #shares: Share[] = []
  #tuning: Promise<void> | undefined
  #status: 'open' | 'ended' = 'open'
  /** How many have come, to be compared by who looks for silence. */
  arrived = 0

  private constructor(channel: Channel, owner: SessionOwner) {
    this.#channel = channel
    this.#owner = owner
  }

  static async open(model: ChannelModel, owner: SessionOwner): Promise<Session> {
    const channel = await model.createChannel()
    const session = new Session(channel, owner)
    let said: unknown = 'the channel was closed'
    channel.on('error', (error) => {
      said = error
    })
    channel.on('close', () => session.#end(() => owner.ended(said)))
    return session
  }

  /** Takes from this queue from now on. */
  async consume(queue: string, prefetch: number): Promise<void> {
    this.#queue = queue
    this.#shares.length = 0
    await this.tune(prefetch)
  }

  /** A queue that is this connection's alone, and gets what is published to the exchange. */
  async branch(exchange: string): Promise<string> {
    const { queue } = await this.#channel.assertQueue('', { exclusive: true, durable: false })
    await this.#channel.bindQueue(queue, exchange, '')
    return queue
  }

  get hasRoom(): boolean {
    return this.#shares.length > 0 && this.#held < this.#wanted
  }

  /** The latest wish counts; resolves when it is so. */
  tune(prefetch: number): Promise<void> {
    this.#wanted = prefetch
    this.#handOut()
    this.#tuning ??= this.#tune()
    return this.#tuning
  }

  /** What was handed out and not settled, which from now on cannot be any more. */
  orphan(): readonly RabbitDelivery[] {
    this.#status = 'ended'
    const all = [...this.#outstanding]
    this.#outstanding.clear()
    const beyond = new Set(this.#beyond)
    const orphaned = all.filter((delivery) => !beyond.has(delivery))
    for (const delivery of orphaned) delivery.state = 'orphaned'
    return orphaned
  }

  /**
   * Tells the broker that these are done. What is below everything else that is unsettled is told with one frame: the
   * usual case, because jobs end about in the order in which they came.
   */
  acknowledge(deliveries: readonly RabbitDelivery[]): void {
    this.#settled(deliveries)
    const lowest = this.#lowest()
    let last: RabbitDelivery | undefined
    for (const delivery of deliveries) {
      if (delivery.tag > lowest) this.#say(() => this.#channel.ack(tagged(delivery)))
      else if (last === undefined || delivery.tag > last.tag) last = delivery
    }
    const together = last
    if (together !== undefined) this.#say(() => this.#channel.ack(tagged(together), true))
    this.#handOut()
  }

  /** Back to the queue, for anybody. */
  giveBack(deliveries: readonly RabbitDelivery[]): void {
    this.#settled(deliveries)
    for (const delivery of deliveries) this.#say(() => this.#channel.nack(tagged(delivery), false, true))
    this.#handOut()
  }

  /** Everything unsettled goes back, and no acknowledgement is lost. */
  async close(goodbye: 'keep-queue' | 'delete-queue'): Promise<void> {
    const ended = new Promise<void>((resolve) => this.#channel.once('close', () => resolve()))
    const status = this.#status
    this.orphan()
    if (status === 'ended') return
    const close = async () => {
      // A quorum queue hands acknowledgements on by and by: it forgets the latest of a channel that is closed, and has done
      // with all of them when it answers a cancellation.
      for (const { tag } of this.#shares) await this.#channel.cancel(tag)
      if (goodbye === 'delete-queue' && this.#queue !== '') await this.#channel.deleteQueue(this.#queue)
      await this.#channel.close()
    }
    // The driver answers nothing where the channel ends by itself meanwhile.
    await Promise.race([close().catch(() => {}), ended])
  }

  async #tune(): Promise<void> {
    // It is known first that somebody tunes.
    await Promise.resolve()
    try {
      while (this.#status === 'open') {
        const lacking = this.#wanted - this.#tuned()
        if (lacking > 0) await this.#add(lacking)
        else if (lacking < 0) await this.#removeLast()
        else return
      }
    } finally {
      // At once: a wish that comes between the last look and this would be nobody's.
      this.#tuning = undefined
    }
  }

  #tuned(): number {
    return this.#shares.reduce((sum, { prefetch }) => sum + prefetch, 0)
  }

  async #add(prefetch: number): Promise<void> {
    await this.#channel.prefetch(prefetch)
    const { consumerTag: tag } = await this.#channel.consume(this.#queue, (message) => this.#take(message))
    this.#shares.push({ tag, prefetch })
  }

  async #removeLast(): Promise<void> {
    const share = this.#shares.pop()
    if (share !== undefined) await this.#channel.cancel(share.tag)
  }

  #take(message: ConsumeMessage | null): void {
    if (message === null) return this.#cancelled()
    // It goes back with the channel.
    if (this.#status === 'ended') return
    this.arrived++
    const envelope = readEnvelope(message)
    if (envelope instanceof MillraceError) {
      this.#say(() => this.#channel.reject(message, false))
      this.#owner.malformed(envelope)
      return
    }
    const { queue, subscription: from } = this.#owner
    const { deliveryTag, redelivered } = message.fields
    const { id, headers, returns } = envelope
    const delivery = new RabbitDelivery(
      { id, queue, body: message.content, headers, redelivered: redelivered || returns > 0, returns, from },
      deliveryTag,
    )
    this.#outstanding.add(delivery)
    if (this.#held < this.#wanted) this.#hand(delivery)
    else this.#beyond.push(delivery)
  }

  /** Each consumer hears it, and all of them are gone. */
  #cancelled(): void {
    if (this.#shares.length === 0) return
    this.#shares.length = 0
    this.#owner.cancelled()
  }

  #hand(delivery: RabbitDelivery): void {
    this.#held++
    this.#owner.deliver(delivery)
  }

  #handOut(): void {
    while (this.#status === 'open' && this.#held < this.#wanted) {
      const delivery = this.#beyond.shift()
      if (delivery === undefined) return
      this.#hand(delivery)
    }
  }

  #settled(deliveries: readonly RabbitDelivery[]): void {
    for (const delivery of deliveries) {
      delivery.state = 'settled'
      if (this.#outstanding.delete(delivery)) this.#held--
    }
  }

  #lowest(): number {
    for (const { tag } of this.#outstanding) return tag
    return Number.POSITIVE_INFINITY
  }

  /** A channel that is closing takes nothing: then the broker delivers again. */
  #say(what: () => void): void {
    try {
      what()
    } catch (error) {
      this.#end(() => this.#owner.ended(error))
    }
  }

  #end(tell: () => void): void {
    if (this.#status === 'ended') return
    this.#status = 'ended'
    tell()
  }
}

function tagged({ tag }: RabbitDelivery): Tagged {
  return { fields: { deliveryTag: tag } } as Tagged
}
