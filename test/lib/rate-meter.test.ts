import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type RateLimit, RateMeter } from '../../lib/rate-meter.ts'

const START = 1_700_000_000_000

const rate: fc.Arbitrary<RateLimit> = fc.record({
  limit: fc.integer({ min: 1, max: 200 }),
  perMs: fc.integer({ min: 1, max: 5_000 }),
  burst: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 50 })),
})

interface Delays {
  /** From claim to start, and from start to its report, in turns. */
  readonly start: readonly number[]
  readonly report: readonly number[]
}

const delays: fc.Arbitrary<Delays> = fc.record({
  start: fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 12 }),
  report: fc.array(fc.integer({ min: 0, max: 60 }), { minLength: 1, maxLength: 12 }),
})

interface Driven {
  readonly starts: readonly number[]
  /** From the first claim to the last one. */
  readonly tookMs: number
}

/** Claims whenever the meter lets it, until so many were. */
function drive(meter: RateMeter, jobs: number, { start, report }: Delays, stepMs = 1): Driven {
  const starts: number[] = []
  let reports: { readonly at: number; readonly startedAt: number }[] = []
  let now = START
  for (let claimed = 0; claimed < jobs; now += stepMs) {
    for (const { startedAt } of reports.filter(({ at }) => at <= now)) meter.started(startedAt, now)
    reports = reports.filter(({ at }) => at > now)
    while (claimed < jobs && meter.isOpen(now)) {
      meter.reserve()
      const startedAt = now + (start[claimed % start.length] as number)
      starts.push(startedAt)
      reports.push({ startedAt, at: startedAt + (report[claimed % report.length] as number) })
      claimed++
    }
  }
  return { starts: starts.sort((a, b) => a - b), tookMs: now - START }
}

/** The most starts that any window of this length holds. */
function mostIn(starts: readonly number[], windowMs: number): number {
  let most = 0
  let first = 0
  starts.forEach((at, index) => {
    while ((starts[first] as number) <= at - windowMs) first++
    most = Math.max(most, index - first + 1)
  })
  return most
}

describe('a rate meter', () => {
  it('never lets more than its limit and burst start in any window, however long starts and their reports take', () => {
    fc.assert(
      fc.property(rate, delays, (limit, late) => {
        const { starts } = drive(new RateMeter(limit, START), Math.min(300, 4 * (limit.limit + limit.burst)), late)
        const most = mostIn(starts, limit.perMs)
        assert.ok(most <= limit.limit + limit.burst, `${most} starts`)
      }),
      { numRuns: 200 },
    )
  })

  it('would let more start if it charged claims instead of starts', () => {
    const limit: RateLimit = { limit: 10, perMs: 100, burst: 0 }
    const meter = new RateMeter(limit, START)
    const starts: number[] = []
    for (let now = START; now < START + 400; now++) {
      if (!meter.isOpen(now)) continue
      meter.reserve()
      meter.started(now, now)
      starts.push(now < START + 200 ? START + 200 : now)
    }
    assert.ok(mostIn(starts, 100) > 10)
  })

  it('keeps its rate where jobs start soon after their claim', () => {
    for (const limit of [
      { limit: 10, perMs: 1_000, burst: 0 },
      { limit: 100, perMs: 1_000, burst: 0 },
      { limit: 1_000, perMs: 1_000, burst: 0 },
      { limit: 100, perMs: 60_000, burst: 20 },
    ]) {
      const jobs = 4 * limit.limit
      const { tookMs } = drive(new RateMeter(limit, START), jobs, { start: [5, 15], report: [5] })
      const share = ((jobs - limit.burst) / tookMs) * (limit.perMs / limit.limit)
      assert.ok(share > 0.9 && share < 1.1, `${JSON.stringify(limit)}: ${share}`)
    }
  })

  it('lets its burst start at once when it was not used for a while', () => {
    const meter = new RateMeter({ limit: 10, perMs: 1_000, burst: 30 }, START)
    let claimed = 0
    for (; meter.isOpen(START); claimed++) meter.reserve()
    assert.equal(claimed, 31)
  })

  it('opens when it said that it would', () => {
    fc.assert(
      fc.property(rate, fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 20 }), (limit, starts, jobs) => {
        const meter = new RateMeter(limit, START)
        for (let job = 0; job < starts && meter.isOpen(START); job++) {
          meter.reserve()
          meter.started(START, START)
        }
        const at = meter.opensAt(START, jobs)
        if (at <= START) return assert.ok(meter.isOpen(START))
        assert.ok(Number.isInteger(at))
        let claimed = 0
        for (; meter.isOpen(at); claimed++) meter.reserve()
        assert.ok(claimed >= Math.min(jobs, meter.tokens), `${claimed} of ${jobs}`)
      }),
    )
  })

  it('goes on where the meter before it was, with what that one had reserved as started', () => {
    fc.assert(
      fc.property(rate, fc.nat(500), fc.nat(2_000), (limit, runMs, downMs) => {
        const before = new RateMeter(limit, START)
        const starts: number[] = []
        for (let now = START; now < START + runMs; now++) {
          while (before.isOpen(now)) {
            before.reserve()
            // Half of them start, the last of them as the process dies.
            if (starts.length % 2 === 0) before.started(now, now)
            starts.push(now)
          }
        }
        const reopenedAt = START + runMs + downMs
        const after = new RateMeter(limit, reopenedAt, before.paidUntil)
        for (let reserved = 0; reserved < before.reserved; reserved++) after.charge(reopenedAt, reopenedAt)
        for (let now = reopenedAt; now < reopenedAt + limit.perMs; now++) {
          while (after.isOpen(now)) {
            after.reserve()
            after.started(now, now)
            starts.push(now)
          }
        }
        assert.ok(mostIn(starts, limit.perMs) <= limit.limit + limit.burst)
      }),
      { numRuns: 200 },
    )
  })

  it('is closed for no longer than its tokens take when the clock is set back', () => {
    const meter = new RateMeter({ limit: 10, perMs: 1_000, burst: 0 }, START)
    meter.reserve()
    meter.started(START + 3_600_000, START + 3_600_000)
    assert.ok(meter.opensAt(START, 1) <= START + meter.tokens * meter.intervalMs + 2)
  })

  it('is as new when nothing is reserved and all is paid for', () => {
    const meter = new RateMeter({ limit: 10, perMs: 1_000, burst: 0 }, START)
    meter.reserve()
    assert.equal(meter.isFull(START), false)
    meter.started(START, START)
    assert.equal(meter.isFull(START), false)
    assert.equal(meter.isFull(START + 102), true)
  })
})
