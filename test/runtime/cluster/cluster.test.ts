import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { memory } from '../../../adapters/memory/index.ts'
import { answersQueue, CONTROL_QUEUE, type ControlMessage, controlQueues } from '../../../lib/control-message.ts'
import { MillraceError } from '../../../lib/errors.ts'
import type { Clock } from '../../../lib/clock.ts'
import { ClusterScene, factsOf } from '../../helpers/cluster-scene.ts'

const ALL = { nodes: 'all', timeoutMs: 2_000 } as const

/** Somebody else on the broker, who may send anything. */
async function stranger(scene: ClusterScene) {
  const broker = memory(scene.store)
  await broker.open({ queues: controlQueues('stranger'), tell: () => {} })
  const send = (body: unknown, queue = CONTROL_QUEUE) =>
    broker.publish([{ id: 'x', queue, body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)) }])
  return { broker, send }
}

describe('nodes on one broker', () => {
  it('know each other as soon as they have started, with what each tells of itself', async () => {
    await using scene = new ClusterScene()
    const one = await scene.node('one')
    const two = await scene.node('two')
    await scene.pass(1_000)
    for (const { cluster } of [one, two]) {
      assert.deepEqual(
        cluster.nodes().map(({ node, status, facts }) => [node, status, facts]),
        [
          ['one', 'answers', factsOf('one')],
          ['two', 'answers', factsOf('two')],
        ],
      )
    }
    assert.deepEqual(one.statuses, [['two', 'answers']])
  })

  it('hear of none that does not hear them yet', async () => {
    await using scene = new ClusterScene()
    const one = await scene.node('one')
    const broker = memory(scene.store)
    const subscribe = broker.subscribe.bind(broker)
    let begin: () => void = () => {}
    const begun = new Promise<void>((resolve) => (begin = resolve))
    broker.subscribe = (queue, options) => Object.assign(subscribe(queue, options), { begun })
    await scene.node('two', { broker })
    await scene.pass(6_000)
    assert.equal(one.statusOf('two'), undefined)
    begin()
    await scene.settled()
    assert.equal(one.statusOf('two'), 'answers')
  })

  it('see one that hangs as late, then as gone, and back', async () => {
    await using scene = new ClusterScene()
    const one = await scene.node('one')
    const two = await scene.node('two')
    await scene.pass(5_000)
    two.mute()
    await scene.pass(60_000)
    assert.equal(one.statusOf('two'), 'gone')
    two.unmute()
    await scene.pass(5_000)
    assert.deepEqual(
      one.statuses.map(([, status]) => status),
      ['answers', 'late', 'gone', 'answers'],
    )
    assert.equal(one.statusOf('one'), 'answers')
  })

  it('see one that has stopped as gone at once', async () => {
    await using scene = new ClusterScene()
    const one = await scene.node('one')
    const two = await scene.node('two')
    await two.stop()
    await scene.settled()
    assert.equal(one.statusOf('two'), 'gone')
  })

  it('remember over a restart who was there', async () => {
    await using scene = new ClusterScene()
    const one = await scene.node('one')
    const two = await scene.node('two')
    await scene.pass(6_000)
    await one.stop()
    await two.stop()
    await scene.pass(3_600_000)
    const again = await scene.node('one')
    assert.deepEqual(
      again.cluster.nodes().map(({ node, status, facts }) => [node, status, facts !== undefined]),
      [
        ['one', 'answers', true],
        ['two', 'gone', false],
      ],
    )
    await scene.pass(24 * 3_600_000)
    assert.equal(again.statusOf('two'), undefined)
  })

  it('do not take others for gone because they were stopped themselves', async () => {
    await using scene = new ClusterScene()
    let stoppedMs = 0
    const { clock } = scene
    const own: Clock = {
      now: () => clock.now() + stoppedMs,
      monotonicMs: () => clock.monotonicMs() + stoppedMs,
      setTimer: (delayMs, callback) => clock.setTimer(delayMs, callback),
      setAlarm: (at, callback) => clock.setAlarm(at, callback),
      setImmediate: (callback) => clock.setImmediate(callback),
    }
    const one = await scene.node('one', { clock: own })
    await scene.node('two')
    await scene.pass(7_000)
    stoppedMs = 60_000
    // Its own beat comes first, as after SIGCONT.
    await scene.pass(20_000)
    assert.deepEqual(one.statuses, [['two', 'answers']])
  })
})

describe('a question to nodes', () => {
  it('has one answer for each that is known', async () => {
    await using scene = new ClusterScene()
    const one = await scene.node('one', { carryOut: async () => 'from one' })
    await scene.node('two', { carryOut: async ({ verb }) => ({ verb }) })
    await scene.node('three', {
      carryOut: () => Promise.reject(new MillraceError('MILLRACE_UNKNOWN_PLACE', 'there is none', { path: 'place' })),
    })
    const four = await scene.node('four')
    const five = await scene.node('five')
    await four.stop()
    five.mute()
    await scene.settled()
    const asked = one.cluster.ask({ verb: 'ping' }, ALL)
    await scene.pass(2_000)
    const answers = new Map((await asked).map((answer) => [answer.node, answer]))
    assert.deepEqual(answers.get('one'), { node: 'one', type: 'answered', answer: 'from one' })
    assert.deepEqual(answers.get('two'), { node: 'two', type: 'answered', answer: { verb: 'ping' } })
    assert.deepEqual(answers.get('four'), { node: 'four', type: 'gone' })
    assert.deepEqual(answers.get('five'), { node: 'five', type: 'late' })
    const three = answers.get('three')
    assert.ok(three?.type === 'failed')
    assert.equal(three.error.code, 'MILLRACE_UNKNOWN_PLACE')
    assert.equal(answers.size, 5)
  })

  it('ends when all have answered that are not gone', async () => {
    await using scene = new ClusterScene()
    const one = await scene.node('one')
    const two = await scene.node('two')
    await two.stop()
    await scene.settled()
    const answers = await one.cluster.ask({ verb: 'ping' }, { nodes: 'all', timeoutMs: 600_000 })
    assert.deepEqual(
      answers.map(({ type }) => type),
      ['answered', 'gone'],
    )
  })

  it('reaches only those that are named, and refuses to ask a stranger', async () => {
    await using scene = new ClusterScene()
    const one = await scene.node('one')
    const two = await scene.node('two')
    const three = await scene.node('three')
    assert.equal((await one.cluster.ask({ verb: 'ping' }, { nodes: ['three'], timeoutMs: 2_000 })).length, 1)
    assert.deepEqual([one.asked.length, two.asked.length, three.asked.length], [0, 0, 1])
    await assert.rejects(one.cluster.ask({ verb: 'ping' }, { nodes: ['nobody'], timeoutMs: 1 }), {
      code: 'MILLRACE_INVALID_OPTION',
      path: 'nodes',
    })
  })

  it('is carried out once although it comes twice, and not at all where it is too old', async () => {
    await using scene = new ClusterScene()
    const one = await scene.node('one')
    const { broker, send } = await stranger(scene)
    const ask = { type: 'ask', id: 'q', from: 'stranger', nodes: 'all', request: { verb: 'ping' }, timeoutMs: 1_000 }
    const replies: ControlMessage[] = []
    broker.subscribe(answersQueue('stranger'), {
      prefetch: 10,
      deliver: ({ body }) => replies.push(JSON.parse(Buffer.from(body).toString()) as ControlMessage),
      lost: () => {},
    })
    await send({ ...ask, sentAt: scene.clock.now() })
    await send({ ...ask, sentAt: scene.clock.now() })
    await send({ ...ask, id: 'old', sentAt: scene.clock.now() - 40_000 })
    await scene.settled()
    assert.equal(one.asked.length, 1)
    assert.equal(replies.length, 1)
    await broker.close()
  })

  it('rejects where it cannot be sent', async () => {
    await using scene = new ClusterScene()
    const one = await scene.node('one', { broker: scene.unconfirming() })
    await assert.rejects(one.cluster.ask({ verb: 'ping' }, ALL), { code: 'MILLRACE_BROKER_LOST' })
  })

  it('is not answered by those who were not asked, nor twice', async () => {
    await using scene = new ClusterScene()
    const one = await scene.node('one')
    const two = await scene.node('two')
    two.mute()
    const { broker, send } = await stranger(scene)
    const asks: { id: string }[] = []
    broker.subscribe(CONTROL_QUEUE, {
      prefetch: 10,
      deliver: ({ body }) => {
        const message = JSON.parse(Buffer.from(body).toString()) as ControlMessage
        if (message.type === 'ask') asks.push(message)
      },
      lost: () => {},
    })
    const asked = one.cluster.ask({ verb: 'ping' }, ALL)
    await scene.settled()
    const forged = { type: 'answer', id: asks[0]?.id, reply: { type: 'answered', answer: 'forged' } }
    await send({ ...forged, node: 'one' }, answersQueue('one'))
    await send({ ...forged, node: 'three' }, answersQueue('one'))
    await scene.pass(2_000)
    assert.deepEqual(await asked, [
      { node: 'one', type: 'answered', answer: null },
      { node: 'two', type: 'late' },
    ])
    await broker.close()
  })

  it('fails where the answer is too large to be sent', async () => {
    await using scene = new ClusterScene()
    const one = await scene.node('one', { carryOut: async () => 'x'.repeat(300_000) })
    const [answer] = await one.cluster.ask({ verb: 'places' }, ALL)
    assert.equal(answer?.type, 'failed')
  })
})

describe('what others send', () => {
  it('is told where it cannot be used, and changes nothing', async () => {
    await using scene = new ClusterScene()
    const one = await scene.node('one')
    const { broker, send } = await stranger(scene)
    await send('no json')
    await send({ type: 'beat', node: 'x', facts: {} })
    await send({ type: 'left', node: 'one' })
    await send({ type: 'beat', node: 'one', facts: factsOf('elsewhere') })
    await scene.settled()
    assert.equal(one.refused.length, 2)
    assert.deepEqual(
      one.cluster.nodes().map(({ node, status, facts }) => [node, status, facts?.host]),
      [['one', 'answers', 'one']],
    )
    await broker.close()
  })

  it('makes a node write down who is there once a second at most, however many come', async () => {
    await using scene = new ClusterScene()
    let written = 0
    const one = await scene.node('one', { written: () => written++ })
    const { broker, send } = await stranger(scene)
    await scene.pass(2_000)
    written = 0
    for (let at = 0; at < 100; at++) await send({ type: 'beat', node: `n${at}`, facts: factsOf('x') })
    await scene.pass(500)
    assert.equal(one.cluster.nodes().length, 101)
    assert.equal(written, 1)
    await scene.pass(5_000)
    assert.equal(written, 2)
    assert.equal(Object.keys(scene.settings.get('one') as object).length, 101)
    await broker.close()
  })

  it('makes a node beat once a second at most', async () => {
    await using scene = new ClusterScene()
    await scene.node('one')
    const { broker, send } = await stranger(scene)
    let beats = 0
    broker.subscribe(CONTROL_QUEUE, {
      prefetch: 1_000,
      deliver: (delivery) => {
        if (Buffer.from(delivery.body).includes('"beat"')) beats++
        void delivery.from.settle([{ delivery, verdict: { type: 'done' } }])
      },
      lost: () => {},
    })
    await scene.pass(2_000)
    for (let second = 1; second <= 2; second++) {
      for (let at = 0; at < 100; at++) await send({ type: 'who' })
      await scene.pass(1_000)
      // The first of them comes at once.
      assert.ok(beats >= second && beats <= second + 1, String(beats))
    }
    await broker.close()
  })
})
