import { setImmediate as turn } from 'node:timers/promises'
import { memory, memoryStore } from '../../adapters/memory/index.ts'
import { type Child, spawn } from '../../lib/actor.ts'
import type { Broker, Message, PublishResult } from '../../lib/broker.ts'
import { type AskedOfNode, controlQueues, type NodeFacts } from '../../lib/control-message.ts'
import type { Clock } from '../../lib/clock.ts'
import { MillraceError } from '../../lib/errors.ts'
import type { Json } from '../../lib/json.ts'
import { ManualClock } from '../../lib/manual-clock.ts'
import type { NodeStatus } from '../../lib/membership.ts'
import { Cluster } from '../../runtime/cluster/cluster.ts'

/** Nodes on one broker in memory, and the clock of all of them. */
export class ClusterScene implements AsyncDisposable {
  readonly clock = new ManualClock(1_700_000_000_000)
  readonly store = memoryStore(this.clock)
  /** What each node has written into its journal, which outlives the node. */
  readonly settings = new Map<string, Json>()
  readonly #nodes: SceneNode[] = []

  async node(node: string, options: NodeOptions = {}): Promise<SceneNode> {
    const started = new SceneNode(this, node, options)
    this.#nodes.push(started)
    await started.child.started
    await this.settled()
    return started
  }

  /** The broker of a node whose publishes are never confirmed. */
  unconfirming(): Broker {
    const error = new MillraceError('MILLRACE_BROKER_LOST', 'it is away')
    return Object.assign(memory(this.store), {
      publish: (messages: readonly unknown[]) =>
        Promise.resolve(messages.map((): PublishResult => ({ type: 'unconfirmed', error }))),
    })
  }

  /** What is under way arrives: nothing in here waits for time. */
  async settled(): Promise<void> {
    for (let turns = 0; turns < 10; turns++) await turn()
  }

  /** Lets time pass in steps, so that what each timer begins is done before the next one. */
  async pass(ms: number): Promise<void> {
    await this.settled()
    const endsAt = this.clock.now() + ms
    while (this.clock.now() < endsAt) {
      const next = Math.min(this.clock.nextTimerAt ?? endsAt, endsAt)
      this.clock.advance(Math.max(0, next - this.clock.now()))
      await this.settled()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.stop()))
  }
}

export interface NodeOptions {
  readonly carryOut?: (request: AskedOfNode) => Promise<Json>
  /** Is called for each write of the nodes that it knows. */
  readonly written?: () => void
  readonly cancel?: (ids: readonly string[]) => Promise<void>
  /** Instead of the scene's broker. */
  readonly broker?: Broker
  /** Instead of the scene's. */
  readonly clock?: Clock
}

/** A node, and what it was told. */
export class SceneNode {
  readonly name: string
  readonly broker: Broker
  readonly cluster: Cluster
  readonly child: Child<never>
  readonly cancelled: string[] = []
  readonly statuses: (readonly [string, NodeStatus])[] = []
  readonly refused: Error[] = []
  readonly failed: Error[] = []
  readonly asked: AskedOfNode[] = []
  #mute: 'yes' | 'no' = 'no'

  constructor(scene: ClusterScene, name: string, options: NodeOptions) {
    this.name = name
    this.broker = options.broker ?? memory(scene.store)
    const reached = this.broker.open({ queues: controlQueues(name), tell: () => {} })
    this.cluster = new Cluster({
      broker: {
        publish: (messages) => this.#publish(messages),
        subscribe: (queue, how) => this.broker.subscribe(queue, how),
      },
      reached,
      clock: options.clock ?? scene.clock,
      node: name,
      known: {
        read: () => scene.settings.get(name),
        async write(nodes) {
          options.written?.()
          scene.settings.set(name, nodes)
        },
      },
      facts: () => factsOf(name),
      carryOut: async (request) => {
        this.asked.push(request)
        return options.carryOut === undefined ? null : await options.carryOut(request)
      },
      cancel: async (ids) => {
        await options.cancel?.(ids)
        this.cancelled.push(...ids)
      },
      listener: {
        status: (node, status) => this.statuses.push([node, status]),
        refused: (error) => this.refused.push(error),
        failed: (error) => this.failed.push(error),
      },
    })
    this.child = spawn(this.cluster, { id: name, clock: scene.clock })
  }

  /** From now on nothing of it reaches anybody, as of one that hangs. */
  mute(): void {
    this.#mute = 'yes'
  }

  unmute(): void {
    this.#mute = 'no'
  }

  /** Takes nothing and says nothing any more, as one that was killed. */
  async kill(): Promise<void> {
    this.mute()
    await this.broker.close()
  }

  async stop(): Promise<void> {
    this.child.stop()
    await this.child.exited
    await this.broker.close()
  }

  statusOf(node: string): NodeStatus | undefined {
    return this.cluster.nodes().find((each) => each.node === node)?.status
  }

  #publish(messages: readonly Message[]): Promise<readonly PublishResult[]> {
    if (this.#mute === 'yes') return Promise.resolve(messages.map(() => ({ type: 'held' })))
    return this.broker.publish(messages)
  }
}

export function factsOf(host: string): NodeFacts {
  return { role: 'both', host, pid: 1, version: '1.0.0', places: ['default'], tasks: ['echo'] }
}
