import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { DoneSlots } from '../../../runtime/places/done-slots.ts'

const OFFSET = 8

function doneSlotsOf(slots: number) {
  const buffer = new SharedArrayBuffer(OFFSET + DoneSlots.bytes(slots))
  return { buffer, thread: () => new DoneSlots(buffer, OFFSET, slots), place: new DoneSlots(buffer, OFFSET, slots) }
}

describe('the slots that a thread has marked done', () => {
  it('are told once each, in their order', () => {
    const { thread, place } = doneSlotsOf(3)
    assert.deepEqual(place.take(), [])
    thread().note(2)
    thread().note(0)
    assert.deepEqual([place.take(), place.take()], [[2, 0], []])
  })

  it('come through for any number of slots, up to all of them between two looks', () => {
    const rounds = fc.integer({ min: 1, max: 70 }).chain((slots) =>
      fc.record({
        slots: fc.constant(slots),
        rounds: fc.array(fc.uniqueArray(fc.nat({ max: slots - 1 }), { maxLength: slots }), { maxLength: 20 }),
      }),
    )
    fc.assert(
      fc.property(rounds, ({ slots, rounds }) => {
        const { thread, place } = doneSlotsOf(slots)
        for (const round of rounds) {
          for (const slot of round) thread().note(slot)
          assert.deepEqual(place.take(), round)
        }
      }),
    )
  })

  it('go on where the count of them wraps around', () => {
    const buffer = new SharedArrayBuffer(DoneSlots.bytes(3))
    const count = new Int32Array(buffer, 4 * 4, 1)
    count[0] = 2 ** 31 - 2
    const place = new DoneSlots(buffer, 0, 3)
    const thread = new DoneSlots(buffer, 0, 3)
    for (const slot of [0, 1, 2]) thread.note(slot)
    assert.deepEqual([place.take(), count[0]], [[0, 1, 2], 1 - 2 ** 31])
  })
})
