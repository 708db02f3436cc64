import assert from 'node:assert/strict'
import type { Broker, Message } from '../lib/broker.ts'
import { needsCut, type BrokerCase } from './case.ts'
import { Inbox, messages, pause, type Scene, typesOf } from './scene.ts'

/** What breaks, and what must not be lost by it. */
export const faults: readonly BrokerCase[] = [
  {
    name: 'names the deliveries that are orphaned by a lost connection, and delivers them again, marked, by itself',
    leftOut: needsCut,
    async run(scene) {
      const [sender, taker] = [await scene.node(), await scene.node()]
      const inbox = await Inbox.begin(scene, taker)
      await scene.publish(sender.broker, messages(6))
      const held = await inbox.first(6)
      await scene.settled(inbox, held.slice(0, 2))
      // Settling is at least once: what the broker has not heard of yet would come again.
      await pause(scene.rig.quietMs)
      await cut(scene, taker.broker)
      await inbox.until('4 orphans', () => inbox.orphaned.length >= 4)
      assert.deepEqual(new Set(inbox.orphaned), new Set(held.slice(2)))
      assert.deepEqual(typesOf(await scene.settle(inbox, held.slice(2), { type: 'done' })), Array(4).fill('orphaned'))
      const again = (await inbox.first(10)).slice(6)
      assert.deepEqual(
        again.map(({ id }) => id).sort(),
        held
          .slice(2)
          .map(({ id }) => id)
          .sort(),
      )
      assert.ok(again.every(({ redelivered }) => redelivered))
      await scene.settled(inbox, again)
      await inbox.quiet(10)
    },
  },
  {
    name: 'publishes again by itself after a lost connection',
    leftOut: needsCut,
    async run(scene) {
      const { broker, events } = await scene.node()
      const inbox = await Inbox.begin(scene, await scene.node())
      await scene.publish(broker, messages(3))
      await cut(scene, broker)
      await publishUntilHeld(scene, broker, messages(3, { headers: { after: 1 } }))
      await inbox.until('3 of them', () => inbox.deliveries.filter(({ headers }) => headers['after'] === 1).length >= 3)
      const kinds = typesOf(events)
      assert.ok(kinds.includes('down') && kinds.lastIndexOf('up') > kinds.indexOf('down'), kinds.join(' '))
    },
  },
  {
    name: 'answers what was under way when the connection was lost, and has what it says it holds',
    leftOut: needsCut,
    async run(scene) {
      const { broker } = await scene.node()
      const inbox = await Inbox.begin(scene, await scene.node(), 'work', 10_000)
      const groups = Array.from({ length: 30 }, (_, at) =>
        messages(20).map((each) => ({ ...each, id: `${at}-${each.id}` })),
      )
      const held: string[] = []
      const answers = groups.map(async (group) => {
        const results = await scene.soon('publish', broker.publish(group))
        assert.equal(results.length, group.length)
        results.forEach(({ type }, at) => {
          if (type === 'held') held.push((group[at] as Message).id)
        })
      })
      await cut(scene, broker)
      await Promise.all(answers)
      await inbox.until('all that is held', () => held.every((id) => inbox.ids.includes(id)))
    },
  },
  {
    name: 'holds through a restart what it says it holds',
    leftOut: ({ durability }, { restart }) =>
      durability === 'nothing' ? 'it is not durable' : typeof restart === 'string' ? restart : undefined,
    async run(scene) {
      const { broker } = await scene.node()
      await scene.publish(broker, messages(50))
      assert.ok(typeof scene.rig.restart !== 'string')
      await scene.rig.restart()
      const inbox = await Inbox.begin(scene, await scene.node())
      await inbox.first(50)
      assert.equal(new Set(inbox.ids).size, 50)
    },
  },
]

async function cut(scene: Scene, broker: Broker): Promise<void> {
  assert.ok(typeof scene.rig.cut !== 'string')
  await scene.rig.cut(broker)
}

/** As an outbox does: what is not known to be held is sent again. */
async function publishUntilHeld(scene: Scene, broker: Broker, group: readonly Message[]): Promise<void> {
  let left = group
  while (left.length > 0) {
    const results = await scene.soon('publish', broker.publish(left))
    left = left.filter((_, at) => results[at]?.type !== 'held')
  }
}
