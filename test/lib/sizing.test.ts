import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  GROW_PAUSE_MS,
  nextSize,
  QUIET_FOR_MS,
  type SizeChange,
  type SizeLimits,
  sizeState,
  SLOW_FOR_MS,
  SLOW_WAIT_MS,
} from '../../lib/sizing.ts'

interface Step {
  readonly afterMs: number
  readonly waitMs: number
  readonly busy: number
}

interface Change {
  readonly at: number
  readonly change: Exclude<SizeChange, 'stay'>
  readonly threads: number
}

function changesOf(steps: readonly Step[], limits: SizeLimits): { changes: Change[]; sizes: number[] } {
  const changes: Change[] = []
  const sizes: number[] = []
  let at = 0
  let state = sizeState(limits.min, at)
  for (const { afterMs, waitMs, busy } of steps) {
    at += afterMs
    const [change, next] = nextSize(state, { at, waitMs, busy: Math.min(busy, state.threads) }, limits)
    state = next
    sizes.push(state.threads)
    if (change !== 'stay') changes.push({ at, change, threads: state.threads })
  }
  return { changes, sizes }
}

const limits = fc
  .record({ min: fc.integer({ min: 1, max: 4 }), more: fc.integer({ min: 0, max: 6 }) })
  .map(({ min, more }) => ({ min, max: min + more }))
const steps = fc.array(
  fc.record({
    afterMs: fc.integer({ min: 1, max: 3_000 }),
    waitMs: fc.integer({ min: 0, max: 4 * SLOW_WAIT_MS }),
    busy: fc.integer({ min: 0, max: 10 }),
  }),
  { maxLength: 300 },
)

const steady = (count: number, waitMs: number, busy: number): Step[] =>
  Array.from({ length: count }, () => ({ afterMs: 250, waitMs, busy }))

describe('the size of a tier', () => {
  it('never leaves its limits, and changes by one', () => {
    fc.assert(
      fc.property(steps, limits, (steps, limits) => {
        let before = limits.min
        for (const size of changesOf(steps, limits).sizes) {
          assert.ok(size >= limits.min && size <= limits.max && Math.abs(size - before) <= 1)
          before = size
        }
      }),
    )
  })

  it('does not flap: after any change nothing shrinks for long, and nothing grows at once', () => {
    fc.assert(
      fc.property(steps, limits, (steps, limits) => {
        const { changes } = changesOf(steps, limits)
        for (let index = 1; index < changes.length; index++) {
          const [before, after] = changes.slice(index - 1, index + 1) as [Change, Change]
          assert.ok(after.at - before.at >= (after.change === 'shrink' ? QUIET_FOR_MS : GROW_PAUSE_MS))
        }
      }),
    )
  })

  it('shrinks only if every reading for that long could have done with a thread less', () => {
    fc.assert(
      fc.property(steps, limits, (steps, limits) => {
        const { changes, sizes } = changesOf(steps, limits)
        for (const { at, change } of changes) {
          if (change !== 'shrink') continue
          let end = 0
          steps.forEach(({ afterMs, busy, waitMs }, index) => {
            end += afterMs
            const threads = sizes[index - 1] ?? limits.min
            if (end >= at - QUIET_FOR_MS && end <= at)
              assert.ok(Math.min(busy, threads) < threads && waitMs <= SLOW_WAIT_MS)
          })
        }
      }),
    )
  })

  it('is not moved by what comes and goes', () => {
    const noise = steady(4_000, 0, 2).map((step, at) => ({ ...step, waitMs: at % 2 === 0 ? 4 * SLOW_WAIT_MS : 0 }))
    assert.deepEqual(changesOf(noise, { min: 2, max: 8 }).changes, [])
    const bursts = steady(4_000, 0, 2).map((step, at) => ({ ...step, waitMs: at % 40 === 0 ? 4 * SLOW_WAIT_MS : 0 }))
    assert.deepEqual(changesOf(bursts, { min: 2, max: 8 }).changes, [])
  })

  it('goes to its limits under what lasts, and stays there', () => {
    fc.assert(
      fc.property(limits, (limits) => {
        const loaded = changesOf(steady(200, 2 * SLOW_WAIT_MS, 10), limits)
        assert.equal(loaded.sizes.at(-1), limits.max)
        assert.ok(loaded.changes.every(({ change }) => change === 'grow'))
        const both = changesOf([...steady(200, 2 * SLOW_WAIT_MS, 10), ...steady(1_000, 0, 0)], limits)
        assert.equal(both.sizes.at(-1), limits.min)
      }),
    )
  })

  it('waits for what is slow to last', () => {
    const { changes } = changesOf(steady(20, 2 * SLOW_WAIT_MS, 10), { min: 1, max: 2 })
    assert.ok((changes[0]?.at ?? 0) >= SLOW_FOR_MS)
  })
})
