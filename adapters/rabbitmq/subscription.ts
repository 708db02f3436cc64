import type { ChannelModel } from 'amqplib'
import {
  ORPHANED,
  SETTLED,
  UNKNOWN,
  type BrokerEvent,
  type Message,
  type PublishResult,
  type QueueSpec,
  type Settlement,
  type SettleResult,
  type SubscribeOptions,
  type Subscription,
} from '../../lib/broker.ts'
import type { Clock, Timer } from '../../lib/clock.ts'
import { MillraceError } from '../../lib/errors.ts'
import { checkPrefetch, deadLetterOf } from '../../lib/message.ts'
import { failure } from './failures.ts'
import { FIRST_RETRY_MS, LONGEST_RETRY_MS } from './link-state.ts'
import type { Settings } from './options.ts'
import { RabbitDelivery, Session } from './session.ts'
import { brokerName } from './topology.ts'

export interface SubscriptionParts {
  readonly settings: Settings
  /** What is subscribed to: the queue of the spec, or its dead letters. */
  readonly queue: string
  readonly spec: QueueSpec
  readonly clock: Clock
  readonly tell: (event: BrokerEvent) => void
  readonly publish: (messages: readonly Message[]) => Promise<readonly PublishResult[]>
  /** Makes the queue again, or looks for it. */
  readonly declare: (model: ChannelModel) => Promise<void>
  readonly ended: () => void
}

/** Takes from one queue over whatever connection there is, with a channel of its own. */
export class RabbitSubscription implements Subscription {
  readonly begun: Promise<void>
  readonly #parts: SubscriptionParts
  readonly #options: SubscribeOptions
  #begin: () => void = () => {}
  #prefetch: number
  #model: ChannelModel | undefined
  #link = ''
  #session: Session | undefined
  #failures = 0
  #told: 'up' | 'down' = 'down'
  #timer: Timer | undefined
  #status: 'open' | 'ended' = 'open'

  constructor(parts: SubscriptionParts, options: SubscribeOptions) {
    this.#parts = parts
    this.#options = options
    this.#prefetch = checkPrefetch(options.prefetch)
    this.begun = new Promise((resolve) => {
      this.#begin = resolve
    })
  }

  get queue(): string {
    return this.#parts.queue
  }

  get brokerName(): string {
    return brokerName(this.#parts.settings, this.queue)
  }

  /** For who looks for silence: undefined while nothing is taken, and of a fan, which keeps nothing to be counted. */
  get session(): Session | undefined {
    return this.#parts.spec.kind === 'fan' ? undefined : this.#session
  }

  /** There is a connection. */
  start(model: ChannelModel, link: string): void {
    this.#model = model
    this.#link = link
    this.#failures = 0
    void this.#open(model)
  }

  /** The connection is gone. */
  letGo(error: MillraceError): void {
    this.#model = undefined
    this.#timer?.cancel()
    this.#lose(error)
  }

  setPrefetch(prefetch: number): void {
    this.#prefetch = checkPrefetch(prefetch)
    // Where it fails the channel is gone, which is told in its own way.
    this.#session?.tune(prefetch).catch(() => {})
  }

  async cancel(): Promise<void> {
    this.#status = 'ended'
    this.#parts.ended()
    await this.finish()
  }

  /** Ends the channel in good order. */
  async finish(): Promise<void> {
    this.#status = 'ended'
    this.#timer?.cancel()
    this.#begin()
    const session = this.#session
    this.#session = undefined
    await session?.close(this.#parts.spec.kind === 'fan' ? 'delete-queue' : 'keep-queue')
  }

  async settle(settlements: readonly Settlement[]): Promise<readonly SettleResult[]> {
    const results: SettleResult[] = []
    const done: RabbitDelivery[] = []
    const returned: RabbitDelivery[] = []
    const replaced: { readonly at: number; readonly delivery: RabbitDelivery; readonly by: Message }[] = []
    for (const { delivery, verdict } of settlements) {
      const at = results.length
      if (!(delivery instanceof RabbitDelivery) || delivery.from !== this) results.push(UNKNOWN)
      else if (delivery.state === 'orphaned') results.push(ORPHANED)
      else if (delivery.state !== 'held') results.push(UNKNOWN)
      else {
        results.push(SETTLED)
        delivery.state = 'settling'
        if (verdict.type === 'done') done.push(delivery)
        else if (verdict.type === 'return') returned.push(delivery)
        else
          replaced.push({
            at,
            delivery,
            by: verdict.type === 'dead' ? deadLetterOf(delivery, verdict.reason) : verdict.by,
          })
      }
    }
    if (done.length > 0) this.#session?.acknowledge(done)
    if (returned.length > 0) this.#session?.giveBack(returned)
    if (replaced.length === 0) return results
    const answers = await this.#parts.publish(replaced.map(({ by }) => by))
    const taken: RabbitDelivery[] = []
    replaced.forEach(({ at, delivery }, index) => {
      const because = answers[index] as PublishResult
      // Also read anew: its channel may have been lost meanwhile.
      if ((delivery.state as RabbitDelivery['state']) === 'orphaned') results[at] = ORPHANED
      else if (because.type === 'held') taken.push(delivery)
      else {
        delivery.state = 'held'
        results[at] = { type: 'kept', because }
      }
    })
    if (taken.length > 0) this.#session?.acknowledge(taken)
    return results
  }

  async #open(model: ChannelModel): Promise<void> {
    try {
      await this.#parts.declare(model)
      this.#session ??= await this.#newSession(model)
      const isFan = this.#parts.spec.kind === 'fan'
      const queue = isFan ? await this.#session.branch(this.brokerName) : this.brokerName
      await this.#session.consume(queue, this.#prefetch)
      if (this.#model !== model || this.#status === 'ended') return
      this.#failures = 0
      this.#begin()
      this.#tellUp()
    } catch (cause) {
      if (this.#model !== model || this.#status === 'ended') return
      this.#retry(failure(`cannot take from the queue ${this.queue}`, cause, this.#parts.settings.clusters.flat()))
    }
  }

  async #newSession(model: ChannelModel): Promise<Session> {
    const session: Session = await Session.open(model, {
      queue: this.queue,
      subscription: this,
      deliver: (delivery) => this.#options.deliver(delivery),
      malformed: (error) => this.#parts.tell({ type: 'malformed', link: this.#link, queue: this.queue, error }),
      cancelled: () => this.#retry(deleted(this.queue)),
      ended: (cause) => {
        if (this.#session !== session) return
        const error = failure(
          `the channel of the queue ${this.queue} was lost`,
          cause,
          this.#parts.settings.clusters.flat(),
        )
        this.#lose(error)
        // While the connection goes down it is the connection that begins anew.
        if (this.#model !== undefined) this.#retry(error)
      },
    })
    if (this.#model === model && this.#status === 'open') return session
    await session.close('keep-queue')
    throw new Error('the connection was lost while the channel was opened')
  }

  #lose(error: MillraceError): void {
    const session = this.#session
    this.#session = undefined
    const orphaned = session?.orphan() ?? []
    if (this.#status === 'ended') return
    this.#tellDown(error, 0)
    if (orphaned.length > 0) this.#options.lost(orphaned, error)
  }

  #retry(error: MillraceError): void {
    const model = this.#model
    if (model === undefined || this.#status === 'ended') return
    const retryMs = Math.min(FIRST_RETRY_MS * 2 ** this.#failures++, LONGEST_RETRY_MS)
    this.#tellDown(error, retryMs)
    this.#timer?.cancel()
    this.#timer = this.#parts.clock.setTimer(retryMs, () => {
      if (this.#model === model) void this.#open(model)
    })
  }

  #tellUp(): void {
    if (this.#told === 'up') return
    this.#told = 'up'
    this.#parts.tell({ type: 'subscription-up', link: this.#link, queue: this.queue })
  }

  #tellDown(error: MillraceError, retryMs: number): void {
    if (this.#told === 'down' && retryMs === 0) return
    this.#told = 'down'
    this.#parts.tell({ type: 'subscription-down', link: this.#link, queue: this.queue, error, retryMs })
  }
}

function deleted(queue: string): MillraceError {
  return new MillraceError(
    'MILLRACE_BROKER_QUEUE',
    `the queue ${queue} was deleted, or its node is gone; what was in it may be lost, so see who has done it`,
  )
}
