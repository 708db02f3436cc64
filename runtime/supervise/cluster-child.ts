import { hostname } from 'node:os'
import { spawn } from '../../lib/actor.ts'
import type { Broker } from '../../lib/broker.ts'
import { MOST_NAMES, type NodeFacts, type Role } from '../../lib/control-message.ts'
import type { ChildSpec } from '../../lib/supervision.ts'
import type { Across } from '../across.ts'
import { Cluster } from '../cluster/cluster.ts'
import { cancelHere } from '../control/cancel-here.ts'
import { carryOutHere } from '../control/verbs.ts'
import { packageVersion } from '../package-version.ts'
import type { Wires } from '../wires.ts'

/** What a runtime with a broker is to others. */
export interface NodeIdentity {
  /** Opened with `controlQueues(node)` among its queues. */
  readonly broker: Broker
  /** Resolves when the broker was reached for the first time. */
  readonly reached: Promise<void>
  readonly node: string
  readonly role: Role
}

export function clusterChild(wires: Wires, across: Across): ChildSpec {
  return {
    id: 'cluster',
    restart: 'permanent',
    start() {
      const { node, reached } = across
      const { broker, role } = across.config
      wires.cluster = clusterOf(wires, { broker, reached, node, role })
      return spawn(wires.cluster, { id: 'cluster' })
    },
  }
}

const KNOWN_NODES = 'cluster.known'

/** The control of nodes, over the parts of this runtime. */
export function clusterOf(wires: Wires, { broker, reached, node, role }: NodeIdentity): Cluster {
  const { clock, emit, journal } = wires
  const { settings } = journal
  const failed = (error: Error) => emit.emit('runtime.error', { error })
  return new Cluster({
    broker,
    reached,
    clock,
    node,
    known: {
      read: () => settings.get(KNOWN_NODES),
      write: (nodes) => settings.set(KNOWN_NODES, nodes),
    },
    facts: () => factsOf(wires, role),
    carryOut: (request) => carryOutHere(wires, request),
    cancel: (ids, sentBefore) => cancelHere(wires, ids, sentBefore),
    listener: {
      status: (id, status) => emit.emit('node.status', { node: id, status }),
      refused: (error) => emit.emit('node.refused', { error }),
      failed,
    },
  })
}

function factsOf({ config, catalog }: Wires, role: Role): NodeFacts {
  return {
    role,
    host: hostname().slice(0, 256) || 'unknown',
    pid: process.pid,
    version: packageVersion(),
    places: config.places.slice(0, MOST_NAMES).map(({ name }) => name),
    tasks: catalog.handled.slice(0, MOST_NAMES).map(({ name }) => name),
  }
}
