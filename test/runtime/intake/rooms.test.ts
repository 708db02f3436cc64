import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Subscription } from '../../../lib/broker.ts'
import { ManualClock } from '../../../lib/manual-clock.ts'
import { Rooms, roomOf, steadied } from '../../../runtime/intake/rooms.ts'

describe('the room of a place', () => {
  it('is what it runs at once, or as much as it ends between two looks, up to a bound', () => {
    assert.deepEqual(
      [roomOf(4, 0, 250), roomOf(4, 300, 250), roomOf(4, 9_999, 250), roomOf(20, 3, 250), roomOf(0, 300, 250)],
      [4, 300, 1_000, 20, 0],
    )
    assert.deepEqual([roomOf(4, 30, 25), roomOf(4, 30, 0)], [300, 300])
  })

  it('stays as it is where it is nearly right, and is none at once where nothing starts', () => {
    assert.deepEqual(
      [steadied(100, 149), steadied(100, 151), steadied(100, 51), steadied(100, 49)],
      [100, 151, 100, 49],
    )
    assert.deepEqual([steadied(1, 0), steadied(0, 4), steadied(900, 1_000)], [0, 4, 1_000])
  })

  it('grows as soon as enough has ended, and shrinks only at a look', () => {
    const scene = roomsOf(4)
    scene.rooms.look()
    scene.advance(10, 40)
    scene.rooms.lookForMore()
    assert.deepEqual(scene.prefetches, [4], 'too soon to say')
    scene.advance(15, 10)
    scene.rooms.lookForMore()
    assert.deepEqual(scene.prefetches, [4, 500])
    scene.advance(100, 0)
    scene.rooms.lookForMore()
    assert.deepEqual(scene.prefetches, [4, 500])
    scene.rooms.look()
    assert.deepEqual(scene.prefetches, [4, 500, 4])
    scene.rooms.shut()
    assert.deepEqual(scene.prefetches, [4, 500, 4, 0])
  })
})

function roomsOf(parallel: number) {
  const clock = new ManualClock(0)
  const prefetches: number[] = []
  let ended = 0
  const subscription = { setPrefetch: (prefetch: number) => prefetches.push(prefetch) }
  const rooms = new Rooms({
    clock,
    subscriptions: [subscription as unknown as Subscription],
    parallelOf: () => parallel,
    endedOf: () => ended,
  })
  return {
    rooms,
    prefetches,
    advance(ms: number, more: number): void {
      clock.advance(ms)
      ended += more
    },
  }
}
