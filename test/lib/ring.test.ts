import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { Ring } from '../../lib/ring.ts'
import { bytesHeld, collectGarbage } from '../helpers/garbage.ts'

type Step = { readonly type: 'push' | 'pushFront' | 'shift'; readonly times: number } | { readonly type: 'clear' }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ type: fc.constantFrom('push', 'pushFront', 'shift'), times: fc.nat(100) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('clear' as const) }) },
)

function apply(step: Step, ring: Ring<number>, model: number[], next: () => number): void {
  if (step.type === 'clear') {
    ring.clear()
    model.length = 0
    return
  }
  for (let time = 0; time < step.times; time++) {
    if (step.type === 'shift') {
      assert.equal(ring.shift(), model.shift())
      continue
    }
    const item = next()
    ring[step.type](item)
    if (step.type === 'push') model.push(item)
    else model.unshift(item)
  }
}

describe('a ring', () => {
  it('is, to whoever uses it, an array with two ends', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const ring = new Ring<number>()
        const model: number[] = []
        let made = 0
        for (const each of steps) {
          apply(each, ring, model, () => ++made)
          assert.equal(ring.length, model.length)
          assert.equal(ring.peek(), model[0])
          assert.equal(ring.last(), model.at(-1))
        }
        assert.deepEqual([...ring], model)
      }),
    )
  })

  it('holds undefined like anything else', () => {
    const ring = new Ring<number | undefined>()
    ring.push(undefined)
    ring.push(1)
    assert.equal(ring.length, 2)
    assert.equal(ring.shift(), undefined)
    assert.equal(ring.shift(), 1)
    assert.equal(ring.length, 0)
  })

  it('lets go of what was taken out', async () => {
    const ring = new Ring<object>()
    const taken = add(ring)
    const held = add(ring)
    ring.shift()
    // What a WeakRef was made of is kept until the loop has turned.
    await turn()
    collectGarbage()
    assert.equal(taken.deref(), undefined)
    assert.ok(held.deref(), 'the control')
  })

  it('gives back the room that a burst needed', () => {
    const ring = new Ring<number>()
    for (let item = 0; item < 1_000_000; item++) ring.push(item)
    const full = bytesHeld()
    while (ring.length > 1) ring.shift()
    assert.ok(full - bytesHeld() > 6_000_000)
    assert.equal(ring.shift(), 999_999)
  })
})

/** In a frame of its own, so that no local variable keeps the item. */
function add(ring: Ring<object>): WeakRef<object> {
  const item = {}
  ring.push(item)
  return new WeakRef(item)
}
