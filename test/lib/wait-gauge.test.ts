import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { WaitGauge } from '../../lib/wait-gauge.ts'

describe('the gauge of waiting', () => {
  it('tells how long who was last in line has waited, once it was taken', () => {
    const gauge = new WaitGauge()
    assert.equal(gauge.read(0, 10), 0)
    gauge.took(9, 50)
    gauge.took(1, 70)
    gauge.took(5, 90)
    assert.equal(gauge.read(100, 0), 70)
    assert.equal(gauge.read(200, 0), 0)
  })

  it('tells of a wait that is going on', () => {
    const gauge = new WaitGauge()
    gauge.read(0, 1)
    assert.equal(gauge.read(250, 1), 250)
    assert.equal(gauge.read(500, 1), 500)
  })

  it('does not take what came back for taken', () => {
    const gauge = new WaitGauge()
    gauge.read(0, 3)
    gauge.took(2, 10)
    gauge.took(-2, 20)
    gauge.took(2, 30)
    assert.equal(gauge.read(40, 1), 40)
    gauge.took(1, 50)
    assert.equal(gauge.read(60, 0), 50)
  })

  it('is within one reading of the truth for any line that is first in, first out', () => {
    const arrivals = fc.array(fc.record({ gapMs: fc.nat(40), workMs: fc.integer({ min: 1, max: 60 }) }), {
      maxLength: 80,
    })
    fc.assert(
      fc.property(arrivals, (arrivals) => {
        const { told, most } = simulate(arrivals)
        assert.ok(told <= most, `told ${told} ms of at most ${most} ms`)
        assert.ok(told >= most - READ_MS, `told ${told} ms of ${most} ms`)
      }),
    )
  })
})

const READ_MS = 50

/** One server; the longest wait that was told, and that there was. */
function simulate(arrivals: readonly { readonly gapMs: number; readonly workMs: number }[]) {
  const gauge = new WaitGauge()
  const line: number[] = []
  let at = 0
  const due = arrivals.map(({ gapMs, workMs }) => ({ at: (at += gapMs), workMs }))
  const work = due.map(({ workMs }) => workMs)
  let freeAt = 0
  let told = 0
  let most = 0
  for (let now = 0; due.length > 0 || line.length > 0; now++) {
    while (due[0] !== undefined && due[0].at <= now) line.push((due.shift() as { at: number }).at)
    while (line.length > 0 && freeAt <= now) {
      most = Math.max(most, now - (line.shift() as number))
      gauge.took(1, now)
      freeAt = now + (work.shift() as number)
    }
    if (now % READ_MS === 0) told = Math.max(told, gauge.read(now, line.length))
  }
  return { told: Math.max(told, gauge.read(Number.MAX_SAFE_INTEGER, 0)), most }
}
