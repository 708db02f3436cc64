import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Limiters } from '../../lib/limiter.ts'
import type { RateLimit } from '../../lib/rate-meter.ts'

const START = 1_700_000_000_000

/** Most are whole fractions, as people write them. */
const rate: fc.Arbitrary<RateLimit> = fc.record({
  limit: fc.constantFrom(1, 2, 3, 5, 10, 20),
  perMs: fc.oneof(fc.constantFrom(100, 200, 500, 1_000), fc.integer({ min: 1, max: 1_000 })),
  burst: fc.nat(2),
})

describe('a limiter that nobody has any more', () => {
  it('is forgotten at the millisecond at which its rate is full, and not before', () => {
    fc.assert(
      fc.property(rate, fc.array(fc.nat(30), { minLength: 1, maxLength: 5 }), (rule, gaps) => {
        const limiters = new Limiters()
        const limiter = limiters.get({ name: 'a' }, { rate: rule }, START)
        limiters.join(limiter)
        let now = START
        for (const gap of gaps) {
          now += gap
          limiters.enter([limiter], 'reserved', now)
          limiters.started([limiter], now, now)
          limiters.exit([limiter], 'started', now)
        }
        limiters.leave(limiter, now)
        for (; limiters.size > 0; now++) {
          const isFull = limiter.meter?.isFull(now)
          // One that is kept and is due all the same would be looked at for ever.
          assert.equal(limiter.coolAt <= now, isFull, `at ${now - START} ms`)
          limiters.pass(now)
          assert.equal(limiters.size, isFull ? 0 : 1, `at ${now - START} ms`)
        }
        assert.deepEqual(limiters.forgotten, ['a'])
      }),
    )
  })
})
