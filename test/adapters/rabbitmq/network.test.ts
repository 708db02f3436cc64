// needs-program: rabbitmq-server
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { Cluster } from '../../../adapters/rabbitmq/cluster.ts'
import type { RabbitmqOptions } from '../../../adapters/rabbitmq/index.ts'
import { settingsOf } from '../../../adapters/rabbitmq/options.ts'
import { systemClock } from '../../../lib/clock.ts'
import { numbered, plain, RabbitNode, WORK } from '../../helpers/rabbit-node.ts'
import { ownPrefix, removeQueues } from '../../helpers/rabbit-rig.ts'
import { anyRabbit, forSuite } from '../../helpers/rabbitmq.ts'
import { TcpProxy } from '../../helpers/tcp-proxy.ts'

describe('the way to RabbitMQ', () => {
  const server = forSuite(anyRabbit)

  async function proxyTo(test: TestContext, port = server().port): Promise<TcpProxy> {
    const proxy = await TcpProxy.start(port)
    test.after(() => proxy[Symbol.asyncDispose]())
    return proxy
  }

  function urlOf({ port }: TcpProxy): string {
    return `amqp://guest:guest@127.0.0.1:${port}`
  }

  function through(test: TestContext, proxy: TcpProxy, options: Partial<RabbitmqOptions> = {}): Promise<RabbitNode> {
    return RabbitNode.open(test, server().url, { urls: urlOf(proxy), ...options })
  }

  describe('the network to RabbitMQ', () => {
    it('may be slow: messages are on their way together, not one after another', async (test) => {
      const proxy = await proxyTo(test)
      const node = await through(test, proxy, { window: 100 })
      proxy.delay(100)
      const sentAt = performance.now()
      assert.deepEqual(new Set(await node.publish(...numbered(100))), new Set(['held']))
      const tookMs = performance.now() - sentAt
      assert.ok(tookMs >= 200, 'the proxy does not delay')
      assert.ok(tookMs < 5_000, `100 messages took ${tookMs} ms where a round trip takes 200`)
    })

    it('may stop in the middle of a frame: what was sent is unconfirmed, and nothing is lost or broken after it', async (test) => {
      const proxy = await proxyTo(test)
      const node = await through(test, proxy, { publishTimeoutMs: 1_000 })
      const body = Buffer.alloc(300_000, 'x')
      proxy.stopAfter(450_000)
      assert.deepEqual(await node.publish(...numbered(3, { body })), ['held', 'unconfirmed', 'unconfirmed'])
      const { error } = await node.event('down')
      assert.equal(error.code, 'MILLRACE_BROKER_TIMEOUT')
      proxy.heal()
      proxy.cut()
      await node.publishUntilHeld(numbered(3, { body }))
      const taken = node.take()
      await taken.first(3)
      await node.until('all of them', () => new Set(taken.deliveries.map(({ id }) => id)).size === 3)
      assert.ok(taken.deliveries.every((each) => Buffer.from(each.body).equals(body)))
    })

    it('may fall silent: who publishes is answered in time, and who consumes hears of it by missing heartbeats', async (test) => {
      const proxy = await proxyTo(test)
      const node = await through(test, proxy, { heartbeatMs: 1_000, publishTimeoutMs: 500 })
      const taken = node.take()
      await node.publish(plain('a'))
      const [held] = await taken.first(1)
      proxy.silence()
      const silentAt = performance.now()
      assert.deepEqual(await node.publish(plain('b')), ['unconfirmed'])
      assert.ok(performance.now() - silentAt < 3_000, 'publish has waited longer than it may')
      await node.until('the orphan', () => taken.orphaned.length === 1)
      assert.equal(taken.orphaned[0], held)
      assert.ok(performance.now() - silentAt < 15_000, 'a silent connection was kept for too long')
      proxy.heal()
      await node.publishUntilHeld([plain('b')])
      await node.until('both', () => ['a', 'b'].every((id) => taken.deliveries.slice(1).some((each) => each.id === id)))
      const again = taken.deliveries.slice(1).find(({ id }) => id === 'a')
      assert.equal(again?.redelivered, true)
    })

    it('may fall silent once somebody has waited for long to send: it is found out, though nobody waits any more', async (test) => {
      const proxy = await proxyTo(test)
      const node = await through(test, proxy, { window: 1, publishTimeoutMs: 1_000 })
      proxy.delay(300)
      const first = node.publish(plain('a'))
      const sentAfterIt = node.publish(plain('b'))
      assert.deepEqual(await first, ['held'])
      proxy.silence()
      const silentAt = performance.now()
      assert.deepEqual(await sentAfterIt, ['unconfirmed'])
      assert.ok(performance.now() - silentAt < 950, 'it was not sent later than it was given')
      const { error } = await node.event('down')
      assert.equal(error.code, 'MILLRACE_BROKER_TIMEOUT')
      assert.ok(performance.now() - silentAt < 3_000, 'a connection that does not answer was kept for too long')
    })

    it('may be gone for long: who publishes gets an answer each time, and it goes on by itself', async (test) => {
      const proxy = await proxyTo(test)
      const node = await through(test, proxy, { publishTimeoutMs: 300 })
      proxy.shut()
      await node.event('down')
      for (let at = 0; at < 2; at++) {
        const startedAt = performance.now()
        assert.deepEqual(await node.publish(plain('a')), ['unconfirmed'])
        assert.ok(performance.now() - startedAt < 2_000)
      }
      proxy.open()
      await node.publishUntilHeld([plain('a')])
      const downs = node.events.filter(({ type }) => type === 'down')
      assert.ok(downs.length >= 2, 'it was not tried again')
    })

    it('may be gone at the start, and while it is gone the broker can be closed', async (test) => {
      const proxy = await proxyTo(test)
      proxy.shut()
      const node = RabbitNode.start(test, server().url, { urls: urlOf(proxy) })
      await node.event('down')
      const publishing = node.broker.publish([plain('a')])
      await node.broker.close()
      assert.deepEqual(
        (await publishing).map(({ type }) => type),
        ['unconfirmed'],
      )
      await assert.rejects(node.opened, { code: 'MILLRACE_BROKER_CLOSED' })
    })

    it('may lead to another node of the cluster, which is used when the first is gone', async (test) => {
      const [first, second] = [await proxyTo(test), await proxyTo(test)]
      const node = await RabbitNode.open(test, server().url, { urls: [[urlOf(first), urlOf(second)]] })
      const taken = node.take()
      await taken.subscription?.begun
      assert.deepEqual([first.connections, second.connections], [2, 0])
      first.shut()
      await node.event('up', ({ link }) => link.endsWith(String(second.port)))
      await node.publishUntilHeld([plain('a')])
      await taken.first(1)
      assert.deepEqual([first.connections, second.connections], [0, 2])
    })
  })

  const DELIVER = 0x3c003c
  const FRAME_HEAD = 7
  /** Frames of a delivery: the method, the header, the body. */
  const [METHOD, HEADER, BODY] = [1, 2, 3]

  /** Whole frames only, without those that bring messages. */
  function withoutDeliveries(): (chunk: Buffer, pass: (bytes: Buffer) => void) => void {
    let rest = Buffer.alloc(0)
    return (chunk, pass) => {
      rest = Buffer.concat([rest, chunk])
      while (rest.length >= FRAME_HEAD) {
        const end = FRAME_HEAD + rest.readUInt32BE(3) + 1
        if (rest.length < end) return
        const frame = rest.subarray(0, end)
        rest = rest.subarray(end)
        const brings =
          frame[0] === METHOD ? frame.readUInt32BE(FRAME_HEAD) === DELIVER : frame[0] === HEADER || frame[0] === BODY
        if (!brings) pass(frame)
      }
    }
  }

  describe('a queue that is not empty', () => {
    it('does not stay silent: the connection is made anew, with an event', async (test) => {
      const proxy = await proxyTo(test)
      const prefix = ownPrefix()
      const settings = { ...settingsOf({ urls: urlOf(proxy), prefix }), silenceMs: 200 }
      const node = new RabbitNode(new Cluster(settings, settings.clusters[0] ?? [], systemClock), prefix, WORK)
      test.after(async () => {
        await node.broker.close()
        await removeQueues(server().url, prefix, WORK)
      })
      await node.opened
      const taken = node.take('work', 1)
      await taken.subscription?.begun
      // What is given to it and never comes leaves the queue, so the second message is what waits.
      proxy.filter(withoutDeliveries())
      await node.publish(...numbered(3))
      const { error } = await node.event('subscription-down')
      assert.equal(error.code, 'MILLRACE_BROKER_SILENT')
      proxy.heal()
      const held = await taken.first(1)
      assert.deepEqual(await taken.done(...held), ['settled'])
      await taken.first(2)
    })

    it('is not taken for silent while there is no room', async (test) => {
      const prefix = ownPrefix()
      const settings = { ...settingsOf({ urls: server().url, prefix }), silenceMs: 50 }
      const node = new RabbitNode(new Cluster(settings, settings.clusters[0] ?? [], systemClock), prefix, WORK)
      test.after(async () => {
        await node.broker.close()
        await removeQueues(server().url, prefix, WORK)
      })
      await node.opened
      const taken = node.take('work', 1)
      await node.publish(...numbered(3))
      await taken.first(1)
      await new Promise((resolve) => setTimeout(resolve, 500))
      assert.deepEqual(
        node.events.filter(({ type }) => type === 'subscription-down'),
        [],
      )
    })
  })
})
