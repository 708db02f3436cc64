import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ManualClock } from '../../../lib/manual-clock.ts'
import { Looks } from '../../../runtime/places/looks.ts'

/** Looks that take so long each, while there is anything to look at. */
function looksOf(tookMs: () => number) {
  const clock = new ManualClock()
  const at: number[] = []
  let jobs = 1
  const looks = new Looks({
    clock,
    wanted: () => jobs > 0,
    look() {
      at.push(clock.monotonicMs())
      clock.advance(tookMs())
    },
  })
  return { clock, at, looks, empty: () => void (jobs = 0) }
}

describe('looks at what runs', () => {
  it('come every 5 ms while anything does, and not twice as often when started again', () => {
    const { clock, at, looks, empty } = looksOf(() => 0)
    const begun = clock.monotonicMs()
    looks.start()
    looks.start()
    clock.advance(16)
    assert.deepEqual(
      at.map((ms) => ms - begun),
      [5, 10, 15],
    )
    empty()
    clock.advance(100)
    assert.equal(at.length, 4)
    looks.start()
    clock.advance(100)
    assert.equal(at.length, 4, 'there is nothing to look at')
  })

  it('come less often where they take long: a twentieth of the loop at most, and every 50 ms at least', () => {
    for (const [tookMs, apartMs] of [
      [0.1, 5.1],
      [1, 21],
      [2, 42],
      [40, 90],
    ] as const) {
      const { clock, at, looks } = looksOf(() => tookMs)
      looks.start()
      clock.advance(500)
      looks.stop()
      const [, second = 0, third = 0] = at
      assert.ok(Math.abs(third - second - apartMs) < 1e-6, `${tookMs}: ${third - second}`)
    }
  })

  it('end when they are stopped', () => {
    const { clock, at, looks } = looksOf(() => 0)
    looks.start()
    looks.stop()
    clock.advance(100)
    assert.deepEqual(at, [])
  })
})
