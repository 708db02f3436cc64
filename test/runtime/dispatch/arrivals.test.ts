import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as endOfTurn } from 'node:timers/promises'
import { systemClock } from '../../../lib/clock.ts'
import { Arrivals } from '../../../runtime/dispatch/arrivals.ts'
import type { ClaimedJob } from '../../../runtime/messages.ts'
import { claimsOf, numbersOf } from '../../helpers/claims.ts'

/** All other tasks run in a tier. */
const LANE_TASK = 7

function arrivals() {
  const told: number[][] = []
  const undispatched = new Map<readonly ClaimedJob[], number | undefined>()
  const tell = (jobs: readonly ClaimedJob[]) => {
    undispatched.delete(jobs)
    told.push(numbersOf(jobs))
  }
  const isForTier = ({ task }: ClaimedJob) => task !== LANE_TASK
  return { told, undispatched, claims: new Arrivals({ clock: systemClock, undispatched, isForTier, tell }) }
}

describe('claims on their way to the dispatcher', () => {
  it('wait for the end of the turn if they are few: what was planned before them goes first', async () => {
    const { told, claims } = arrivals()
    const order: string[] = []
    setImmediate(() => order.push(`a group is sent, told: ${told.length}`))
    claims.add(claimsOf(16))
    await Promise.resolve()
    assert.deepEqual(told, [])
    await endOfTurn()
    assert.deepEqual(order, ['a group is sent, told: 0'])
    assert.deepEqual(told, [numbersOf(claimsOf(16))])
  })

  it('are told at once if they are many, after those that waited', async () => {
    const { told, claims } = arrivals()
    claims.add(claimsOf(2))
    claims.add(claimsOf(1))
    claims.add(claimsOf(17))
    assert.deepEqual(
      told.map(({ length }) => length),
      [2, 1, 17],
    )
    claims.add(claimsOf(3))
    await endOfTurn()
    assert.deepEqual(
      told.map(({ length }) => length),
      [2, 1, 17, 3],
    )
  })

  it('are told at once if none of them wakes a thread', () => {
    const { told, claims } = arrivals()
    claims.add(claimsOf(2, { task: LANE_TASK }))
    assert.equal(told.length, 1)
  })

  it('can be found from the beginning', () => {
    const { undispatched, claims } = arrivals()
    const [first, second] = [claimsOf(1), claimsOf(2)]
    claims.add(first)
    claims.add(second)
    assert.deepEqual(
      [...undispatched],
      [
        [first, undefined],
        [second, undefined],
      ],
    )
  })
})
