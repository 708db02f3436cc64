// needs-program: rabbitmq-server
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RabbitmqOptions } from '../../../adapters/rabbitmq/index.ts'
import { brokerCases, playBrokerCase } from '../../../conformance/index.ts'
import { BrokerLedger } from '../../helpers/broker-ledger.ts'
import { numbered, plain, RabbitNode } from '../../helpers/rabbit-node.ts'
import { rabbitRig } from '../../helpers/rabbit-rig.ts'
import { forSuite, RabbitServer } from '../../helpers/rabbitmq.ts'

const CONSUMER_TIMEOUT_MS = 4_000

/** A quorum queue that is about a second old when its only node is killed finds no leader again. */
const YOUNG_MS = 5_000

async function busyAndOldEnough(ledger: BrokerLedger): Promise<void> {
  const oldEnoughAt = performance.now() + YOUNG_MS
  await ledger.until(() => ledger.acknowledged.size >= 8_000 && performance.now() >= oldEnoughAt)
}

describe('RabbitMQ in trouble', () => {
  const server = forSuite(() => RabbitServer.start({ channel_tick_interval: 1_000 }))

  function open(test: TestContext, options: Partial<RabbitmqOptions> = {}) {
    return RabbitNode.open(test, server().url, { urls: server().url, ...options })
  }

  async function restart(): Promise<void> {
    await server().kill()
    await server().start()
  }

  async function restartWhenOldEnough(): Promise<void> {
    await sleep(YOUNG_MS)
    await restart()
  }

  describe('a RabbitMQ server that is killed', () => {
    for (const queues of ['quorum', 'classic'] as const) {
      it(`has all that it has confirmed when it is back, in ${queues} queues`, async () => {
        const restarts = brokerCases.filter(({ name }) => name.startsWith('holds through a restart'))
        assert.equal(restarts.length, 1)
        for (const each of restarts) {
          const leftOut = await playBrokerCase(each, async () => rabbitRig(server(), { queues }, restartWhenOldEnough))
          assert.equal(leftOut, undefined)
        }
      })
    }

    it('loses nothing under load, and everybody finds back', async (test) => {
      const senders = [await open(test)]
      const [{ prefix } = { prefix: '' }] = senders
      senders.push(await open(test, { prefix }))
      const worker = await open(test, { prefix })
      const ledger = new BrokerLedger()
      const taken = worker.take('work', 200)
      ledger.execute(taken)
      const publishing = senders.flatMap((sender, at) => [
        ledger.publish(sender, `a${at}`, 50),
        ledger.publish(sender, `b${at}`, 7),
      ])
      await busyAndOldEnough(ledger)
      await server().kill()
      await Promise.all([...senders, worker].map((node) => node.event(node === worker ? 'subscription-down' : 'down')))
      const atKill = ledger.acknowledged.size
      await server().start()
      await ledger.until(() => ledger.acknowledged.size >= atKill + 500)
      ledger.stop()
      await Promise.all(publishing)
      await ledger.until(() => ledger.lost === 0)
      test.diagnostic(ledger.summary())
      assert.equal(ledger.unexpected, 0)
      assert.ok(ledger.acknowledged.size >= 8_500)
    })

    it('delivers what was held back although it was dead when it fell due', async (test) => {
      const node = await open(test)
      const taken = node.take()
      // Once through the levels, so that none of their queues is too young to be killed.
      assert.deepEqual(await node.publish(plain('a', { delayMs: 3_000 })), ['held'])
      await taken.done(...(await taken.first(1)))
      assert.deepEqual(await node.publish(plain('b', { delayMs: 3_000 })), ['held'])
      await restart()
      await node.until('b', () => taken.deliveries.some(({ id }) => id === 'b'))
    })
  })

  describe('a RabbitMQ server in need', () => {
    it('takes nothing without memory: that is told and answered in time, and consuming goes on', async (test) => {
      const node = await open(test, { publishTimeoutMs: 500 })
      const taken = node.take()
      await node.publish(...numbered(3))
      const held = await taken.first(3)
      const clear = () => server().ctl('eval', 'rabbit_alarm:clear_alarm({resource_limit, memory, node()}).')
      test.after(clear)
      await server().ctl('eval', 'rabbit_alarm:set_alarm({{resource_limit, memory, node()}, []}).')
      const answers = new Set<string>()
      while (!node.events.some(({ type }) => type === 'blocked'))
        for (const each of await node.publish(plain('b'))) answers.add(each)
      assert.deepEqual(await node.publish(plain('c')), ['unconfirmed'])
      assert.deepEqual(await taken.done(...held), ['settled', 'settled', 'settled'])
      assert.ok(answers.has('unconfirmed'))
      assert.equal(node.events.filter(({ type }) => type === 'down').length, 0, 'a blocked connection was given up')
      await clear()
      await node.event('unblocked')
      assert.deepEqual(await node.publish(plain('d')), ['held'])
      await node.until('d', () => taken.deliveries.some(({ id }) => id === 'd'))
    })

    it('takes deliveries back that are not settled in its time, from one subscription and from no other', async (test) => {
      // A channel asks for it as it is opened.
      await server().ctl('eval', `application:set_env(rabbit, consumer_timeout, ${CONSUMER_TIMEOUT_MS}).`)
      test.after(() => server().ctl('eval', 'application:unset_env(rabbit, consumer_timeout).'))
      const node = await RabbitNode.open(test, server().url, { urls: server().url }, [
        { name: 'work', kind: 'work' },
        { name: 'other', kind: 'work' },
      ])
      const [slow, quick] = [node.take(), node.take('other')]
      await node.publish(plain('a'), plain('b', { queue: 'other' }))
      const [late] = await slow.first(1)
      assert.deepEqual(await quick.done(...(await quick.first(1))), ['settled'])
      await node.until('the orphan', () => slow.orphaned.length === 1)
      assert.equal(slow.orphaned[0], late)
      assert.match(slow.error?.message ?? '', /timed out/i)
      assert.ok(late !== undefined)
      assert.deepEqual(await slow.done(late), ['orphaned'])
      const [, again] = await slow.first(2)
      assert.deepEqual([again?.id, again?.redelivered], ['a', true])
      assert.ok(again !== undefined)
      assert.deepEqual(await slow.done(again), ['settled'])
      assert.equal(
        node.events.some((event) => event.type === 'subscription-down' && event.queue === 'other'),
        false,
      )
    })
  })

  const PASSWORD = 'pa%ss/wo:rd@1'

  describe('a user of RabbitMQ', () => {
    it('who may not make queues is told so, and no password is in anything that is told', async (test) => {
      await server().ctl('add_user', 'limited', PASSWORD)
      await server().ctl('set_permissions', 'limited', '^$', '.*', '.*')
      const urls = `amqp://limited:${encodeURIComponent(PASSWORD)}@127.0.0.1:${server().port}`
      const node = RabbitNode.start(test, server().url, { urls })
      const { error } = await node.event('down')
      assert.equal(error.code, 'MILLRACE_BROKER_REFUSED')
      assert.match(error.message, /access to exchange .* refused|ACCESS_REFUSED/)
      const wrong = RabbitNode.start(test, server().url, { urls: urls.replace('1@', '2@') })
      const refused = await wrong.event('down')
      assert.equal(refused.error.code, 'MILLRACE_BROKER_REFUSED')
      for (const told of [...node.events, ...wrong.events]) assert.ok(!showAll(told).includes('pa%'), showAll(told))
      for (const told of [...node.events, ...wrong.events])
        assert.ok(!showAll(told).includes('limited:'), showAll(told))
      await server().ctl('set_permissions', 'limited', '.*', '.*', '.*')
      await node.opened
      assert.deepEqual(await node.publish(plain('a')), ['held'])
    })
  })

  describe('two RabbitMQ clusters', () => {
    it('share the messages, and while one is killed the other takes them all', async (test) => {
      await using second = await RabbitServer.start()
      const urls = [server().url, second.url]
      const sender = await RabbitNode.open(test, server().url, { urls, publishTimeoutMs: 3_000 })
      const worker = await RabbitNode.open(test, server().url, { urls, prefix: sender.prefix })
      for (const node of [sender, worker]) {
        await node.until('both', () => node.events.filter(({ type }) => type === 'up').length === 2)
      }
      const ledger = new BrokerLedger()
      const taken = worker.take('work', 200)
      ledger.execute(taken)
      const publishing = ['a', 'b', 'c', 'd'].map((name) => ledger.publish(sender, name, 20))
      await busyAndOldEnough(ledger)
      await second.kill()
      const atKill = ledger.acknowledged.size
      await ledger.until(() => ledger.acknowledged.size >= atKill + 500)
      await second.start()
      await sender.event(
        'up',
        ({ link }) => link.endsWith(String(second.port)),
        sender.events.findIndex(({ type }) => type === 'down'),
      )
      const atReturn = ledger.acknowledged.size
      await ledger.until(() => ledger.acknowledged.size >= atReturn + 500)
      ledger.stop()
      await Promise.all(publishing)
      await ledger.until(() => ledger.lost === 0)
      test.diagnostic(ledger.summary())
      assert.equal(ledger.unexpected, 0)
      await Promise.all([sender.broker.close(), worker.broker.close()])
    })
  })

  /** Everything in it, stacks and causes too. */
  function showAll(value: unknown): string {
    if (value instanceof Error) return [value.stack, showAll(Object.entries(value)), showAll(value.cause)].join('\n')
    if (typeof value !== 'object' || value === null) return String(value)
    return Object.values(value).map(showAll).join('\n')
  }
})
