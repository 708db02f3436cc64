import type { Broker } from '../../lib/broker.ts'
import { CONTROL_QUEUE, type Role } from '../../lib/control-message.ts'
import { CONTROL_PREFIX } from '../../lib/divided.ts'
import { invalidOption, TEN_YEARS_MS, wholeNumber } from '../../lib/options.ts'

export interface AcrossOptions {
  /** Where jobs go that are not `local`, and come from: made by an adapter. Default: none, every job runs here. */
  readonly broker?: Broker
  /** 'publisher' runs nothing and needs no `tasks`; 'worker' refuses `enqueue`, except from handlers. Default: 'both'. */
  readonly role?: Role
  /** How long a job may be away without an outcome; then it is dead. Default 7 days. */
  readonly awayMs?: number
}

export interface AcrossConfig {
  readonly broker: Broker
  readonly role: Role
  readonly awayMs: number
  /** Queues of jobs that this node sends to or takes from. */
  readonly queues: readonly string[]
}

const ROLES = ['publisher', 'worker', 'both'] as const
const AWAY_MS = 7 * 24 * 3_600_000

/** `undefined` where every job runs here. */
export function acrossConfig(
  { broker, role, awayMs }: AcrossOptions,
  queues: readonly string[],
): AcrossConfig | undefined {
  if (role !== undefined && !ROLES.includes(role)) throw invalidOption('role', role, `one of ${ROLES.join(', ')}`)
  if (broker === undefined) {
    if (role !== undefined)
      throw invalidOption('role', role, 'a broker beside it, since there are no other nodes without')
    if (awayMs !== undefined) throw invalidOption('awayMs', awayMs, 'a broker beside it, since nothing is away without')
    return undefined
  }
  if (typeof broker !== 'object' || broker === null || typeof broker.publish !== 'function') {
    throw invalidOption('broker', broker, "a broker made by an adapter: rabbitmq({ urls: 'amqp://…' })")
  }
  const reserved = queues.find((name) => name === CONTROL_QUEUE || name.startsWith(CONTROL_PREFIX))
  if (reserved !== undefined) {
    throw invalidOption('broker', reserved, `no place of this name beside it: ${CONTROL_QUEUE} is a queue of its own`)
  }
  return {
    broker,
    role: role ?? 'both',
    awayMs: wholeNumber(awayMs === undefined ? AWAY_MS : awayMs, 1_000, TEN_YEARS_MS, 'awayMs'),
    queues,
  }
}
