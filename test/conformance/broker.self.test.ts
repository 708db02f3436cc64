import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { memory, memoryStore } from '../../adapters/memory/index.ts'
import { brokerCases, playBrokerCase, type BrokerRig } from '../../conformance/index.ts'
import { DONE, HELD, SETTLED, type Message } from '../../lib/broker.ts'
import { BrokenBroker, type Breakage } from '../helpers/broken-broker.ts'
import { CuttableBroker } from '../helpers/cuttable-broker.ts'

/** Each does one thing wrong, and names a case that has to notice it. */
const BROKEN: readonly { readonly name: string; readonly fails: RegExp; readonly breakage: Breakage }[] = [
  {
    name: 'acknowledges before it holds',
    fails: /although the sender closes at once/,
    breakage: {
      async publish(inner, messages) {
        setTimeout(() => {
          inner.publish(messages).catch(() => 'it was closed: lost')
        }, 30).unref()
        return messages.map(() => HELD)
      },
    },
  },
  {
    name: 'loses what is unsettled when it closes',
    fails: /unsettled when its node closed/,
    breakage: {
      close: (unsettled) =>
        Promise.all(unsettled.map((delivery) => delivery.from.settle([{ delivery, verdict: DONE }]))),
    },
  },
  {
    name: 'delivers again what is done',
    fails: /never delivers again what is done/,
    breakage: {
      settle: (inner, settlements) =>
        inner.settle(settlements.map(({ delivery }) => ({ delivery, verdict: { type: 'return' } }))),
    },
  },
  {
    name: 'ignores the prefetch',
    fails: /no more unsettled than/,
    breakage: { subscribe: (options) => ({ ...options, prefetch: 1_000 }) },
  },
  { name: 'ignores a new prefetch', fails: /raises, lowers and pauses/, breakage: { setPrefetch: () => {} } },
  {
    name: 'returns what is on its way when its prefetch changes',
    fails: /because more room is given/,
    breakage: { deliver: (delivery) => ({ ...delivery, redelivered: delivery.redelivered || delivery.id === 'm99' }) },
  },
  {
    name: 'hoards what it does not hand out',
    fails: /leaves to others/,
    breakage: {
      subscribe(options) {
        let handed = 0
        const deliver: typeof options.deliver = (delivery) => {
          if (handed++ < options.prefetch) options.deliver(delivery)
        }
        return { ...options, prefetch: 1_000, deliver }
      },
    },
  },
  {
    name: 'swallows what is unroutable',
    fails: /says of each message/,
    breakage: {
      publish: async (inner, messages) =>
        (await inner.publish(messages)).map((result) => (result.type === 'unroutable' ? HELD : result)),
    },
  },
  {
    name: 'drops the mark of redelivery',
    fails: /marks as redelivered/,
    breakage: { deliver: (delivery) => ({ ...delivery, redelivered: false }) },
  },
  {
    name: 'publishes twice and says so',
    fails: /one of two subscribers/,
    breakage: { publish: (inner, messages) => inner.publish([...messages, ...messages]) },
  },
  {
    name: 'publishes twice in silence',
    fails: /one of two subscribers/,
    breakage: {
      async publish(inner, messages) {
        await inner.publish(messages)
        return await inner.publish(messages)
      },
    },
  },
  { name: 'never answers', fails: /one of two subscribers/, breakage: { publish: () => new Promise(() => {}) } },
  {
    name: 'answers with one rejection for a whole group',
    fails: /says of each message/,
    breakage: {
      async publish(inner, messages) {
        const results = await inner.publish(messages)
        if (results.some(({ type }) => type === 'refused')) throw new Error('one of them is too large')
        return results
      },
    },
  },
  {
    name: 'forgets the delay',
    fails: /holds a message back/,
    breakage: { publish: (inner, messages) => inner.publish(messages.map((each) => without('delayMs', each))) },
  },
  {
    name: 'forgets priorities',
    fails: /higher priority/,
    breakage: { publish: (inner, messages) => inner.publish(messages.map((each) => without('priority', each))) },
  },
  {
    name: 'forgets headers',
    fails: /brings bytes/,
    breakage: { publish: (inner, messages) => inner.publish(messages.map((each) => without('headers', each))) },
  },
  {
    name: 'makes text of bytes',
    fails: /brings bytes/,
    breakage: { deliver: (delivery) => ({ ...delivery, body: Buffer.from(Buffer.from(delivery.body).toString()) }) },
  },
  {
    name: 'cuts large bodies off',
    fails: /largest/,
    breakage: { deliver: (delivery) => ({ ...delivery, body: delivery.body.subarray(0, 131_072) }) },
  },
  {
    name: 'takes the same settlement twice',
    fails: /settled twice/,
    breakage: {
      settle: async (inner, settlements) =>
        (await inner.settle(settlements)).map((result) => (result.type === 'unknown' ? SETTLED : result)),
    },
  },
  {
    name: 'settles a message whose replacement nobody took',
    fails: /in the place of one/,
    breakage: {
      async settle(inner, settlements) {
        await inner.settle(settlements)
        const results = await inner.settle(settlements.map(({ delivery }) => ({ delivery, verdict: DONE })))
        return results.map(() => SETTLED)
      },
    },
  },
  {
    name: 'drops dead letters',
    fails: /keeps dead letters/,
    breakage: {
      settle: (inner, settlements) =>
        inner.settle(settlements.map((each) => (each.verdict.type === 'dead' ? { ...each, verdict: DONE } : each))),
    },
  },
  {
    name: 'does not tell what a lost connection has orphaned',
    fails: /names the deliveries that are orphaned/,
    breakage: { subscribe: (options) => ({ ...options, lost: () => {} }) },
  },
  {
    name: 'says of what it cannot know that it is held',
    fails: /under way when the connection was lost/,
    breakage: {
      async publish(inner, messages) {
        const [first, ...others] = messages
        if (first?.id.includes('-') !== true) return await inner.publish(messages)
        return [HELD, ...(await inner.publish(others))]
      },
    },
  },
]

/** A rig over the memory broker, broken so; its waits are short because nothing in it takes time. */
function rig(breakage: Breakage): () => Promise<BrokerRig> {
  return async () => {
    const store = memoryStore()
    return {
      attach: () => Promise.resolve(new BrokenBroker(new CuttableBroker(() => memory(store)), breakage)),
      cut: (broker) => {
        assert.ok(broker instanceof BrokenBroker && broker.inner instanceof CuttableBroker)
        return broker.inner.cut()
      },
      restart: 'nothing of it outlives the process',
      quietMs: 10,
      patienceMs: 300,
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }
  }
}

describe('the conformance suite for brokers', () => {
  it('passes a broker that does nothing wrong', async () => {
    for (const brokerCase of brokerCases) await playBrokerCase(brokerCase, rig({}))
  })

  for (const { name, fails, breakage } of BROKEN) {
    it(`notices one that ${name}`, async () => {
      const suspects = brokerCases.filter((each) => fails.test(each.name))
      assert.notEqual(suspects.length, 0, 'no case is named so')
      for (const brokerCase of suspects) {
        await assert.rejects(playBrokerCase(brokerCase, rig(breakage)), brokerCase.name)
      }
    })
  }
})

function without(field: keyof Message, message: Message): Message {
  const { [field]: _, ...others } = message
  return others as Message
}
