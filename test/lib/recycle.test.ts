import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { causeToRecycle, memoryToLeaveMb } from '../../lib/recycle.ts'

const amount = fc.integer({ min: 0, max: 1_000 })
const usages = fc.record({ jobs: amount, ageMs: amount, memoryMb: amount })
const limits = fc.record({ jobs: amount, ageMs: amount, memoryMb: amount }, { requiredKeys: [] })

describe('recycling', () => {
  it('is due exactly where a limit is reached, and names one that is', () => {
    fc.assert(
      fc.property(limits, usages, (limits, usage) => {
        const reached = Object.entries(limits).filter(([cause, limit]) => usage[cause as keyof typeof usage] >= limit)
        const cause = causeToRecycle(limits, usage)
        if (reached.length === 0) assert.equal(cause, undefined)
        else assert.ok(reached.some(([each]) => each === cause))
      }),
    )
  })

  it('is never due without limits, nor less with more of anything', () => {
    fc.assert(
      fc.property(limits, usages, usages, (limits, usage, more) => {
        assert.equal(causeToRecycle({}, usage), undefined)
        if (causeToRecycle(limits, usage) === undefined) return
        const sum = {
          jobs: usage.jobs + more.jobs,
          ageMs: usage.ageMs + more.ageMs,
          memoryMb: usage.memoryMb + more.memoryMb,
        }
        assert.notEqual(causeToRecycle(limits, sum), undefined)
      }),
    )
  })

  it('leaves a job at least half of what its process may have beside its modules', () => {
    fc.assert(
      fc.property(amount, amount, (base, room) => {
        const most = base + room
        const leavesAt = memoryToLeaveMb(most, base)
        assert.ok(leavesAt >= base && most - leavesAt >= room / 2)
      }),
    )
  })
})
