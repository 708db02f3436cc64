import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Door } from '../../../adapters/cli/run/door.ts'
import { MillraceError } from '../../../lib/errors.ts'

/** Has room for a few at once, each of which leaves after a moment. */
function crowdedPlace(room: number) {
  const seen = { inside: 0, refused: 0, order: [] as number[] }
  const enter = (n: number) => async () => {
    await Promise.resolve()
    if (seen.inside >= room) {
      seen.refused++
      throw new MillraceError('MILLRACE_OVERLOADED', 'no room')
    }
    seen.inside++
    seen.order.push(n)
    setTimeout(() => seen.inside--, 1)
    return n
  }
  return { seen, enter }
}

describe('the door of a run', () => {
  it('lets all in, one after the other has room, in the order they came', async () => {
    const { seen, enter } = crowdedPlace(3)
    const door = new Door<number>()
    const entered = await Promise.all(Array.from({ length: 50 }, (_, n) => door.pass(enter(n))))
    assert.deepEqual(
      entered,
      Array.from({ length: 50 }, (_, n) => n),
    )
    assert.deepEqual(seen.order, entered)
    assert.ok(seen.refused > 0)
  })

  it('tells any other error to who has it', async () => {
    const door = new Door<number>()
    await assert.rejects(
      door.pass(() => Promise.reject(new Error('another'))),
      { message: 'another' },
    )
  })

  it('tries nobody again once it is closed', async () => {
    const { seen, enter } = crowdedPlace(0)
    const door = new Door<number>()
    void door.pass(enter(1))
    await new Promise((resolve) => setTimeout(resolve, 30))
    door.close()
    const { refused } = seen
    assert.ok(refused > 1)
    await new Promise((resolve) => setTimeout(resolve, 30))
    assert.equal(seen.refused, refused)
  })
})
