import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { PlaceRooms } from '../../../../runtime/journal/store/place-rooms.ts'

const MIB = 1024 * 1024
/** The usual priority, of what a place has and of what waits for it. */
const RANK = 5

/** One place with so much room. */
function roomsOf(jobs: number, bytes = 8 * MIB): PlaceRooms {
  const rooms = new PlaceRooms()
  rooms.reset([{ jobs, bytes }])
  return rooms
}

/** How many jobs of that size a full place gives back before it wants more. */
function endsBeforeRefill(jobs: number, bytesEach: number): number {
  const rooms = roomsOf(jobs)
  let held = 0
  for (; rooms.has(0); held++) rooms.use(0, bytesEach, RANK)
  for (let ended = 0; ended <= held; ended++) {
    if (rooms.wantsRefill(0, RANK)) return ended
    rooms.grant(0, 1, bytesEach)
  }
  return Number.NaN
}

describe('the room of a place', () => {
  it('is worth a claim when an eighth of it is free, in jobs and in bytes', () => {
    assert.equal(endsBeforeRefill(4_096, 200), 512)
    assert.equal(endsBeforeRefill(1_000, 200), 125)
    assert.equal(endsBeforeRefill(4_096, 64 * 1024), 16)
    assert.equal(endsBeforeRefill(4_096, MIB), 1)
    assert.equal(endsBeforeRefill(1, 200), 1)
  })

  it('is worth one while nothing is held, however small it is', () => {
    for (const jobs of [1, 7, 8, 100]) assert.equal(roomsOf(jobs).wantsRefill(0, RANK), true)
    assert.equal(roomsOf(0).wantsRefill(0, RANK), false)
    assert.equal(new PlaceRooms().wantsRefill(0, RANK), false)
  })

  it('is none while one of both is used up', () => {
    const rooms = roomsOf(100, MIB)
    rooms.use(0, 2 * MIB, RANK)
    assert.deepEqual([rooms.has(0), rooms.jobs(0), rooms.wantsRefill(0, RANK)], [false, 0, false])
    rooms.grant(0, 0, 2 * MIB)
    assert.deepEqual([rooms.has(0), rooms.jobs(0)], [true, 99])
  })

  it('is what it was when a transaction was undone', () => {
    const rooms = roomsOf(2)
    const undo = rooms.snapshot()
    rooms.use(0, 5, RANK)
    rooms.use(0, 5, RANK)
    undo()
    assert.equal(rooms.jobs(0), 2)
  })
})
