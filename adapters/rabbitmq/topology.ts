import type { QueueSpec } from '../../lib/broker.ts'
import { deadLetterQueue } from '../../lib/message.ts'
import { bitPattern, duePattern, STEP_MS } from './delays.ts'
import type { Settings } from './options.ts'

// What has to be there on the broker, as data: made anew each time a connection comes up, and tested without one.

export type Declaration =
  | { readonly type: 'exchange'; readonly name: string; readonly kind: 'direct' | 'topic' | 'fanout' }
  | { readonly type: 'queue'; readonly name: string; readonly arguments: Readonly<Record<string, string | number>> }
  | { readonly type: 'bind-queue'; readonly queue: string; readonly exchange: string; readonly key: string }
  | { readonly type: 'bind-exchange'; readonly to: string; readonly from: string; readonly key: string }

type Naming = Pick<Settings, 'prefix' | 'queues'>

/** How often a broker that counts gives a message out before it puts it among the dead letters; ours count stricter. */
const DELIVERY_LIMIT = 20
const PRIORITIES = 10

/** The name on the broker of a queue, or of the exchange of a fan. No queue's name begins with `_`: that is ours. */
export function brokerName({ prefix }: Pick<Settings, 'prefix'>, name: string): string {
  return prefix + name
}

/** Where messages enter a level. */
export function levelName({ prefix }: Pick<Settings, 'prefix'>, level: number): string {
  return `${prefix}_delay.${level}`
}

/** All that the queues of a node need, without the levels of delays, which are made when they are first needed. */
export function declarations(naming: Naming, specs: readonly QueueSpec[]): readonly Declaration[] {
  const dead: Declaration = { type: 'exchange', name: deadExchange(naming), kind: 'direct' }
  return [dead, ...specs.flatMap((spec) => declarationsOf(naming, spec))]
}

/** The queue of a spec, with what belongs to it. */
function declarationsOf(naming: Naming, spec: QueueSpec): readonly Declaration[] {
  const name = brokerName(naming, spec.name)
  if (spec.kind === 'fan') return [{ type: 'exchange', name, kind: 'fanout' }]
  if (spec.kind === 'reply') {
    const { expiresMs, most } = spec
    const bounds = {
      'x-expires': expiresMs,
      'x-message-ttl': expiresMs,
      'x-max-length': most,
      'x-overflow': 'drop-head',
    }
    return [{ type: 'queue', name, arguments: { 'x-queue-type': naming.queues, ...bounds } }]
  }
  const dead = brokerName(naming, deadLetterQueue(spec.name))
  return [
    { type: 'queue', name: dead, arguments: { 'x-queue-type': naming.queues } },
    { type: 'bind-queue', queue: dead, exchange: deadExchange(naming), key: name },
    { type: 'queue', name, arguments: { ...deadLettering(deadExchange(naming), name), ...workArguments(naming) } },
  ]
}

/**
 * The levels from 0 to `highest`: a queue that holds a message for its time, and an exchange that leads there or past it.
 * They are quorum queues in any case, whose dead-lettering is confirmed: from level to level nothing can be lost.
 */
export function delayDeclarations(
  naming: Naming,
  highest: number,
  specs: readonly QueueSpec[],
): readonly Declaration[] {
  const due = `${naming.prefix}_due`
  const exit: readonly Declaration[] = [
    { type: 'exchange', name: due, kind: 'topic' },
    ...specs
      .filter(({ kind }) => kind === 'work')
      .map(({ name }): Declaration => {
        const queue = brokerName(naming, name)
        return { type: 'bind-queue', queue, exchange: due, key: duePattern(queue) }
      }),
  ]
  const levels = Array.from({ length: highest + 1 }, (_, level): readonly Declaration[] => {
    const name = levelName(naming, level)
    const below = level === 0 ? due : levelName(naming, level - 1)
    const ttl = { 'x-queue-type': 'quorum', 'x-message-ttl': 2 ** level * STEP_MS }
    return [
      { type: 'exchange', name, kind: 'topic' },
      { type: 'queue', name, arguments: { ...ttl, ...deadLettering(below, undefined), ...CONFIRMED } },
      { type: 'bind-queue', queue: name, exchange: name, key: bitPattern(level, '1') },
      { type: 'bind-exchange', to: below, from: name, key: bitPattern(level, '0') },
    ]
  })
  return [...exit, ...levels.flat()]
}

/** Dead-lettering that waits for the confirm of the queue behind it. */
const CONFIRMED = { 'x-dead-letter-strategy': 'at-least-once', 'x-overflow': 'reject-publish' } as const

function workArguments({ queues }: Naming): Readonly<Record<string, string | number>> {
  return queues === 'quorum'
    ? { 'x-queue-type': 'quorum', 'x-delivery-limit': DELIVERY_LIMIT, ...CONFIRMED }
    : { 'x-queue-type': 'classic', 'x-max-priority': PRIORITIES }
}

function deadLettering(exchange: string, key: string | undefined): Readonly<Record<string, string>> {
  const to = { 'x-dead-letter-exchange': exchange }
  return key === undefined ? to : { ...to, 'x-dead-letter-routing-key': key }
}

function deadExchange({ prefix }: Pick<Settings, 'prefix'>): string {
  return `${prefix}_dead`
}
