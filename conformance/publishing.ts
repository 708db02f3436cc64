import assert from 'node:assert/strict'
import { MillraceError } from '../lib/errors.ts'
import { MOST_BYTES } from '../lib/message.ts'
import type { BrokerCase } from './case.ts'
import { Inbox, message, messages, typesOf } from './scene.ts'

const EVERY_BYTE = Buffer.from(Array.from({ length: 256 }, (_, at) => at))

/** From `publish` to the one who gets it. */
export const publishing: readonly BrokerCase[] = [
  {
    name: 'gives each message to one of two subscribers',
    async run(scene) {
      const [sender, left, right] = [await scene.node(), await scene.node(), await scene.node()]
      const inboxes = [await Inbox.begin(scene, left), await Inbox.begin(scene, right)]
      await scene.publish(sender.broker, messages(60))
      const all = () => inboxes.flatMap(({ ids }) => ids)
      await scene.until('60 deliveries in all', () => all().length >= 60)
      for (const inbox of inboxes) await inbox.quiet()
      assert.deepEqual(
        all().sort(),
        messages(60)
          .map(({ id }) => id)
          .sort(),
      )
    },
  },
  {
    name: 'brings bytes, id, headers and queue as they were sent, and marks nothing as redelivered',
    async run(scene) {
      const node = await scene.node()
      const inbox = await Inbox.begin(scene, node)
      const headers = {
        claim: 3,
        least: Number.MIN_SAFE_INTEGER,
        most: Number.MAX_SAFE_INTEGER,
        text: 'ä "€" \n',
        empty: '',
      }
      const sent = message({ id: '!~id-1:2/3', body: EVERY_BYTE, headers })
      await scene.publish(node.broker, [sent])
      const { id, body, headers: received, queue, redelivered, returns, from } = await inbox.at(0)
      assert.deepEqual(
        { id, queue, redelivered, returns },
        { id: sent.id, queue: 'work', redelivered: false, returns: 0 },
      )
      assert.deepEqual({ ...received }, headers)
      assert.ok(Buffer.from(body).equals(EVERY_BYTE))
      const [settled] = await from.settle([{ delivery: await inbox.at(0), verdict: { type: 'done' } }])
      assert.equal(settled?.type, 'settled')
    },
  },
  {
    name: 'brings an empty body and the largest one, among small ones',
    async run(scene) {
      const node = await scene.node()
      const inbox = await Inbox.begin(scene, node)
      const bodies = [Buffer.alloc(0), Buffer.alloc(MOST_BYTES, EVERY_BYTE), Buffer.from('small')]
      await scene.publish(
        node.broker,
        bodies.map((body, at) => message({ id: `m${at}`, body })),
      )
      for (const { id, body } of await inbox.first(3))
        assert.ok(Buffer.from(body).equals(bodies[Number(id.slice(1))] as Buffer), id)
    },
  },
  {
    name: 'holds what it says it holds, although the sender closes at once and nobody has subscribed yet',
    async run(scene) {
      const sender = await scene.node()
      await scene.publish(sender.broker, messages(20))
      await scene.close(sender)
      const inbox = await Inbox.begin(scene, await scene.node())
      await inbox.first(20)
      await inbox.quiet(20)
    },
  },
  {
    name: 'holds messages while no node is there at all',
    async run(scene) {
      const [sender, other] = [await scene.node(), await scene.node()]
      await scene.publish(sender.broker, messages(5))
      await scene.close(other)
      await scene.close(sender)
      const inbox = await Inbox.begin(scene, await scene.node())
      assert.deepEqual((await inbox.first(5)).map(({ id }) => id).sort(), ['m0', 'm1', 'm2', 'm3', 'm4'])
    },
  },
  {
    name: 'says of each message of a group what it came to, in their order',
    async run(scene) {
      const node = await scene.node()
      const inbox = await Inbox.begin(scene, node)
      const group = [
        message({ id: 'a' }),
        message({ id: 'b', queue: 'nobody-has-made-this' }),
        message({ id: 'c', body: Buffer.alloc(MOST_BYTES + 1) }),
        message({ id: 'd' }),
        message({ id: 'not an id' }),
      ]
      const results = await scene.soon('publish', node.broker.publish(group))
      assert.deepEqual(typesOf(results), ['held', 'unroutable', 'refused', 'held', 'refused'])
      for (const result of results) {
        if (result.type !== 'refused') continue
        assert.equal(result.again, 'never')
        assert.equal(result.error.code, 'MILLRACE_MESSAGE_INVALID')
        assert.match(String(result.error.path), /^(body|id)$/)
      }
      await inbox.first(2)
      await inbox.quiet(2)
      assert.deepEqual([...inbox.ids].sort(), ['a', 'd'])
    },
  },
  {
    name: 'answers an empty group, and groups that overlap',
    async run(scene) {
      const { broker } = await scene.node()
      const inbox = await Inbox.begin(scene, await scene.node(), 'work', 2_000)
      await scene.publish(broker, [])
      const groups = Array.from({ length: 40 }, (_, at) =>
        messages(25).map((each) => ({ ...each, id: `${at}-${each.id}` })),
      )
      await Promise.all(groups.map((group) => scene.publish(broker, group)))
      await inbox.first(1_000)
      await inbox.quiet(1_000)
      assert.equal(new Set(inbox.ids).size, 1_000)
    },
  },
  {
    name: 'refuses everything once it is closed, and closes as often as one likes',
    async run(scene) {
      const node = await scene.node()
      await scene.close(node)
      await scene.close(node)
      const isClosed = (error: unknown) => error instanceof MillraceError && error.code === 'MILLRACE_BROKER_CLOSED'
      await assert.rejects(scene.soon('publish', node.broker.publish([message()])), isClosed)
      assert.throws(() => node.broker.subscribe('work', { prefetch: 1, deliver: () => {}, lost: () => {} }), isClosed)
      await assert.rejects(scene.soon('open', node.broker.open({ queues: [], tell: () => {} })), isClosed)
    },
  },
  {
    name: 'refuses to subscribe to a queue that was not named to open',
    async run(scene) {
      const { broker } = await scene.node()
      const subscribe = (queue: string, prefetch: number) => () =>
        broker.subscribe(queue, { prefetch, deliver: () => {}, lost: () => {} })
      const isInvalid = (error: unknown) => error instanceof MillraceError && error.code === 'MILLRACE_INVALID_OPTION'
      assert.throws(subscribe('wrok', 1), isInvalid)
      assert.throws(subscribe('work', -1), isInvalid)
      assert.throws(subscribe('work', 1.5), isInvalid)
      assert.throws(subscribe('work', 65_536), isInvalid)
    },
  },
]
