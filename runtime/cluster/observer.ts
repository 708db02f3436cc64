import { randomUUID } from 'node:crypto'
import { type Broker, type BrokerEvent, type Delivery, DONE } from '../../lib/broker.ts'
import { type Clock, pause } from '../../lib/clock.ts'
import { CONTROL_QUEUE, decodeControl, encodeControl, type NodeFacts } from '../../lib/control-message.ts'
import { MillraceError } from '../../lib/errors.ts'
import { BEAT_MS, Membership } from '../../lib/membership.ts'
import { within } from '../../lib/within.ts'
import type { NodeSummary } from './cluster.ts'

/** Every node that is there beats within this time. */
const LOOK_MS = BEAT_MS + 1_000

export interface ObserveOptions {
  readonly clock: Clock
  /** How long the broker is looked for. */
  readonly timeoutMs: number
  /** Is told of messages that are none. */
  refused(error: Error): void
}

/**
 * Which nodes are there, seen by somebody who is none: what has said something within a beat. A node that hangs is not
 * among them. Opens the broker and closes it.
 */
export async function observeNodes(broker: Broker, options: ObserveOptions): Promise<readonly NodeSummary[]> {
  const { clock } = options
  if (!broker.supports.control) throw noControl()
  let down: MillraceError | undefined
  const tell = (event: BrokerEvent) => {
    if (event.type === 'down') down = event.error
  }
  try {
    const opened = broker.open({ queues: [{ name: CONTROL_QUEUE, kind: 'fan' }], tell })
    await within(clock, options.timeoutMs, opened, () => {
      throw down ?? unreached(options.timeoutMs)
    })
    return await look(broker, options)
  } finally {
    await broker.close()
  }
}

async function look(broker: Broker, { clock, refused, timeoutMs }: ObserveOptions): Promise<readonly NodeSummary[]> {
  const members = new Membership<NodeFacts>()
  const deliver = (delivery: Delivery) => {
    try {
      const message = decodeControl(delivery.body)
      if (message.type === 'beat') members.heard(message.node, message.facts, clock.monotonicMs())
      if (message.type === 'left') members.left(message.node, clock.monotonicMs())
    } catch (error) {
      refused(error as Error)
    }
    void delivery.from.settle([{ delivery, verdict: DONE }]).catch(() => [])
  }
  const subscription = broker.subscribe(CONTROL_QUEUE, { prefetch: 1_000, deliver, lost: () => {} })
  await within(clock, timeoutMs, subscription.begun, () => {
    throw unreached(timeoutMs)
  })
  await broker.publish([{ id: randomUUID(), queue: CONTROL_QUEUE, body: encodeControl({ type: 'who' }) }])
  await pause(clock, LOOK_MS)
  const [now, nowMs] = [clock.now(), clock.monotonicMs()]
  return members.members(nowMs).map(({ node, status, sinceMs, about }) => ({
    node,
    isSelf: false,
    status,
    sinceAt: Math.round(now - (nowMs - sinceMs)),
    facts: about,
  }))
}

function unreached(ms: number): MillraceError {
  return new MillraceError(
    'MILLRACE_BROKER_LOST',
    `the broker was not reached within ${ms} ms; see whether it runs and can be reached from here`,
  )
}

function noControl(): MillraceError {
  return new MillraceError(
    'MILLRACE_NO_CONTROL',
    'the broker has no control of nodes; expected one whose `supports.control` is true; use that of rabbitmq',
  )
}
