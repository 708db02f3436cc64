import assert from 'node:assert/strict'
import { availableParallelism } from 'node:os'
import { describe, it } from 'node:test'
import { resolveConfig, type RuntimeOptions } from '../../../../runtime/config/config.ts'
import { ThreadBudget } from '../../../../runtime/places/threads/thread-budget.ts'

describe('a budget of threads', () => {
  it('has one for who stands in when tiers have grown into all others', () => {
    const budget = new ThreadBudget(4, 1)
    budget.claim(2)
    assert.deepEqual([budget.take(), budget.take()], ['taken', 'none'])
    assert.deepEqual([budget.takeStandIn(), budget.takeStandIn()], ['taken', 'none'])
  })

  it('lets tiers grow by no thread more or less once somebody stands in, and has gone', () => {
    const budget = new ThreadBudget(4, 1)
    budget.claim(2)
    budget.takeStandIn()
    assert.deepEqual([budget.take(), budget.take()], ['taken', 'none'])
    budget.giveBackStandIn()
    assert.equal(budget.take(), 'none')
    budget.giveBack(1)
    assert.deepEqual([budget.take(), budget.take()], ['taken', 'none'])
  })

  it('is never exceeded, also where none is kept for who stands in', () => {
    const budget = new ThreadBudget(2)
    budget.claim(1)
    budget.takeStandIn()
    assert.deepEqual([budget.free, budget.take(), budget.takeStandIn()], [0, 'none', 'none'])
  })

  it('is twice the cores, and what is kept for who stands in, where nobody says how many', () => {
    const totalOf = (options: Partial<RuntimeOptions>) => {
      const { maxThreads, standIns } = resolveConfig({ tasks: '/tasks.js', journal: { file: 'jobs.db' }, ...options })
      return [maxThreads, standIns]
    }
    const tiers = { fast: { threads: 1 }, default: { threads: { min: 1, max: 512 } } }
    const cores = availableParallelism()
    assert.deepEqual(totalOf({ tiers }), [2 * cores + 1, 1])
    assert.deepEqual(totalOf({ tiers, promotion: 'off' }), [2 * cores, 0])
    assert.deepEqual(totalOf({ tiers: { ...tiers, fast: { threads: 500 } } }), [502, 1])
    assert.deepEqual(totalOf({ tiers, maxThreads: 9 }), [9, 0], 'what was said is meant for all that can grow')
  })
})
