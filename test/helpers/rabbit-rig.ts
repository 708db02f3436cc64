import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after } from 'node:test'
import { rabbitmq, type RabbitmqOptions } from '../../adapters/rabbitmq/index.ts'
import { delayDeclarations, declarations } from '../../adapters/rabbitmq/topology.ts'
import type { BrokerRig } from '../../conformance/index.ts'
import type { Broker, QueueSpec } from '../../lib/broker.ts'
import { withChannel } from './rabbitmq.ts'
import { TcpProxy } from './tcp-proxy.ts'

/** In front of the names of one test's queues. */
export function ownPrefix(): string {
  return `test-${randomBytes(6).toString('hex')}.`
}

/** Takes away what was made under a prefix. */
export async function removeQueues(url: string, prefix: string, specs: readonly QueueSpec[]): Promise<void> {
  const naming = { prefix, queues: 'quorum' } as const
  const all = [...declarations(naming, specs), ...delayDeclarations(naming, 12, specs)]
  await withChannel(url, async (channel) => {
    for (const each of all) {
      if (each.type === 'queue') await channel.deleteQueue(each.name)
      if (each.type === 'exchange') await channel.deleteExchange(each.name)
    }
  })
}

/**
 * Gives out prefixes, whose queues are removed when the nodes are gone, which would make them anew. Call it within
 * `describe`, before the server of the suite: what is cleaned up first is what was asked for first.
 */
export function prefixesForSuite(): (url: string, specs: () => readonly QueueSpec[]) => string {
  const removals: (() => Promise<void>)[] = []
  after(async () => {
    for (const remove of removals) await remove()
  })
  return (url, specs) => {
    const prefix = ownPrefix()
    removals.push(() => removeQueues(url, prefix, specs()))
    return prefix
  }
}

const SPECS: readonly QueueSpec[] = [
  { name: 'work', kind: 'work' },
  { name: 'other', kind: 'work' },
  { name: 'replies-1', kind: 'reply', expiresMs: 1, most: 1 },
  { name: 'control', kind: 'fan' },
]

/** Nodes with a way of their own to the server each, which can be cut. */
export function rabbitRig(
  server: { readonly port: number; readonly url: string },
  options: Partial<RabbitmqOptions>,
  restart: BrokerRig['restart'],
): BrokerRig {
  const prefix = ownPrefix()
  const proxies = new Map<Broker, TcpProxy>()
  return {
    async attach() {
      const proxy = await TcpProxy.start(server.port)
      const broker = rabbitmq({ ...options, prefix, urls: `amqp://guest:guest@127.0.0.1:${proxy.port}` })
      proxies.set(broker, proxy)
      return broker
    },
    async cut(broker) {
      const proxy = proxies.get(broker)
      assert.ok(proxy !== undefined && proxy.connections > 0)
      proxy.cut()
    },
    restart,
    quietMs: 150,
    patienceMs: 20_000,
    async [Symbol.asyncDispose]() {
      for (const proxy of proxies.values()) await proxy[Symbol.asyncDispose]()
      await removeQueues(server.url, prefix, SPECS)
    },
  }
}
