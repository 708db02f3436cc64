import assert from 'node:assert/strict'
import type {
  Broker,
  BrokerEvent,
  Delivery,
  Message,
  PublishResult,
  QueueSpec,
  SettleResult,
  Subscription,
  Verdict,
} from '../lib/broker.ts'
import { systemClock } from '../lib/clock.ts'
import type { BrokerRig } from './rig.ts'

/** The queues that the cases use. */
const QUEUES: readonly QueueSpec[] = [
  { name: 'work', kind: 'work' },
  { name: 'other', kind: 'work' },
]

/** Resolves after so many milliseconds. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => systemClock.setTimer(ms, resolve))
}

/** Rejects where a promise takes longer than it may. */
function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = systemClock.setTimer(ms, () => reject(new Error(`${what}: not within ${ms} ms`)))
    promise.then(resolve, reject).finally(() => timer.cancel())
  })
}

/** One node of a case: its broker, and what it has told. */
export interface SceneNode {
  readonly broker: Broker
  readonly events: readonly BrokerEvent[]
}

/** What a case is played on: opens nodes and sees to it that all of them are closed. */
export class Scene implements AsyncDisposable {
  readonly rig: BrokerRig
  readonly #brokers: Broker[] = []
  readonly #looks = new Set<() => void>()

  constructor(rig: BrokerRig) {
    this.rig = rig
  }

  /** Something has come to one of the inboxes. */
  changed(): void {
    for (const look of this.#looks) look()
  }

  /** Resolves when it is so; looked at whenever something has come. */
  async until(what: string, isSo: () => boolean): Promise<void> {
    let look: () => void = () => {}
    const seen = new Promise<void>((resolve) => {
      look = () => {
        if (isSo()) resolve()
      }
    })
    this.#looks.add(look)
    look()
    await this.soon(what, seen).finally(() => this.#looks.delete(look))
  }

  async node(...more: readonly QueueSpec[]): Promise<SceneNode> {
    const broker = await this.rig.attach()
    this.#brokers.push(broker)
    const events: BrokerEvent[] = []
    const opened = broker.open({ queues: [...QUEUES, ...more], tell: (event) => events.push(event) })
    await this.soon('open', opened)
    return { broker, events }
  }

  /** Rejects where it takes longer than the rig's patience. */
  soon<T>(what: string, promise: Promise<T>): Promise<T> {
    return within(this.rig.patienceMs, what, promise)
  }

  /** Publishes and shows that each message has one result, of the type expected. */
  async publish(broker: Broker, messages: readonly Message[], expected: PublishResult['type'] = 'held'): Promise<void> {
    const results = await this.soon('publish', broker.publish(messages))
    assert.deepEqual(
      typesOf(results),
      Array.from({ length: messages.length }, () => expected),
    )
  }

  /** One group a message: where several brokers stand behind one, each gets its part. */
  async publishSingly(broker: Broker, group: readonly Message[]): Promise<void> {
    for (const each of group) await this.publish(broker, [each])
  }

  async settle(inbox: Inbox, deliveries: readonly Delivery[], verdict: Verdict): Promise<readonly SettleResult[]> {
    const settlements = deliveries.map((delivery) => ({ delivery, verdict }))
    return await this.soon('settle', inbox.subscription.settle(settlements))
  }

  /** Settles and shows that each is settled by it. */
  async settled(inbox: Inbox, deliveries: readonly Delivery[], verdict: Verdict = { type: 'done' }): Promise<void> {
    const results = await this.settle(inbox, deliveries, verdict)
    assert.deepEqual(
      typesOf(results),
      Array.from({ length: deliveries.length }, () => 'settled'),
    )
  }

  /** Closes at once, as a case may; again at the end it does nothing. */
  async close({ broker }: SceneNode): Promise<void> {
    await this.soon('close', broker.close())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#brokers.map((broker) => this.soon('close', broker.close())))
  }
}

/** A subscription, and what it was given. */
export class Inbox {
  readonly deliveries: Delivery[] = []
  readonly orphaned: Delivery[] = []
  readonly subscription: Subscription
  readonly #scene: Scene

  constructor(scene: Scene, { broker }: SceneNode, queue: string, prefetch: number) {
    this.#scene = scene
    this.subscription = broker.subscribe(queue, {
      prefetch,
      deliver: (delivery) => {
        this.deliveries.push(delivery)
        scene.changed()
      },
      lost: (orphaned) => {
        this.orphaned.push(...orphaned)
        scene.changed()
      },
    })
  }

  static async begin(scene: Scene, node: SceneNode, queue = 'work', prefetch = 100): Promise<Inbox> {
    const inbox = new Inbox(scene, node, queue, prefetch)
    await scene.soon('begin to subscribe', inbox.subscription.begun)
    return inbox
  }

  get ids(): readonly string[] {
    return this.deliveries.map(({ id }) => id)
  }

  /** The first so many deliveries, once they are there. */
  async first(count: number): Promise<readonly Delivery[]> {
    await this.until(`${count} deliveries`, () => this.deliveries.length >= count)
    return this.deliveries.slice(0, count)
  }

  /** The delivery with this number, from 0. */
  async at(index: number): Promise<Delivery> {
    return (await this.first(index + 1))[index] as Delivery
  }

  until(what: string, isSo: () => boolean): Promise<void> {
    return this.#scene.until(what, isSo)
  }

  /** Shows that no more come than there are. */
  async quiet(expected = this.deliveries.length): Promise<void> {
    await pause(this.#scene.rig.quietMs)
    assert.equal(this.deliveries.length, expected, `deliveries: ${this.ids.join(' ')}`)
  }
}

export function typesOf(results: readonly { readonly type: string }[]): readonly string[] {
  return results.map(({ type }) => type)
}

/** So many messages with ids of their own. */
export function messages(count: number, of: Partial<Message> = {}): readonly Message[] {
  return Array.from({ length: count }, (_, at) => ({
    id: `m${at}`,
    queue: 'work',
    body: Buffer.from(`body ${at}`),
    ...of,
  }))
}

export function message(of: Partial<Message> = {}): Message {
  return { id: 'm', queue: 'work', body: Buffer.from('body'), ...of }
}
