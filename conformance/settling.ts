import assert from 'node:assert/strict'
import type { Delivery } from '../lib/broker.ts'
import { deadLetterQueue } from '../lib/message.ts'
import type { BrokerCase } from './case.ts'
import { Inbox, message, messages, pause, typesOf } from './scene.ts'

/** What ends a delivery, and how many there are at once. */
export const settling: readonly BrokerCase[] = [
  {
    name: 'never delivers again what is done, and marks as redelivered what was unsettled when its node closed',
    async run(scene) {
      const [sender, first] = [await scene.node(), await scene.node()]
      const inbox = await Inbox.begin(scene, first)
      await scene.publish(sender.broker, messages(10))
      const held = await inbox.first(10)
      await scene.settled(
        inbox,
        held.filter((_, at) => at % 2 === 0),
      )
      await scene.close(first)
      const second = await Inbox.begin(scene, await scene.node())
      const again = await second.first(5)
      await second.quiet(5)
      assert.deepEqual(idsOf(again), idsOf(held.filter((_, at) => at % 2 === 1)))
      assert.ok(again.every(({ redelivered }) => redelivered))
      await scene.settled(second, again)
    },
  },
  {
    name: 'has no more unsettled than the prefetch, and goes on as they are settled',
    async run(scene) {
      const node = await scene.node()
      const inbox = await Inbox.begin(scene, node, 'work', 3)
      await scene.publishSingly(node.broker, messages(8))
      await inbox.first(3)
      await inbox.quiet(3)
      await scene.settled(inbox, inbox.deliveries.slice(1, 3))
      await inbox.first(5)
      await inbox.quiet(5)
      await scene.settled(inbox, [await inbox.at(0), await inbox.at(3), await inbox.at(4)])
      for (let at = 5; at < 8; at++) await scene.settled(inbox, [await inbox.at(at)])
      await inbox.quiet(8)
      assert.deepEqual(idsOf(inbox.deliveries), idsOf(messages(8)))
    },
  },
  {
    name: 'leaves to others what is beyond the prefetch',
    async run(scene) {
      const [first, second] = [await scene.node(), await scene.node()]
      const busy = await Inbox.begin(scene, first, 'work', 2)
      await scene.publishSingly(first.broker, messages(6))
      await busy.first(2)
      await busy.quiet(2)
      const idle = await Inbox.begin(scene, second, 'work', 100)
      await idle.first(4)
      await idle.quiet(4)
      await busy.quiet(2)
    },
  },
  {
    name: 'raises, lowers and pauses the prefetch while deliveries are unsettled',
    async run(scene) {
      const node = await scene.node()
      const inbox = await Inbox.begin(scene, node, 'work', 2)
      await scene.publishSingly(node.broker, messages(20))
      await inbox.first(2)
      inbox.subscription.setPrefetch(6)
      await inbox.first(6)
      await inbox.quiet(6)
      inbox.subscription.setPrefetch(3)
      await scene.settled(inbox, inbox.deliveries.slice(0, 2))
      await inbox.quiet(6)
      await scene.settled(inbox, inbox.deliveries.slice(2, 4))
      await inbox.first(7)
      await inbox.quiet(7)
      inbox.subscription.setPrefetch(0)
      await scene.settled(inbox, inbox.deliveries.slice(4, 7))
      await inbox.quiet(7)
      inbox.subscription.setPrefetch(50)
      await inbox.first(20)
      await scene.settled(inbox, inbox.deliveries.slice(7))
      await inbox.quiet(20)
      assert.deepEqual(idsOf(inbox.deliveries), idsOf(messages(20)))
    },
  },
  {
    name: 'marks nothing as redelivered because more room is given while deliveries come',
    async run(scene) {
      const node = await scene.node()
      const inbox = await Inbox.begin(scene, node, 'work', 1)
      const all = messages(2_000)
      const publishing: Promise<void>[] = []
      for (let at = 0; at < all.length; at += 10) {
        publishing.push(scene.publish(node.broker, all.slice(at, at + 10)))
        inbox.subscription.setPrefetch(at + 10)
        await pause(1)
      }
      await Promise.all(publishing)
      const deliveries = await inbox.first(all.length)
      await scene.settled(inbox, deliveries)
      await inbox.quiet(all.length)
      assert.deepEqual(idsOf(deliveries.filter(({ redelivered }) => redelivered)), [])
    },
  },
  {
    name: 'delivers what is returned again, marked, to whoever has room',
    async run(scene) {
      const node = await scene.node()
      const inbox = await Inbox.begin(scene, node, 'work', 1)
      await scene.publish(node.broker, [message({ headers: { kept: 'yes' } })])
      await scene.settled(inbox, [await inbox.at(0)], { type: 'return' })
      const again = await inbox.at(1)
      assert.deepEqual([again.id, again.redelivered, again.headers['kept']], ['m', true, 'yes'])
      await scene.settled(inbox, [again])
    },
  },
  {
    name: 'puts another message in the place of one, unmarked, and only once it is held',
    async run(scene) {
      const node = await scene.node()
      const inbox = await Inbox.begin(scene, node)
      await scene.publish(node.broker, [message({ headers: { deliveries: 1 } })])
      const original = await inbox.at(0)
      const nowhere = message({ queue: 'nobody-has-made-this' })
      const [kept] = await scene.settle(inbox, [original], { type: 'replace', by: nowhere })
      assert.equal(kept?.type, 'kept')
      assert.equal(kept.type === 'kept' && kept.because.type, 'unroutable')
      await inbox.quiet(1)
      await scene.settled(inbox, [original], { type: 'replace', by: message({ headers: { deliveries: 2 } }) })
      const replacement = await inbox.at(1)
      assert.deepEqual([replacement.redelivered, replacement.headers['deliveries']], [false, 2])
      await scene.settled(inbox, [replacement])
      await inbox.quiet(2)
    },
  },
  {
    name: 'says of what is settled twice, or elsewhere, that it does not know it',
    async run(scene) {
      const [node, other] = [await scene.node(), await scene.node()]
      const inbox = await Inbox.begin(scene, node)
      const stranger = await Inbox.begin(scene, other, 'other')
      await scene.publish(node.broker, messages(2))
      const [first, second] = (await inbox.first(2)) as [Delivery, Delivery]
      await scene.settled(inbox, [first])
      assert.deepEqual(typesOf(await scene.settle(inbox, [first, second], { type: 'done' })), ['unknown', 'settled'])
      await scene.publish(node.broker, messages(1))
      const third = await inbox.at(2)
      assert.deepEqual(typesOf(await scene.settle(stranger, [third], { type: 'done' })), ['unknown'])
      await scene.settled(inbox, [third])
    },
  },
  {
    name: 'takes back what is unsettled when a subscription is cancelled, and delivers nothing to it afterwards',
    async run(scene) {
      const node = await scene.node()
      const inbox = await Inbox.begin(scene, node, 'work', 2)
      await scene.publishSingly(node.broker, messages(4))
      const held = await inbox.first(2)
      await scene.soon('cancel', inbox.subscription.cancel())
      await scene.soon('cancel', inbox.subscription.cancel())
      assert.deepEqual(typesOf(await scene.settle(inbox, held, { type: 'done' })), ['orphaned', 'orphaned'])
      const next = await Inbox.begin(scene, node)
      const all = await next.first(4)
      await next.quiet(4)
      await inbox.quiet(2)
      assert.deepEqual(idsOf(all), idsOf(messages(4)))
      for (const { id } of held)
        assert.ok(
          all.some((each) => each.id === id && each.redelivered),
          `${id} is not marked`,
        )
      assert.deepEqual(inbox.orphaned, [])
    },
  },
  {
    name: 'keeps dead letters, with the reason, where they can be read',
    leftOut: ({ deadLetter }) => (deadLetter ? undefined : 'it has no dead letters'),
    async run(scene) {
      const node = await scene.node()
      const inbox = await Inbox.begin(scene, node)
      await scene.publish(node.broker, [message({ headers: { claim: 3 } })])
      await scene.settled(inbox, [await inbox.at(0)], { type: 'dead', reason: 'poison' })
      const most = Object.fromEntries(Array.from({ length: 32 }, (_, at) => [`header-${at}`, at]))
      await scene.publish(node.broker, [message({ id: 'n', headers: most })])
      await scene.settled(inbox, [await inbox.at(1)], { type: 'dead', reason: 'x'.repeat(20_000) })
      const dead = await Inbox.begin(scene, node, deadLetterQueue('work'))
      const { id, headers, body } = await dead.at(0)
      assert.deepEqual([id, headers['dead-reason'], headers['claim'], String(body)], ['m', 'poison', 3, 'body'])
      await scene.settled(dead, [await dead.at(0), await dead.at(1)])
      await inbox.quiet(2)
    },
  },
]

function idsOf(deliveries: readonly { readonly id: string }[]): readonly string[] {
  return deliveries.map(({ id }) => id).sort()
}
