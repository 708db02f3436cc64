import { after } from 'node:test'
import { rabbitmq, type RabbitmqOptions } from '../../adapters/rabbitmq/index.ts'
import type { Broker, QueueSpec } from '../../lib/broker.ts'
import { ownPrefix, removeQueues } from './rabbit-rig.ts'

/** Gives each node its own access to queues of one prefix. */
export interface SharedRabbit {
  (): Broker
  readonly prefix: string
  /** What its nodes have named. */
  readonly specs: QueueSpec[]
}

export function sharedRabbit(url: string, options: Partial<RabbitmqOptions> = {}): SharedRabbit {
  const prefix = ownPrefix()
  const specs: QueueSpec[] = []
  const attach = () => {
    const broker = rabbitmq({ urls: url, prefix, ...options })
    const { open } = broker
    broker.open = (opening) => {
      specs.push(...opening.queues)
      return open.call(broker, opening)
    }
    return broker
  }
  return Object.assign(attach, { prefix, specs })
}

/**
 * For a server that others use too. Call it within `describe`, before the server of the suite: the queues are removed when
 * the nodes are gone, which would make them anew, and while the server is there. A server has files for a few hundred.
 */
export function sharedRabbits(): (url: string) => SharedRabbit {
  const removals: (() => Promise<void>)[] = []
  after(async () => {
    for (const remove of removals) await remove()
  })
  return (url) => {
    const shared = sharedRabbit(url)
    removals.push(() => removeQueues(url, shared.prefix, shared.specs))
    return shared
  }
}
