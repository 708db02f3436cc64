import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Heap } from '../../lib/heap.ts'

interface Item {
  key: number
  at: number
}

type Step = { readonly type: 'add' | 'remove' | 'change' | 'shift'; readonly pick: number; readonly key: number }

const step: fc.Arbitrary<Step> = fc.record({
  type: fc.constantFrom('add' as const, 'add' as const, 'remove' as const, 'change' as const, 'shift' as const),
  pick: fc.nat(1_000),
  key: fc.integer({ min: 0, max: 20 }),
})

function play(steps: readonly Step[], check: (heap: Heap<'at', Item>, kept: readonly Item[]) => void): void {
  const heap = new Heap<'at', Item>('at', (a, b) => a.key < b.key)
  let kept: Item[] = []
  for (const { type, pick, key } of steps) {
    const item = type === 'shift' ? heap.first : type === 'add' ? { key, at: -1 } : kept[pick % kept.length]
    if (item === undefined) continue
    if (type === 'add' || type === 'change') {
      item.key = key
      heap.put(item)
      if (type === 'add') kept.push(item)
    } else {
      heap.remove(item)
      heap.remove(item)
      kept = kept.filter((each) => each !== item)
      assert.equal(heap.has(item), false)
    }
    assert.ok(kept.every((each) => heap.has(each)))
    check(heap, kept)
  }
}

describe('a heap', () => {
  it('has the least of what it holds in front, whatever is added, taken out and changed', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        play(steps, (heap, kept) => {
          assert.equal(heap.size, kept.length)
          assert.equal(heap.first?.key, kept.length === 0 ? undefined : Math.min(...kept.map(({ key }) => key)))
        })
      }),
    )
  })

  it('asks for its order a number of times that grows as the logarithm of its size', () => {
    const asked = (size: number) => {
      let count = 0
      const heap = new Heap<'at', Item>('at', (a, b) => {
        count++
        return a.key < b.key
      })
      const items = Array.from({ length: size }, (_, key): Item => ({ key: (key * 7_919) % size, at: -1 }))
      for (const item of items) heap.put(item)
      count = 0
      for (const item of items.slice(0, 1_000)) {
        item.key += size / 2
        heap.put(item)
      }
      return count / 1_000
    }
    assert.ok(asked(100_000) < asked(1_000) * 2, `${asked(1_000)} and ${asked(100_000)}`)
  })
})
