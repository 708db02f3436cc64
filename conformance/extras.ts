import assert from 'node:assert/strict'
import type { Message, QueueSpec } from '../lib/broker.ts'
import { systemClock } from '../lib/clock.ts'
import type { BrokerCase } from './case.ts'
import { Inbox, message, messages } from './scene.ts'

const REPLIES: QueueSpec = { name: 'replies-1', kind: 'reply', expiresMs: 60_000, most: 5 }
const CONTROL: QueueSpec = { name: 'control', kind: 'fan' }

/** What only some brokers can do. */
export const extras: readonly BrokerCase[] = [
  {
    name: 'holds a message back for as long as it says, and lets others pass',
    leftOut: ({ delay }) => (delay === 'none' ? 'it has no delays' : undefined),
    async run(scene) {
      const sender = await scene.node()
      const { delay } = sender.broker.supports
      assert.ok(delay !== 'none')
      const inbox = await Inbox.begin(scene, await scene.node())
      const stepMs = Math.max(delay.stepMs, scene.rig.quietMs)
      const startedAt = systemClock.monotonicMs()
      await scene.publish(sender.broker, [
        message({ id: 'late', delayMs: stepMs * 2.5 }),
        message({ id: 'soon', delayMs: stepMs * 0.5 }),
        message({ id: 'now' }),
      ])
      await scene.close(sender)
      await inbox.first(3)
      assert.deepEqual(inbox.ids, ['now', 'soon', 'late'])
      assert.ok(systemClock.monotonicMs() - startedAt >= stepMs * 2.5, 'it came too early')
      assert.ok(inbox.deliveries.every(({ redelivered }) => !redelivered))
      await inbox.quiet(3)
    },
  },
  {
    name: 'refuses a delay that it cannot keep',
    async run(scene) {
      const { broker } = await scene.node()
      const { delay } = broker.supports
      const delayMs = delay === 'none' ? 1_000 : delay.mostMs + 1
      const [result] = await scene.soon('publish', broker.publish([message({ delayMs })]))
      assert.deepEqual([result?.type, result?.type === 'refused' && result.again], ['refused', 'never'])
    },
  },
  {
    name: 'delivers a higher priority before a lower one that waits',
    leftOut: ({ priorities }) => (priorities > 1 ? undefined : 'it has no priorities'),
    async run(scene) {
      const node = await scene.node()
      const sent = [message({ id: 'low', priority: 0 }), message({ id: 'plain' }), message({ id: 'high', priority: 9 })]
      await scene.publish(node.broker, sent)
      const inbox = await Inbox.begin(scene, node)
      await inbox.first(3)
      assert.deepEqual(inbox.ids, ['high', 'plain', 'low'])
    },
  },
  {
    name: 'takes replies for a node by the name of its queue alone, and drops the oldest above its bound',
    async run(scene) {
      const [owner, replier] = [await scene.node(REPLIES), await scene.node()]
      await scene.publish(replier.broker, messages(8, { queue: REPLIES.name }))
      const inbox = await Inbox.begin(scene, owner, REPLIES.name)
      await inbox.first(5)
      await inbox.quiet(5)
      assert.deepEqual(inbox.ids, ['m3', 'm4', 'm5', 'm6', 'm7'])
    },
  },
  {
    name: 'brings what is published to a fan to every subscription that is there, and to none that comes later',
    leftOut: ({ control }) => (control ? undefined : 'it has no fans'),
    async run(scene) {
      const nodes = [await scene.node(CONTROL), await scene.node(CONTROL)] as const
      const order: Message = message({ queue: CONTROL.name, headers: { order: 'pause' } })
      await scene.publish(nodes[0].broker, [order], 'unroutable')
      const first = await Inbox.begin(scene, nodes[0], CONTROL.name)
      await scene.publish(nodes[1].broker, [{ ...order, id: 'one' }])
      const second = await Inbox.begin(scene, nodes[1], CONTROL.name)
      await scene.publish(nodes[0].broker, [{ ...order, id: 'both' }])
      await first.first(2)
      await second.first(1)
      await second.quiet(1)
      assert.deepEqual([first.ids, second.ids], [['one', 'both'], ['both']])
      await scene.settled(first, first.deliveries)
      await scene.soon('cancel', second.subscription.cancel())
      await scene.publish(nodes[1].broker, [{ ...order, id: 'last' }])
      await first.first(3)
      await second.quiet(1)
    },
  },
]
