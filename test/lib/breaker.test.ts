import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { attempted, type Breaker, breakerPolicy, closedBreaker, reached } from '../../lib/breaker.ts'

const policy = breakerPolicy({ of: 10, windowMs: 1_000, pauseMs: 100, maxPauseMs: 700 })

function after(ends: string, from: Breaker = closedBreaker, everyMs = 1, startAt = 10_000): Breaker {
  let breaker = from
  for (const [at, end] of ends.split('').entries()) {
    breaker = attempted(policy, breaker, end === 'x' ? 'failed' : 'succeeded', startAt + at * everyMs)
  }
  return breaker
}

describe('a circuit breaker', () => {
  it('opens when half of enough attempts have failed', () => {
    assert.equal(after('.....xxxx').type, 'closed')
    assert.deepEqual(after('.....xxxxx'), { type: 'open', until: 10_109, opened: 1, failed: 5, all: 10 })
    assert.equal(after('xxxxxxxxx').type, 'closed', 'nine attempts are too few')
  })

  it('forgets what is older than its window', () => {
    assert.equal(after('x'.repeat(9), closedBreaker, 400).type, 'closed')
    const old = after('xxxxxxxxx')
    assert.equal(attempted(policy, old, 'failed', 10_009 + 1_100).type, 'closed')
    assert.equal(attempted(policy, old, 'failed', 10_009).type, 'open', 'the tenth in time opens it (control)')
  })

  it('is not moved by attempts that began before it opened', () => {
    const open = after('xxxxxxxxxx')
    assert.equal(attempted(policy, open, 'succeeded', 10_020), open)
    assert.equal(attempted(policy, open, 'failed', 10_020), open)
  })

  it('lets one through when its pause is over, and closes when that succeeds', () => {
    const open = after('xxxxxxxxxx') as Extract<Breaker, { type: 'open' }>
    assert.equal(reached(open, open.until - 1), open)
    const probing = reached(open, open.until)
    assert.equal(probing.type, 'probing')
    assert.equal(attempted(policy, probing, 'succeeded', open.until + 5), closedBreaker)
  })

  it('waits twice as long each time its probe fails, up to a bound', () => {
    const waits: number[] = []
    let breaker = after('xxxxxxxxxx')
    for (let at = 20_000; waits.length < 5; at += 10_000) {
      breaker = attempted(policy, reached(breaker, at), 'failed', at)
      waits.push((breaker as { until: number }).until - at)
    }
    assert.deepEqual(waits, [200, 400, 700, 700, 700])
  })

  it('never opens while fewer than its share fail, whenever they come', () => {
    const gaps = fc.array(fc.nat(300), { minLength: 1, maxLength: 200 })
    fc.assert(
      fc.property(gaps, (between) => {
        let breaker: Breaker = closedBreaker
        let at = 0
        // Every third fails, which is never half of ten or more in a row.
        between.forEach((gap, index) => {
          at += gap
          breaker = attempted(policy, breaker, index % 3 === 2 ? 'failed' : 'succeeded', at)
          assert.equal(breaker.type, 'closed')
        })
      }),
    )
  })
})

describe('the options of a breaker', () => {
  for (const [options, path] of [
    [{ failures: 0 }, 'breaker.failures'],
    [{ failures: 1.1 }, 'breaker.failures'],
    [{ failures: '0.5' }, 'breaker.failures'],
    [{ failures: true }, 'breaker.failures'],
    [{ failures: Number.NaN }, 'breaker.failures'],
    [{ pauseMs: 'soon' }, 'breaker.pauseMs'],
    [{ of: 0 }, 'breaker.of'],
    [{ pauseMs: 10, maxPauseMs: 5 }, 'breaker.maxPauseMs'],
    [{ windowMs: 0 }, 'breaker.windowMs'],
    [{ pause: 3 }, 'breaker.pause'],
  ] as readonly (readonly [object, string])[]) {
    it(`refuse ${JSON.stringify(options)}`, () => {
      assert.throws(() => breakerPolicy(options as never), { path })
    })
  }
})
