import type { Behavior, Self } from '../../lib/actor.ts'
import type { QueueSpec, Subscription } from '../../lib/broker.ts'
import { controlQueues } from '../../lib/control-message.ts'
import { within } from '../../lib/within.ts'
import { type Across, nodeOf, replyQueue, tellBroker } from '../across.ts'
import { HOME_PREFETCH } from '../homecoming/homecoming.ts'
import { unread } from '../intake/deliveries.ts'
import type { Wires } from '../wires.ts'

type LinkMessage = { readonly type: 'failed'; readonly error: Error }

/** How long outcomes of a node that does not come back, and its queue, are kept; and how many. */
const REPLY_EXPIRES_MS = 7 * 24 * 3_600_000
const REPLY_MOST = 1_000_000
/** What the broker may take at a stop to hear of everything. */
const TELL_MS = 1_000

/**
 * The way to the broker, from when the journal is open until every verdict of its last commit was told. It is not waited
 * for: without the broker jobs gather in the journal.
 */
export class LinkChild implements Behavior<LinkMessage> {
  readonly #wires: Wires
  readonly #across: Across
  #replies: Subscription | undefined

  constructor(wires: Wires, across: Across) {
    this.#wires = wires
    this.#across = across
  }

  async start(self: Self<LinkMessage>): Promise<void> {
    const across = this.#across
    const { broker, role } = across.config
    across.node = await nodeOf(this.#wires)
    across.destinations.begin()
    const opening = broker.open({ queues: this.#queues(), tell: (event) => tellBroker(this.#wires, across, event) })
    // Not that it is down: that it can never be used.
    opening.catch((error: Error) => self.tell({ type: 'failed', error }))
    this.#replies = broker.subscribe(replyQueue(across), {
      prefetch: 0,
      deliver: (delivery) => across.homecoming.deliver(delivery),
      lost: () => {},
    })
    across.letIn = () => this.#replies?.setPrefetch(HOME_PREFETCH)
    if (role !== 'publisher') this.#subscribe()
    across.homeward.open()
  }

  receive({ error }: LinkMessage): void {
    throw error
  }

  /** What has not ended goes back as it came: to be put back by a deploy is no death. */
  async stop(): Promise<void> {
    const { config, deliveries, homeward, homecoming, verdicts, inlet } = this.#across
    this.#replies?.setPrefetch(0)
    await this.#wires.journal.written()
    verdicts.tell([
      ...deliveries.releaseAll(),
      ...inlet.arrived.splice(0).flatMap((delivery) => unread(delivery, config.broker.supports)),
    ])
    await this.#told(Promise.all([verdicts.told(), homecoming.taken()]))
    verdicts.stop()
    await this.#told(homeward.sentAll())
    homeward.close()
    await config.broker.close()
  }

  #queues(): QueueSpec[] {
    const { node, config } = this.#across
    const { broker, queues } = config
    const work = queues.map((name): QueueSpec => ({ name, kind: 'work' }))
    const reply = {
      name: replyQueue(this.#across),
      kind: 'reply',
      expiresMs: REPLY_EXPIRES_MS,
      most: REPLY_MOST,
    } as const
    return [...work, reply, ...(broker.supports.control ? controlQueues(node) : [])]
  }

  /** Nothing comes before the intake says how much. */
  #subscribe(): void {
    const { config, deliveries, inlet } = this.#across
    for (const name of config.queues) {
      const subscription = config.broker.subscribe(name, {
        prefetch: 0,
        deliver: (delivery) => {
          // Those that come together are looked at together.
          if (inlet.arrived.push(delivery) === 1) this.#across.tellIntake({ type: 'arrived' })
        },
        lost: (orphaned) => {
          deliveries.lose(orphaned)
          const gone = new Set(orphaned)
          inlet.arrived.splice(0, inlet.arrived.length, ...inlet.arrived.filter((delivery) => !gone.has(delivery)))
        },
      })
      inlet.subscriptions.push(subscription)
    }
  }

  #told(promise: Promise<unknown>): Promise<unknown> {
    return within(this.#wires.clock, TELL_MS, promise, () => undefined)
  }
}
