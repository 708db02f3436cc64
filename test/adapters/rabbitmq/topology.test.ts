// needs-program: rabbitmq-server
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { RabbitmqOptions } from '../../../adapters/rabbitmq/index.ts'
import type { QueueSpec } from '../../../lib/broker.ts'
import { deadLetterQueue, MOST_BYTES } from '../../../lib/message.ts'
import { numbered, plain, RabbitNode, WORK } from '../../helpers/rabbit-node.ts'
import { ownPrefix } from '../../helpers/rabbit-rig.ts'
import { anyRabbit, forSuite, withChannel } from '../../helpers/rabbitmq.ts'

describe('what the adapter makes on RabbitMQ', () => {
  const server = forSuite(anyRabbit)

  function open(test: TestContext, options: Partial<RabbitmqOptions> = {}, queues?: readonly QueueSpec[]) {
    return RabbitNode.open(test, server().url, { urls: server().url, ...options }, queues)
  }

  describe('the queues on RabbitMQ', () => {
    it('are there before anybody has subscribed, and outlive who has made them', async (test) => {
      const node = await open(test)
      await node.publish(plain('a'))
      await node.broker.close()
      const { messageCount } = await withChannel(server().url, (channel) => channel.checkQueue(`${node.prefix}work`))
      assert.equal(messageCount, 1)
    })

    it('give back what no queue takes, which without mandatory would be confirmed and lost', async (test) => {
      const node = await open(test)
      await withChannel(server().url, async (channel) => {
        await channel.deleteQueue(`${node.prefix}work`)
        // The control: RabbitMQ confirms what nobody has got.
        const control = new Promise((resolve) =>
          channel.publish('', `${node.prefix}work`, Buffer.from('x'), {}, (error) => resolve(error)),
        )
        assert.equal(await control, null)
      })
      assert.deepEqual(await node.publish(...numbered(700)), Array(700).fill('unroutable'))
    })

    it('may be of somebody else, where nothing is made and what is missing is said', async (test) => {
      const prefix = ownPrefix()
      const passive = RabbitNode.start(test, server().url, { urls: server().url, prefix, declare: 'passive' })
      const { error } = await passive.event('down')
      assert.equal(error.code, 'MILLRACE_BROKER_QUEUE')
      assert.match(error.message, new RegExp(`expected the exchange ${prefix}_dead`))
      await open(test, { prefix })
      await passive.opened
      const taken = passive.take()
      assert.deepEqual(await passive.publish(plain('a')), ['held'])
      await taken.first(1)
    })

    it('may be full: that is said of each message, and the connection is made anew in case it is not the queue', async (test) => {
      const prefix = ownPrefix()
      await open(test, { prefix, queues: 'classic' })
      await withChannel(server().url, async (channel) => {
        const full = { 'x-queue-type': 'classic', 'x-max-length': 1, 'x-overflow': 'reject-publish' }
        await channel.deleteQueue(`${prefix}work`)
        await channel.assertQueue(`${prefix}work`, { durable: true, arguments: full })
      })
      const node = await open(test, { prefix, declare: 'passive' })
      assert.deepEqual(await node.publish(plain('a')), ['held'])
      const [result] = await node.broker.publish([plain('b')])
      assert.ok(result?.type === 'refused')
      assert.deepEqual([result.again, result.error.code], ['later', 'MILLRACE_BROKER_REFUSED'])
      const publishing = node.publishUntilHeld([plain('b')])
      const { error } = await node.event('down')
      assert.equal(error.code, 'MILLRACE_BROKER_REFUSED')
      await withChannel(server().url, (channel) => channel.purgeQueue(`${prefix}work`))
      assert.ok((await publishing) > 1)
    })

    it('are refused, with both sets of arguments, where they were made with others', async (test) => {
      const prefix = ownPrefix()
      await open(test, { prefix, queues: 'classic' })
      const node = RabbitNode.start(test, server().url, { urls: server().url, prefix })
      const { error, retryMs } = await node.event('down')
      assert.equal(error.code, 'MILLRACE_BROKER_QUEUE')
      assert.match(
        error.message,
        new RegExp(`cannot make the queue ${prefix}work.dead .*"x-queue-type":"quorum".*PRECONDITION`),
      )
      assert.ok(retryMs > 0)
      assert.deepEqual(await Promise.race([node.opened.then(() => 'open'), Promise.resolve('not open')]), 'not open')
    })

    it('keep what is no message of ours among the dead letters, and deliver the others', async (test) => {
      const node = await open(test)
      await withChannel(server().url, async (channel) => {
        const queue = `${node.prefix}work`
        channel.sendToQueue(queue, Buffer.from('no id'))
        channel.sendToQueue(queue, Buffer.from('id'), { messageId: 'with blanks in it' })
        channel.sendToQueue(queue, Buffer.from('headers'), { messageId: 'a', headers: { deep: { er: 1 } } })
        channel.sendToQueue(queue, Buffer.from('hostile'), { messageId: 'h', headers: { hostile: { toString: 'x' } } })
        channel.sendToQueue(queue, Buffer.from('name'), { messageId: 'b', headers: { 'Not-A-Name': 1 } })
        channel.sendToQueue(queue, Buffer.alloc(MOST_BYTES + 1), { messageId: 'c' })
        channel.sendToQueue(queue, Buffer.from('good'), {
          messageId: 'good',
          headers: { forged: 'text', 'x-own': [1] },
        })
        await channel.waitForConfirms()
      })
      const taken = node.take()
      const [good] = await taken.first(1)
      assert.deepEqual([good?.id, { ...good?.headers }], ['good', { forged: 'text' }])
      await node.until('6 malformed', () => node.events.filter(({ type }) => type === 'malformed').length >= 6)
      const { error } = await node.event('malformed')
      assert.equal(error.code, 'MILLRACE_MESSAGE_MALFORMED')
      const dead = `${node.prefix}${deadLetterQueue('work')}`
      await withChannel(server().url, async (channel) => {
        for (let tries = 0; (await channel.checkQueue(dead)).messageCount < 6; tries++) assert.ok(tries < 2_000)
      })
    })

    it('hold a message back for three seconds over two levels, after everybody has gone', async (test) => {
      const node = await open(test)
      const sentAt = performance.now()
      assert.deepEqual(await node.publish(plain('a', { delayMs: 2_001 })), ['held'])
      const elsewhere = plain('b', { delayMs: 1_000, queue: 'nobody-has-made-this' })
      assert.deepEqual(await node.publish(elsewhere), ['unroutable'])
      await node.broker.close()
      const next = await open(test, { prefix: node.prefix })
      await next.take().first(1)
      const tookMs = performance.now() - sentAt
      assert.ok(tookMs >= 3_000 && tookMs < 15_000, `it took ${tookMs} ms`)
    })
  })

  describe('a queue that is deleted under its consumer', () => {
    it('is told, made again, and what is unsettled can be settled still', async (test) => {
      const node = await open(test)
      const taken = node.take()
      await node.publish(plain('a'))
      const [held] = await taken.first(1)
      await withChannel(server().url, (channel) => channel.deleteQueue(`${node.prefix}work`))
      const { error, queue } = await node.event('subscription-down')
      assert.deepEqual([error.code, queue, taken.orphaned], ['MILLRACE_BROKER_QUEUE', 'work', []])
      assert.ok(held !== undefined)
      assert.deepEqual(await taken.done(held), ['settled'])
      await node.event(
        'subscription-up',
        () => true,
        node.events.findIndex(({ type }) => type === 'subscription-down'),
      )
      assert.deepEqual(await node.publish(plain('b')), ['held'])
      await taken.first(2)
    })

    it('is waited for where it is declared passively', async (test) => {
      const { prefix } = await open(test, { queues: 'classic' })
      const node = await open(test, { prefix, declare: 'passive' })
      const taken = node.take()
      await taken.subscription?.begun
      await withChannel(server().url, (channel) => channel.deleteQueue(`${prefix}work`))
      await node.event('subscription-down', ({ error }) => /expected the queue .*work/.test(error.message))
      assert.deepEqual(await node.publish(plain('a')), ['unroutable'])
      await open(test, { prefix, queues: 'classic' })
      assert.equal(await node.publishUntilHeld([plain('a')]), 0)
      await taken.first(1)
    })
  })

  describe('a subscription that ends as soon as all is settled', () => {
    it('has told the broker of all of it, also of the latest', async (test) => {
      const node = await open(test)
      const waiting = () => withChannel(server().url, (channel) => channel.checkQueue(`${node.prefix}work`))
      for (let round = 0; round < 8; round++) {
        await node.publish(...numbered(2_000))
        const taken = node.take('work', 500)
        let left = 2_000
        await new Promise<void>((resolve) => {
          taken.onDelivery = (delivery) => {
            void taken.done(delivery)
            if (--left === 0) resolve()
          }
        })
        await taken.subscription?.cancel()
        // What it had not heard of would be there again.
        await new Promise((resolve) => setTimeout(resolve, 100))
        assert.equal((await waiting()).messageCount, 0, `in round ${round}`)
      }
    })
  })

  describe('options of RabbitMQ queues', () => {
    it('choose the name in front of all of them, and quorum or classic', async (test) => {
      for (const queues of ['quorum', 'classic'] as const) {
        const prefix = ownPrefix()
        await open(test, { prefix, queues }, WORK)
        await withChannel(server().url, async (channel) => {
          const other = queues === 'quorum' ? 'classic' : 'quorum'
          const declared = channel.assertQueue(`${prefix}work`, { durable: true, arguments: { 'x-queue-type': other } })
          await assert.rejects(declared, /PRECONDITION_FAILED/)
        })
      }
    })
  })
})
