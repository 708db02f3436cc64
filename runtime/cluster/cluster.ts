import { randomUUID } from 'node:crypto'
import type { Behavior } from '../../lib/actor.ts'
import { type Broker, type Delivery, DONE, type Subscription } from '../../lib/broker.ts'
import type { Clock, Timer } from '../../lib/clock.ts'
import {
  type Ask,
  type AskedOfNode,
  answersQueue,
  CONTROL_QUEUE,
  type ControlMessage,
  decodeControl,
  encodeControl,
  type NodeFacts,
} from '../../lib/control-message.ts'
import type { Json } from '../../lib/json.ts'
import { BEAT_MS, LATE_MS, Membership, type NodeStatus } from '../../lib/membership.ts'
import { invalidOption } from '../../lib/options.ts'
import { within } from '../../lib/within.ts'
import { Answering } from './answering.ts'
import { Asks, type NodeAnswer } from './asks.ts'
import { Keeper } from './keeper.ts'
import { KeptCancels } from './kept-cancels.ts'
import { type KnownNodes, RememberedNodes } from './remembered-nodes.ts'

export interface ClusterOptions {
  /** It was given `controlQueues(node)` when it was opened. */
  readonly broker: Pick<Broker, 'publish' | 'subscribe'>
  /** Resolves when the broker was reached for the first time. */
  readonly reached: Promise<void>
  readonly clock: Clock
  readonly node: string
  /** Where nodes are remembered over restarts. */
  readonly known: KnownNodes
  facts(): NodeFacts
  /** Does what this node is asked, by one of the verbs; rejects where it cannot. */
  carryOut(request: AskedOfNode): Promise<Json>
  /** Writes down that these jobs shall not run here, and ends what is here of them. */
  cancel(ids: readonly string[], sentBefore: number): Promise<unknown>
  readonly listener: ClusterListener
}

export interface ClusterListener {
  /** A node that is new, or whose status has changed. */
  status(node: string, status: NodeStatus): void
  /** Somebody has sent what cannot be used. */
  refused(error: Error): void
  /** Something of its own did not work, and is tried again. */
  failed(error: Error): void
}

/** A node as this one sees it. */
export interface NodeSummary {
  readonly node: string
  /** Whether it is the one that is asked. */
  readonly isSelf: boolean
  readonly status: NodeStatus
  /** Epoch ms since when it is so. */
  readonly sinceAt: number
  /** What it has told of itself; `undefined` where it has not been heard since this process has started. */
  readonly facts: NodeFacts | undefined
}

export interface NodeAskOptions {
  /** Ids of nodes. Default: all that are known. */
  readonly nodes: 'all' | readonly string[]
  readonly timeoutMs: number
}

const PREFETCH = 100
const EXTRA_BEAT_MS = 1_000
const LEAVE_MS = 1_000

/** This node among the others: tells that it is there, knows who else is, asks them, and does what they ask. */
export class Cluster implements Behavior<never> {
  readonly #options: ClusterOptions
  readonly #members = new Membership<NodeFacts>()
  readonly #asks: Asks
  readonly #kept: KeptCancels
  readonly #keeper: Keeper
  readonly #remembered: RememberedNodes
  readonly #subscriptions: Subscription[] = []
  readonly #answering: Answering
  /** What was told of each. */
  readonly #told = new Map<string, NodeStatus>()
  #timer: Timer | undefined
  #extraBeat: Timer | undefined
  #tickedMs = 0
  #beatMs = Number.NEGATIVE_INFINITY
  /** Resolves when what others say comes here. */
  #hearing: Promise<void> = Promise.resolve()
  #hears: 'not yet' | 'yes' | 'stopped' = 'not yet'
  #beating: 'under way' | 'no' = 'no'

  constructor(options: ClusterOptions) {
    const { clock, known } = options
    this.#options = options
    this.#asks = new Asks(clock, (node) => this.#members.statusOf(node, clock.monotonicMs()))
    this.#answering = new Answering(options)
    this.#keeper = new Keeper(options.broker)
    const { refused, failed } = options.listener
    this.#kept = new KeptCancels({ ...options, cancel: (...which) => options.cancel(...which), refused, failed })
    this.#remembered = new RememberedNodes(known, clock, failed)
  }

  start(): void {
    const { clock, node, broker } = this.#options
    this.#tickedMs = clock.monotonicMs()
    for (const { id, goneSinceMs } of this.#remembered.list()) {
      this.#members.remember(id, goneSinceMs, this.#tickedMs)
      this.#told.set(id, 'gone')
    }
    this.#told.set(node, 'answers')
    for (const queue of [CONTROL_QUEUE, answersQueue(node)]) {
      const deliver = (delivery: Delivery) => this.#receive(delivery)
      this.#subscriptions.push(broker.subscribe(queue, { prefetch: PREFETCH, deliver, lost: () => {} }))
    }
    this.#kept.begin()
    this.#hearing = Promise.all(this.#subscriptions.map(({ begun }) => begun)).then(() => this.#begin())
    this.#tick()
  }

  receive(): void {}

  async stop(): Promise<void> {
    const { clock, node } = this.#options
    this.#timer?.cancel()
    this.#extraBeat?.cancel()
    this.#asks.close()
    // Where it was never heard nobody has to know.
    if (this.#hears === 'yes') {
      await within(clock, LEAVE_MS, this.#publish(CONTROL_QUEUE, { type: 'left', node }), () => undefined)
    }
    this.#hears = 'stopped'
    await Promise.all([this.#kept.stop(), ...this.#subscriptions.map((subscription) => subscription.cancel())])
  }

  /** Resolves when cancels that this node has missed are written down: before that no job may be taken from the broker. */
  get ready(): Promise<void> {
    return this.#kept.ready
  }

  /** Every node that is known, this one too. */
  nodes(): readonly NodeSummary[] {
    const { clock } = this.#options
    const [now, nowMs] = [clock.now(), clock.monotonicMs()]
    return this.#members.members(nowMs).map(({ node, status, sinceMs, about }) => ({
      node,
      isSelf: node === this.#options.node,
      status,
      sinceAt: Math.round(now - (nowMs - sinceMs)),
      facts: about,
    }))
  }

  /** Resolves to one answer for each node that is asked; rejects where the question could not be sent. */
  async ask(request: AskedOfNode, { nodes, timeoutMs }: NodeAskOptions): Promise<readonly NodeAnswer[]> {
    const { clock, node } = this.#options
    const targets = this.#targets(nodes)
    const id = randomUUID()
    const sentAt = clock.now()
    const ask: Ask = { type: 'ask', id, from: node, nodes, request, sentAt, timeoutMs: Math.ceil(timeoutMs) }
    const body = encodeControl(ask)
    const answers = this.#asks.begin(id, targets, timeoutMs)
    const sending = this.#hearing.then(() => this.#send(CONTROL_QUEUE, body))
    const sent = sending.then((error) => {
      if (error === undefined) return answers
      this.#asks.forget(id)
      throw error
    })
    return Promise.race([answers, sent])
  }

  /** Keeps a cancel for nodes, until they read it; rejects where the broker does not hold it for one that may come back. */
  async keep(ids: readonly string[], sentBefore: number, nodes: 'all' | readonly string[]): Promise<void> {
    const others = () => this.#targets(nodes).filter((each) => each !== this.#options.node)
    return nodes === 'all'
      ? this.#keeper.keepForAll(ids, sentBefore, others)
      : this.#keeper.keep(ids, sentBefore, others())
  }

  #targets(nodes: 'all' | readonly string[]): readonly string[] {
    const known = this.#members.members(this.#options.clock.monotonicMs()).map(({ node }) => node)
    if (nodes === 'all') return known
    const stranger = nodes.find((node) => !known.includes(node))
    if (stranger !== undefined) throw invalidOption('nodes', stranger, `nodes that are known: ${known.join(', ')}`)
    return [...new Set(nodes)]
  }

  #tick(): void {
    const { clock } = this.#options
    const nowMs = clock.monotonicMs()
    const awayMs = nowMs - this.#tickedMs - BEAT_MS
    if (awayMs > LATE_MS - BEAT_MS) this.#members.wasAway(awayMs, nowMs)
    this.#tickedMs = nowMs
    this.#beat(nowMs)
    this.#tellChanges(nowMs)
    this.#remembered.keep(this.nodes(), 'none')
    this.#timer = clock.setTimer(BEAT_MS, () => this.#tick())
    this.#timer.unref()
  }

  /** From now on it is heard by others, since it hears them. */
  #begin(): void {
    if (this.#hears === 'stopped') return
    this.#hears = 'yes'
    void this.#publish(CONTROL_QUEUE, { type: 'who' })
    this.#beat(this.#options.clock.monotonicMs())
  }

  /** Somebody asks who is there; however often, once a second is enough. */
  #planBeat(nowMs: number): void {
    if (this.#extraBeat !== undefined) return
    const beat = () => {
      this.#extraBeat = undefined
      this.#beat(this.#options.clock.monotonicMs())
    }
    this.#extraBeat = this.#options.clock.setTimer(this.#beatMs + EXTRA_BEAT_MS - nowMs, beat)
    this.#extraBeat.unref()
  }

  /** One at a time: while the broker is away nothing piles up. */
  #beat(nowMs: number): void {
    const { node, facts } = this.#options
    const about = facts()
    this.#members.heard(node, about, nowMs)
    this.#beatMs = nowMs
    if (this.#hears !== 'yes' || this.#beating === 'under way') return
    this.#beating = 'under way'
    void this.#publish(CONTROL_QUEUE, { type: 'beat', node, facts: about }).then(() => {
      this.#beating = 'no'
    })
  }

  #tellChanges(nowMs: number): void {
    const { listener } = this.#options
    const present = new Set<string>()
    for (const { node, status } of this.#members.members(nowMs)) {
      present.add(node)
      if (this.#told.get(node) === status) continue
      this.#told.set(node, status)
      listener.status(node, status)
    }
    for (const node of this.#told.keys()) if (!present.has(node)) this.#told.delete(node)
  }

  #receive(delivery: Delivery): void {
    try {
      this.#obey(decodeControl(delivery.body))
    } catch (error) {
      this.#options.listener.refused(error as Error)
    }
    delivery.from.settle([{ delivery, verdict: DONE }]).catch(() => {
      // Nothing comes of it: what was lost is not kept for anybody.
    })
  }

  #obey(message: ControlMessage): void {
    const nowMs = this.#options.clock.monotonicMs()
    switch (message.type) {
      case 'beat':
        return this.#heard(message.node, message.facts, nowMs)
      case 'left':
        if (message.node === this.#options.node) return
        this.#members.left(message.node, nowMs)
        return this.#tellChanges(nowMs)
      case 'who':
        return this.#planBeat(nowMs)
      case 'ask':
        void this.#answer(message)
        return
      case 'answer':
        return this.#asks.answered(message.id, message.node, message.reply)
      case 'cancel':
      case 'marker':
        // They are read where they are kept.
        return
    }
  }

  #heard(node: string, facts: NodeFacts, nowMs: number): void {
    if (node === this.#options.node) return
    const as = this.#members.heard(node, facts, nowMs)
    this.#tellChanges(nowMs)
    if (as === 'new') this.#remembered.keep(this.nodes(), 'new')
  }

  async #answer(ask: Ask): Promise<void> {
    const reply = await this.#answering.replyTo(ask)
    if (reply === undefined) return
    await this.#publish(answersQueue(ask.from), { type: 'answer', id: ask.id, node: this.#options.node, reply })
  }

  /** What cannot be sent is lost: a beat follows, a question is answered late. */
  async #publish(queue: string, message: ControlMessage): Promise<void> {
    try {
      await this.#send(queue, encodeControl(message))
    } catch (error) {
      this.#options.listener.failed(error as Error)
    }
  }

  /** Resolves to why it was not sent; nobody who listens is no reason. */
  async #send(queue: string, body: Buffer): Promise<Error | undefined> {
    const [result] = await this.#options.broker.publish([{ id: randomUUID(), queue, body }])
    return result?.type === 'refused' || result?.type === 'unconfirmed' ? result.error : undefined
  }
}
