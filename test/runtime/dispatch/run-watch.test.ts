import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RunTimes } from '../../../runtime/dispatch/run-times.ts'
import { RunWatch } from '../../../runtime/dispatch/run-watch.ts'
import type { Ended } from '../../../runtime/messages.ts'
import { claimOf } from '../../helpers/claims.ts'

const ran = (task: number, ms: number, outcome: Ended['outcome'] = { type: 'succeeded', output: '' }): Ended => ({
  job: claimOf({ task }),
  outcome,
  startedAt: 1_000,
  endedAt: 1_000 + ms,
})

function watchOf(budgets: readonly (number | undefined)[]) {
  const looks: number[] = []
  const watch = new RunWatch({ budgetOf: (task) => budgets[task], look: (task) => void looks.push(task) })
  return { watch, looks }
}

describe('run times', () => {
  it('have the p95 of their runs, right to a hundredth', () => {
    const times = new RunTimes()
    for (let ms = 1; ms <= 400; ms++) times.add(ms)
    const { runs, p95Ms, longestMs } = times.summary
    assert.equal(runs, 400)
    assert.ok(Math.abs((p95Ms as number) - 380) <= 4, String(p95Ms))
    assert.equal(longestMs, 400)
  })

  it('forget what was long ago', () => {
    const times = new RunTimes()
    for (let run = 0; run < 500; run++) times.add(800)
    for (let run = 0; run < 1_000; run++) times.add(2)
    const { p95Ms, longestMs } = times.summary
    assert.ok((p95Ms as number) < 2.1, String(p95Ms))
    assert.ok(longestMs < 2.1, String(longestMs))
  })

  it('are kept of runs that take no time, or days', () => {
    const times = new RunTimes()
    times.add(0)
    assert.ok((times.summary.p95Ms as number) < 0.1)
    times.add(1e9)
    assert.ok((times.summary.p95Ms as number) >= 3.5e6)
  })
})

describe('the watch over run times', () => {
  it('asks for a look at a task now and then, and at once for a run that is far over its budget', () => {
    const { watch, looks } = watchOf([100])
    watch.observe(Array.from({ length: 24 }, () => ran(0, 1)))
    assert.deepEqual(looks, [])
    watch.observe([ran(0, 1)])
    assert.deepEqual(looks, [0])
    watch.observe([ran(0, 1_001)])
    assert.deepEqual(looks, [0, 0])
    assert.deepEqual([watch.of(0).runs, watch.of(0).longestMs], [26, 1_001])
  })

  it('sees a run that has not ended', () => {
    const { watch, looks } = watchOf([100])
    watch.runs(claimOf({ task: 0 }), 1_000)
    assert.deepEqual(looks, [])
    watch.runs(claimOf({ task: 0 }), 1_005)
    assert.deepEqual([looks, watch.of(0).longestMs, watch.of(0).runs], [[0], 1_005, 0])
  })

  it('measures nothing of tasks that are never moved, and no run that was cut off or never began', () => {
    const { watch, looks } = watchOf([undefined, 100])
    watch.observe(Array.from({ length: 100 }, () => ran(0, 5_000)))
    watch.observe([ran(1, 5_000, { type: 'interrupted', cause: 'drain' }), { ...ran(1, 1), startedAt: undefined }])
    assert.deepEqual(looks, [])
    assert.deepEqual([watch.of(0).runs, watch.of(1).runs], [0, 0])
  })

  it('begins anew with a task that has moved, under the budget of where it is now', () => {
    const budgets = [100]
    const { watch, looks } = watchOf(budgets)
    watch.observe([ran(0, 50)])
    budgets[0] = Number.POSITIVE_INFINITY
    watch.forget(0)
    watch.observe([ran(0, 1e6)])
    assert.deepEqual([looks, watch.of(0).runs], [[], 1])
  })
})
