import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { alternate, ratioFigure } from '../../bench/alternate.ts'
import { median, percentiles } from '../../bench/figures.ts'
import { atRandom, evenly } from '../../bench/open-loop.ts'
import { INPUT, PAYLOAD, stampedInput } from '../../bench/payload.ts'
import { TimerGap } from '../../bench/timer-gap.ts'

describe('figures of a bench', () => {
  it('takes the middle of the runs, of an even number the mean of the two', () => {
    assert.equal(median([9, 1, 5]), 5)
    assert.equal(median([4, 1, 2, 9]), 3)
  })

  it('gives percentiles in milliseconds', () => {
    const { count, p50, p99, max } = percentiles(Array.from({ length: 1_000 }, (_, at) => (at + 1) / 10))
    assert.equal(count, 1_000)
    assert.ok(Math.abs(p50 - 50) < 0.2, `p50 is ${p50}`)
    assert.ok(Math.abs(p99 - 99) < 0.2, `p99 is ${p99}`)
    assert.ok(Math.abs(max - 100) < 0.2, `max is ${max}`)
  })

  it('compares each run with the ceiling beside it, not medians with each other', () => {
    // The machine was three times slower in the second round: both sides saw it.
    const figure = ratioFigure('x', 'jobs/s', { subject: [50, 17, 50], ceiling: [100, 34, 100] }, against(0.4))
    assert.equal(figure.against?.ratio, 0.5)
    assert.deepEqual(figure.against.ratioRange, { low: 0.5, high: 0.5 })
  })

  it('says when a target is not met', () => {
    const measured = { subject: [30], ceiling: [100] }
    assert.equal(ratioFigure('x', 'jobs/s', measured, against(0.31)).target?.verdict, 'below')
    assert.equal(ratioFigure('x', 'jobs/s', measured, against(0.3)).target?.verdict, 'ok')
  })

  it('measures ceiling and subject in turn and leaves the first round out', async () => {
    const calls: string[] = []
    const count = (name: string) => () => calls.push(name)
    const { subject, ceiling } = await alternate('quick', count('ceiling'), count('subject'))
    assert.deepEqual(calls, ['ceiling', 'subject', 'ceiling', 'subject', 'ceiling', 'subject'])
    assert.deepEqual({ subject, ceiling }, { subject: [4, 6], ceiling: [3, 5] })
  })
})

describe('the inputs of the benches', () => {
  it('are stored as 200 bytes', () => {
    assert.equal(JSON.stringify(INPUT), PAYLOAD)
    assert.equal(PAYLOAD.length, 200)
    assert.equal(JSON.stringify(stampedInput(123_456_789.123_456)).length, 200)
  })
})

describe('an open loop', () => {
  it('comes at the same instants for the same seed', () => {
    assert.deepEqual([...atRandom(50, 2, 1)], [...atRandom(50, 2, 1)])
    assert.notDeepEqual([...atRandom(50, 2, 1)], [...atRandom(50, 2, 2)])
  })

  it('comes about as often as asked', () => {
    const at = [...atRandom(1_000, 20, 7)]
    assert.ok(at.length > 19_000 && at.length < 21_000, `${at.length} arrivals`)
    assert.ok(at.every((each, index) => index === 0 || each >= (at[index - 1] ?? 0)))
    assert.deepEqual([...evenly(4, 1)], [0, 250, 500, 750])
  })
})

describe('the gap of a timer', () => {
  it('counts a loop that does not turn, also when it does not turn before the end', () => {
    const gap = new TimerGap()
    const until = performance.now() + 30
    while (performance.now() < until);
    assert.ok(gap.stop() >= 30)
  })

  it('is short when nothing holds the loop', () => {
    assert.ok(new TimerGap().stop() < 30)
  })
})

function against(least: number) {
  return { name: 'ceiling', least }
}
