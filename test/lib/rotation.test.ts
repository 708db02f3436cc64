import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { memory, memoryStore } from '../../adapters/memory/index.ts'
import { brokerConformance } from '../../conformance/index.ts'
import {
  HELD,
  type Broker,
  type BrokerEvent,
  type Delivery,
  type Message,
  type PublishResult,
} from '../../lib/broker.ts'
import { MillraceError } from '../../lib/errors.ts'
import { ManualClock } from '../../lib/manual-clock.ts'
import { FIRST_PAUSE_MS, rotation } from '../../lib/rotation.ts'
import { CuttableBroker } from '../helpers/cuttable-broker.ts'

brokerConformance('of two brokers in rotation', async () => {
  const stores = [memoryStore(), memoryStore()]
  const members = new Map<Broker, readonly CuttableBroker[]>()
  return {
    async attach() {
      const brokers = stores.map((store) => new CuttableBroker(() => memory(store)))
      const both = rotation(brokers, { timeoutMs: 1_000 })
      members.set(both, brokers)
      return both
    },
    async cut(broker) {
      await Promise.all((members.get(broker) ?? []).map((member) => member.cut()))
    },
    restart: 'nothing of it outlives the process',
    quietMs: 10,
    patienceMs: 2_000,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
})

const QUEUES = [{ name: 'work', kind: 'work' }] as const
const TIMEOUT_MS = 5_000

/** A broker whose answers the test gives. */
class Scripted implements Broker {
  readonly supports = memory().supports
  readonly groups: { readonly ids: readonly string[]; answer(result: PublishResult): void }[] = []
  #tell: (event: BrokerEvent) => void = () => {}

  open({ tell }: { readonly tell: (event: BrokerEvent) => void }): Promise<void> {
    this.#tell = tell
    return Promise.resolve()
  }

  tell(event: BrokerEvent): void {
    this.#tell(event)
  }

  publish(messages: readonly Message[]): Promise<readonly PublishResult[]> {
    return new Promise((resolve) => {
      this.groups.push({
        ids: messages.map(({ id }) => id),
        answer: (result) => resolve(messages.map(() => result)),
      })
    })
  }

  subscribe(): never {
    throw new Error('nobody subscribes here')
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

interface Setup {
  readonly clock: ManualClock
  readonly both: Broker
  readonly left: Scripted
  readonly right: Scripted
}

async function setUp(test: TestContext): Promise<Setup> {
  const clock = new ManualClock()
  const [left, right] = [new Scripted(), new Scripted()]
  const both = rotation([left, right], { timeoutMs: TIMEOUT_MS, clock })
  await both.open({ queues: QUEUES, tell: () => {} })
  for (const broker of [left, right]) broker.tell({ type: 'up', link: 'a' })
  test.after(() => both.close())
  return { clock, both, left, right }
}

const error = new MillraceError('MILLRACE_BROKER_LOST', 'lost in a test')
const DOWN: BrokerEvent = { type: 'down', link: 'a', error, retryMs: 1 }
const UNCONFIRMED: PublishResult = { type: 'unconfirmed', error }

function group(...ids: readonly string[]): readonly Message[] {
  return ids.map((id) => ({ id, queue: 'work', body: Buffer.alloc(0) }))
}

function groupsOf(...brokers: readonly Scripted[]): readonly number[] {
  return brokers.map(({ groups }) => groups.length)
}

describe('brokers in rotation', () => {
  it('gives each group to the one with the fewest messages under way', async (test) => {
    const { both, left, right } = await setUp(test)
    void both.publish(group('a', 'b', 'c'))
    for (const id of ['d', 'e', 'f']) void both.publish(group(id))
    assert.deepEqual(groupsOf(left, right), [1, 3])
    void both.publish(group('g'))
    void both.publish(group('h'))
    assert.deepEqual(
      [...left.groups, ...right.groups]
        .flatMap(({ ids }) => ids)
        .sort()
        .join(''),
      'abcdefgh',
    )
    assert.ok(left.groups.length > 1)
  })

  it('sends what one has not confirmed to another, with the same ids, and only that', async (test) => {
    const { both, left, right } = await setUp(test)
    const results = both.publish(group('a', 'b'))
    left.groups[0]?.answer(UNCONFIRMED)
    await turn()
    assert.deepEqual(right.groups[0]?.ids, ['a', 'b'])
    right.groups[0]?.answer(HELD)
    assert.deepEqual(await results, [HELD, HELD])
  })

  it('leaves one out that has failed, for longer each time, and then tries it with one group', async (test) => {
    const { clock, both, left, right } = await setUp(test)
    void both.publish(group('a'))
    left.groups[0]?.answer(UNCONFIRMED)
    await turn()
    for (const id of ['b', 'c', 'd']) void both.publish(group(id))
    assert.equal(left.groups.length, 1)
    clock.advance(FIRST_PAUSE_MS)
    for (const id of ['e', 'f']) void both.publish(group(id))
    assert.deepEqual([left.groups.length, left.groups[1]?.ids], [2, ['e']])
    left.groups[1]?.answer(UNCONFIRMED)
    await turn()
    clock.advance(FIRST_PAUSE_MS)
    void both.publish(group('g'))
    assert.equal(left.groups.length, 2, 'it was tried too soon')
    clock.advance(FIRST_PAUSE_MS)
    void both.publish(group('h'))
    left.groups[2]?.answer(HELD)
    await turn()
    void both.publish(group('i'))
    void both.publish(group('j'))
    assert.equal(left.groups.length, 5, 'it is not back after a success')
    assert.ok(right.groups.length > 0)
  })

  it('leaves out one that is down or blocked, and takes it again when it is back', async (test) => {
    const { both, left, right } = await setUp(test)
    left.tell({ type: 'blocked', link: 'a', reason: 'memory' })
    for (const id of ['a', 'b']) void both.publish(group(id))
    assert.deepEqual(groupsOf(left, right), [0, 2])
    left.tell({ type: 'unblocked', link: 'a' })
    right.tell(DOWN)
    for (const id of ['c', 'd']) void both.publish(group(id))
    assert.deepEqual(groupsOf(left, right), [2, 2])
  })

  it('waits for one to come, up to the time-out, and then says that nothing is confirmed', async (test) => {
    const { clock, both, left, right } = await setUp(test)
    for (const broker of [left, right]) broker.tell(DOWN)
    const [waits, inVain] = [both.publish(group('a')), both.publish(group('b'))]
    await turn()
    right.tell({ type: 'up', link: 'a' })
    await turn()
    assert.deepEqual(
      right.groups.map(({ ids }) => ids),
      [['a'], ['b']],
    )
    right.groups[0]?.answer(HELD)
    assert.deepEqual(await waits, [HELD])
    right.tell(DOWN)
    right.groups[1]?.answer(UNCONFIRMED)
    assert.deepEqual((await inVain)[0]?.type, 'unconfirmed')
    const late = both.publish(group('c'))
    await turn()
    clock.advance(TIMEOUT_MS)
    assert.deepEqual(
      (await late).map(({ type }) => type),
      ['unconfirmed'],
    )
  })

  it('answers what waits when it is closed', async (test) => {
    const { both, left, right } = await setUp(test)
    for (const broker of [left, right]) broker.tell(DOWN)
    const waits = both.publish(group('a'))
    await both.close()
    assert.deepEqual(
      (await waits).map(({ type }) => type),
      ['unconfirmed'],
    )
  })

  it('gives the room of one that is down to the others', async () => {
    const stores = [memoryStore(), memoryStore()] as const
    const cuttables = stores.map((store) => new CuttableBroker(() => memory(store)))
    const both = rotation(cuttables, { timeoutMs: 100 })
    const tells: ((event: BrokerEvent) => void)[] = []
    for (const member of cuttables) {
      const open = member.open.bind(member)
      member.open = async (options) => {
        tells.push(options.tell)
        await open(options)
      }
    }
    await both.open({ queues: QUEUES, tell: () => {} })
    const deliveries: Delivery[] = []
    both.subscribe('work', { prefetch: 5, deliver: (delivery) => deliveries.push(delivery), lost: () => {} })
    for (const [at, store] of stores.entries()) {
      const sender = memory(store)
      await sender.open({ queues: QUEUES, tell: () => {} })
      await sender.publish(Array.from({ length: 9 }, (_, each) => group(`${at}-${each}`)).flat())
    }
    await turn()
    assert.equal(deliveries.length, 5)
    tells[0]?.(DOWN)
    await turn()
    assert.ok(deliveries.filter(({ id }) => id.startsWith('1-')).length === 5)
    await both.close()
  })
})
