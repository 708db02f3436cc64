import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Limiters } from '../../lib/limiter.ts'
import type { PartName } from '../../lib/part.ts'
import { PartGroup, type Picked } from '../../lib/part-group.ts'
import { p95, runShared, type Tenant } from '../helpers/shared-place.ts'

const SLOTS = 4

/** A hundred times as many jobs, each of which takes a hundredth of the time. */
const flood: Tenant = { name: 'flood', runsMs: 2, jobs: 2_000, everyMs: 1_000 }
const small: Tenant = { name: 'small', runsMs: 200, jobs: 100, everyMs: 20_000 }

/** How long the small one waits, at the 95th percentile. */
function waits(tenants: readonly Tenant[], fair: 'fair' | 'in order', slots = SLOTS): number {
  return p95(runShared(tenants, slots, 60_000, fair).get(small.name) ?? [])
}

describe('fair shares', () => {
  for (const slots of [1, 2, 3, 4]) {
    it(`let a tenant with few long jobs wait no more than twice as long as alone beside a flood (${slots} slots)`, () => {
      const few: Tenant = { ...small, jobs: 25 * slots }
      const alone = waits([few], 'fair', slots)
      const beside = waits([{ ...flood, jobs: 500 * slots }, few], 'fair', slots)
      assert.ok(beside <= 2 * alone, `${beside} ms, ${alone} ms alone`)
    })
  }

  it('let it wait much less where the flood is as much work in all as its own', () => {
    const alone = waits([small], 'fair')
    const beside = waits([{ ...flood, jobs: 500 }, small], 'fair')
    assert.ok(beside <= 1.5 * alone, `${beside} ms, ${alone} ms alone`)
  })

  it('let a tenant with short jobs wait no more than twice as long as alone, and for one long one of another', () => {
    const short: Tenant = { ...small, runsMs: 2 }
    const long: Tenant = { ...flood, jobs: 20, runsMs: 200 }
    const alone = waits([short], 'fair')
    const beside = waits([long, short], 'fair')
    assert.ok(beside <= 2 * alone + long.runsMs, `${beside} ms, ${alone} ms alone`)
  })

  it('let a newcomer have few claims before it is known how long its jobs run: beside short ones each may be long', () => {
    const rules = { gates: [], limitersOf: () => [], shareOf: ({ part }: PartName) => part ?? '' }
    const group = new PartGroup({ ...rules, next: (_part, _rank, after) => after + 1 }, new Limiters())
    const claim = () => group.pick('foremost', 0) as Picked
    group.add({ task: 0, part: 'flood' }, 5, 1, 1_000)
    for (let job = 0; job < 100; job++) group.ended(claim().ticket, 0.2, 0)
    group.add({ task: 0, part: 'small' }, 5, 10_001, 100)
    const claimed = Array.from({ length: 250 }, claim).filter(({ part }) => part === 'small').length
    assert.ok(claimed > 0 && claimed <= 15, `${claimed} of 250 claims`)
  })

  it('are what does it: in order a tenant waits for all that came before', () => {
    const flooded: Tenant = { ...flood, jobs: 4_000 }
    const alone = waits([small], 'in order')
    const beside = waits([flooded, small], 'in order')
    assert.ok(beside > 3 * alone, `${beside} ms, ${alone} ms alone`)
  })
})
