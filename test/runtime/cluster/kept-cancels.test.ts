import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { PublishResult } from '../../../lib/broker.ts'
import { MillraceError } from '../../../lib/errors.ts'
import { PATIENCE_MS } from '../../../runtime/cluster/kept-cancels.ts'
import { ClusterScene } from '../../helpers/cluster-scene.ts'

const A = 'abc123-1'
const B = 'abc123-2'

function isReady(ready: Promise<void>): Promise<boolean> {
  return Promise.race([ready.then(() => true), new Promise<false>((resolve) => setImmediate(() => resolve(false)))])
}

describe('a cancel', () => {
  it('reaches every node that is there', async () => {
    await using scene = new ClusterScene()
    const one = await scene.node('one')
    const two = await scene.node('two')
    await one.cluster.keep([A, B], 0, 'all')
    await scene.settled()
    assert.deepEqual(two.cancelled, [A, B])
    assert.deepEqual(one.cancelled, [])
  })

  it('goes with others that are kept at the same time', async () => {
    await using scene = new ClusterScene()
    const one = await scene.node('one')
    const two = await scene.node('two')
    const { publish } = one.broker
    let messages = 0
    one.broker.publish = (group) => {
      messages += group.length
      return publish.call(one.broker, group)
    }
    const ids = Array.from({ length: 2_500 }, (_, at) => `abc123-${at}`)
    await Promise.all(ids.map((id) => one.cluster.keep([id], 0, 'all')))
    await scene.settled()
    assert.ok(messages <= 4, String(messages))
    assert.deepEqual(two.cancelled, ids)
  })

  it('is kept for a node that is down, which has written it down before it is ready', async () => {
    await using scene = new ClusterScene()
    const one = await scene.node('one')
    const two = await scene.node('two')
    await scene.settled()
    await two.stop()
    await one.cluster.keep([A], 0, 'all')
    let write: () => void = () => {}
    const written = new Promise<void>((resolve) => (write = resolve))
    const again = await scene.node('two', { cancel: () => written })
    assert.equal(await isReady(again.cluster.ready), false)
    write()
    await again.cluster.ready
    assert.deepEqual(again.cancelled, [A])
  })

  it('is kept for a node that this one knows only from before its own restart', async () => {
    await using scene = new ClusterScene()
    const one = await scene.node('one')
    const two = await scene.node('two')
    await scene.pass(6_000)
    await two.stop()
    await one.stop()
    const anew = await scene.node('one')
    await anew.cluster.keep([A], 0, 'all')
    const again = await scene.node('two')
    await again.cluster.ready
    assert.deepEqual(again.cancelled, [A])
  })

  it('is read again until it could be written down', async () => {
    await using scene = new ClusterScene()
    const one = await scene.node('one')
    let tries = 0
    const two = await scene.node('two', {
      cancel: () => (++tries < 3 ? Promise.reject(new Error('the disk is full')) : Promise.resolve()),
    })
    await one.cluster.keep([A], 0, 'all')
    await scene.pass(3_000)
    assert.equal(tries, 3)
    assert.deepEqual(two.cancelled, [A])
    assert.equal(two.failed.length, 2)
  })

  it('rejects where it is not held', async () => {
    await using scene = new ClusterScene()
    const one = await scene.node('one')
    await scene.node('two')
    await scene.settled()
    const error = new MillraceError('MILLRACE_BROKER_LOST', 'it is away')
    const lost: PublishResult = { type: 'unconfirmed', error }
    one.broker.publish = (messages) => Promise.resolve(messages.map(() => lost))
    await assert.rejects(one.cluster.keep([A], 0, 'all'), { code: 'MILLRACE_BROKER_LOST' })
  })
})

describe('a node that starts', () => {
  it('is ready at once where nothing was kept for it', async () => {
    await using scene = new ClusterScene()
    const one = await scene.node('one')
    assert.equal(await isReady(one.cluster.ready), true)
  })

  it('passes over markers of its earlier lives', async () => {
    await using scene = new ClusterScene()
    const one = await scene.node('one')
    await one.kill()
    const again = await scene.node('one')
    await again.cluster.ready
    assert.deepEqual(again.refused, [])
  })

  it('waits for as long as the broker is away, and for a while where only its control is', async () => {
    await using scene = new ClusterScene()
    const one = await scene.node('one', { broker: scene.unconfirming() })
    await scene.pass(PATIENCE_MS - 1)
    assert.equal(await isReady(one.cluster.ready), false)
    await scene.pass(1)
    assert.equal(await isReady(one.cluster.ready), true)
    assert.match(one.failed[0]?.message ?? '', /kept for this node cannot be read/)
  })
})
