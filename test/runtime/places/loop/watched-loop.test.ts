import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { WatchedLoop } from '../../../../runtime/places/loop/watched-loop.ts'

function both() {
  const loop = new WatchedLoop()
  return { loop, watchdog: new WatchedLoop(loop.buffer) }
}

describe('the memory of the watched loop', () => {
  it('says which handler is being called, as long as it is', () => {
    const { loop, watchdog } = both()
    assert.equal(watchdog.present, undefined)
    loop.enter(3, 2 ** 52 + 7, 12.5, 30_000)
    assert.deepEqual(watchdog.present, { call: 1, task: 3, number: 2 ** 52 + 7, startedAt: 12.5, hardLimitMs: 30_000 })
    assert.equal(loop.leave(), 'left')
    assert.equal(watchdog.present, undefined)
  })

  it('gives a call to the one who is first: it returns, or it is condemned', () => {
    const { loop, watchdog } = both()
    loop.enter(0, 1, 0, 1)
    assert.equal(loop.leave(), 'left')
    assert.equal(watchdog.condemn(1), 'lost', 'it has returned')
    loop.enter(0, 2, 0, 1)
    assert.equal(watchdog.condemn(1), 'lost', 'that was an earlier one')
    assert.equal(watchdog.condemn(2), 'condemned')
    assert.equal(watchdog.present, undefined, 'nobody else condemns it again')
    assert.equal(loop.leave(), 'condemned')
  })

  it('remembers a condemned call until it is asked for, once', () => {
    const { loop, watchdog } = both()
    watchdog.condemn(loop.enter(0, 1, 0, 1))
    assert.equal(loop.forget(), 'condemned')
    assert.equal(loop.forget(), 'nothing', 'once')
    loop.enter(0, 2, 0, 1)
    assert.equal(loop.leave(), 'left')
    assert.equal(loop.forget(), 'nothing')
  })

  it('carries the beat', () => {
    const { loop, watchdog } = both()
    loop.beat()
    loop.beat()
    assert.equal(watchdog.beats, 2)
  })
})
