import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { memory, memoryStore } from '../../adapters/memory/index.ts'
import { brokerConformance } from '../../conformance/index.ts'
import type { Delivery, QueueSpec } from '../../lib/broker.ts'
import { CONTROL_PREFIX, divided } from '../../lib/divided.ts'
import { cuttableRig } from '../helpers/broker-rigs.ts'

brokerConformance('divided into two', async () => {
  const [work, control] = [memoryStore(), memoryStore()]
  return cuttableRig(() => divided({ work: memory(work), control: memory(control) }))
})

const QUEUES: readonly QueueSpec[] = [
  { name: 'work', kind: 'work' },
  { name: 'control.work', kind: 'work' },
  { name: 'fan', kind: 'fan' },
  { name: 'replies', kind: 'reply', expiresMs: 1_000, most: 10 },
  { name: `${CONTROL_PREFIX}replies`, kind: 'reply', expiresMs: 1_000, most: 10 },
]

describe('a divided broker', () => {
  /** Which of two stores, watched from the side, had a message to each of the queues. */
  async function seenBy(watched: 'work' | 'control'): Promise<readonly string[]> {
    const stores = { work: memoryStore(), control: memoryStore() }
    const whole = divided({ work: memory(stores.work), control: memory(stores.control) })
    const side = memory(stores[watched])
    await Promise.all([whole, side].map((broker) => broker.open({ queues: QUEUES, tell: () => {} })))
    const seen: string[] = []
    const deliver = ({ queue }: Delivery) => seen.push(queue)
    for (const { name } of QUEUES) side.subscribe(name, { prefetch: 10, deliver, lost: () => {} })
    const group = QUEUES.map(({ name }) => ({ id: name, queue: name, body: Buffer.from(name) }))
    await whole.publish(group)
    await turn()
    await Promise.all([whole.close(), side.close()])
    return seen.sort()
  }

  it('has fans, and reply queues of control, on the one part', async () => {
    assert.deepEqual(await seenBy('control'), ['control.replies', 'fan'])
  })

  it('has all others on the other part, whatever they are called', async () => {
    assert.deepEqual(await seenBy('work'), ['control.work', 'replies', 'work'])
  })

  it('reaches the control queue of another node, which it has not named itself', async () => {
    const store = memoryStore()
    const [asking, asked] = [1, 2].map(() => divided({ work: memory(), control: memory(store) }))
    await asking?.open({ queues: [], tell: () => {} })
    await asked?.open({ queues: QUEUES, tell: () => {} })
    const body = Buffer.from('x')
    assert.deepEqual(await asking?.publish([{ id: 'a', queue: 'control.replies', body }]), [{ type: 'held' }])
    assert.deepEqual(await asking?.publish([{ id: 'a', queue: 'replies', body }]), [{ type: 'unroutable' }])
    await Promise.all([asking?.close(), asked?.close()])
  })

  it('answers each message of a mixed group in its place', async () => {
    const whole = divided({ work: memory(), control: memory() })
    await whole.open({ queues: QUEUES, tell: () => {} })
    const names = ['work', 'fan', 'nowhere', 'control.replies', 'control.nowhere', 'work']
    const results = await whole.publish(names.map((queue, at) => ({ id: `m${at}`, queue, body: Buffer.from('') })))
    assert.deepEqual(
      results.map(({ type }) => type),
      ['held', 'unroutable', 'unroutable', 'held', 'unroutable', 'held'],
    )
    await whole.close()
  })

  it('has control where that part has it, and all else as the other part has', () => {
    const without = memory()
    Object.assign(without, { supports: { ...without.supports, control: false, priorities: 1 } })
    assert.equal(divided({ work: without, control: memory() }).supports.control, true)
    assert.equal(divided({ work: without, control: memory() }).supports.priorities, 1)
    assert.equal(divided({ work: memory(), control: without }).supports.control, false)
  })
})
