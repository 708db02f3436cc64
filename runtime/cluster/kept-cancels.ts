import { randomUUID } from 'node:crypto'
import { type Broker, type Delivery, DONE, type Subscription } from '../../lib/broker.ts'
import type { Clock } from '../../lib/clock.ts'
import { decodeControl, encodeControl, keptQueue } from '../../lib/control-message.ts'
import { MillraceError } from '../../lib/errors.ts'

export interface KeptCancelsOptions {
  readonly broker: Pick<Broker, 'publish' | 'subscribe'>
  readonly clock: Clock
  readonly node: string
  /** Resolves when the broker was reached for the first time. */
  readonly reached: Promise<void>
  /** Writes down that these jobs shall not run here, and ends what is here of them. */
  cancel(ids: readonly string[], sentBefore: number): Promise<unknown>
  refused(error: Error): void
  failed(error: Error): void
}

const PREFETCH = 100
const AGAIN_MS = 1_000
/** A control of its own that cannot be reached must not keep a node from its jobs for ever. */
export const PATIENCE_MS = 30_000

/**
 * The cancels that others have kept for this node while it was not there, and since. A start has read them when a marker
 * has come back that it has sent to its own queue: before that no job may be taken, or one that was cancelled would run.
 */
export class KeptCancels {
  /** Resolves when what was kept before the start is written down here, or cannot be had. */
  readonly ready: Promise<void>
  readonly #options: KeptCancelsOptions
  readonly #token = randomUUID()
  #settleReady: () => void = () => {}
  #status: 'new' | 'begun' | 'ready' | 'stopped' = 'new'
  #subscription: Subscription | undefined
  /** One after the other: the marker is read after all that came before it. */
  #reading: Promise<void> = Promise.resolve()

  constructor(options: KeptCancelsOptions) {
    this.#options = options
    this.ready = new Promise((resolve) => {
      this.#settleReady = resolve
    })
  }

  begin(): void {
    const { broker, node, clock, reached } = this.#options
    this.#status = 'begun'
    this.#subscription = broker.subscribe(keptQueue(node), {
      prefetch: PREFETCH,
      deliver: (delivery) => {
        this.#reading = this.#reading.then(() => this.#read(delivery))
      },
      lost: () => {
        // They come again.
      },
    })
    void this.#mark()
    void reached.then(() => clock.setTimer(PATIENCE_MS, () => this.#giveUpWaiting()).unref())
  }

  async stop(): Promise<void> {
    this.#status = 'stopped'
    this.#settleReady()
    await this.#subscription?.cancel()
  }

  async #mark(): Promise<void> {
    const { broker, node } = this.#options
    const body = encodeControl({ type: 'marker', token: this.#token })
    while (this.#status === 'begun') {
      const [result] = await broker.publish([{ id: this.#token, queue: keptQueue(node), body }]).catch(() => [])
      if (result?.type === 'held') return
      await this.#pause()
    }
  }

  async #read(delivery: Delivery): Promise<void> {
    const message = this.#decoded(delivery)
    if (message?.type === 'cancel') await this.#cancel(message.ids, message.sentBefore)
    if (message?.type === 'marker' && message.token === this.#token) this.#isReady()
    if (this.#status !== 'stopped') await this.#subscription?.settle([{ delivery, verdict: DONE }]).catch(() => [])
  }

  #decoded({ body }: Delivery) {
    try {
      return decodeControl(body)
    } catch (error) {
      this.#options.refused(error as Error)
      return undefined
    }
  }

  /** A journal that cannot write now will: until then nothing more is read. */
  async #cancel(ids: readonly string[], sentBefore: number): Promise<void> {
    while (this.#status !== 'stopped') {
      try {
        await this.#options.cancel(ids, sentBefore)
        return
      } catch (error) {
        this.#options.failed(error as Error)
        await this.#pause()
      }
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => this.#options.clock.setTimer(AGAIN_MS, resolve).unref())
  }

  #giveUpWaiting(): void {
    if (this.#status !== 'begun') return
    this.#options.failed(
      new MillraceError(
        'MILLRACE_BROKER_TIMEOUT',
        `the cancels that were kept for this node cannot be read in ${PATIENCE_MS} ms; it takes jobs all the same, and ` +
          'one that was cancelled while it was away may run; look at the broker of the control of nodes',
      ),
    )
    this.#isReady()
  }

  #isReady(): void {
    if (this.#status === 'begun') this.#status = 'ready'
    this.#settleReady()
  }
}
