import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Worker } from 'node:worker_threads'
import { Slots, slotsBuffer } from '../../../runtime/places/slots.ts'

function slotsOf(count: number) {
  const buffer = slotsBuffer(count)
  return { buffer, place: new Slots(buffer, count), thread: new Slots(buffer, count) }
}

describe('the slots of a thread', () => {
  it('begin free, with no beat and nothing asked', () => {
    const { place } = slotsOf(3)
    assert.deepEqual(
      [[...place.words], place.beatAt, place.abortOf(0, 0), place.startedAt(2)],
      [[0, 0, 0], 0, undefined, 0],
    )
  })

  it('tell the place when the thread began and ended in each of them, and beat with every start', () => {
    const { place, thread } = slotsOf(3)
    thread.begin(0, 10.25)
    thread.begin(2, 11.5)
    thread.finish(2, 0, 12.75)
    assert.deepEqual(
      [place.startedAt(0), place.startedAt(2), place.endedAt(2), place.endedAt(0)],
      [10.25, 11.5, 12.75, 0],
    )
    assert.equal(place.beatAt, 11.5)
  })

  it('tell the place when the loop of the thread last turned', () => {
    const { place, thread } = slotsOf(1)
    thread.begin(0, 10)
    thread.beat(110.5)
    assert.deepEqual([place.beatAt, place.startedAt(0)], [110.5, 10])
  })

  it('do not write over each other', () => {
    const { place, thread } = slotsOf(4)
    for (let slot = 0; slot < 4; slot++) {
      place.words[slot] = 100 + slot
      thread.begin(slot, 200 + slot)
      thread.finish(slot, 0, 300 + slot)
      place.abort(slot, 7, 'drain')
    }
    for (let slot = 0; slot < 4; slot++) {
      assert.deepEqual(
        [place.words[slot], place.startedAt(slot), place.endedAt(slot), thread.abortOf(slot, 7)],
        [100 + slot, 200 + slot, 300 + slot, 'drain'],
      )
    }
    assert.equal(place.beatAt, 203)
  })

  it('ask one generation to end, and not the next one in the same slot', () => {
    const { place, thread } = slotsOf(2)
    const last = 2 ** 29 - 1
    for (const reason of ['soft-limit', 'cancel', 'drain'] as const) {
      for (const generation of [0, 1, 77, last]) {
        place.abort(1, generation, reason)
        assert.equal(thread.abortOf(1, generation), reason)
        assert.equal(thread.abortOf(1, generation === last ? 0 : generation + 1), undefined)
        assert.equal(thread.abortOf(0, generation), undefined)
      }
    }
  })

  it('are seen from another thread that is busy', async () => {
    const { buffer, place } = slotsOf(2)
    const url = new URL('../../../runtime/places/slots.js', import.meta.url).href
    const worker = new Worker(
      `const { workerData } = require('node:worker_threads')
       import(${JSON.stringify(url)}).then(({ Slots }) => {
         const slots = new Slots(workerData, 2)
         slots.begin(1, 42.5)
         while (slots.abortOf(1, 3) === undefined);
         slots.finish(1, 0, 43.5)
       })`,
      { eval: true, workerData: buffer },
    )
    const exited = new Promise((resolve) => void worker.once('exit', resolve))
    place.abort(1, 3, 'cancel')
    assert.equal(await exited, 0)
    assert.deepEqual([place.startedAt(1), place.endedAt(1), place.beatAt], [42.5, 43.5, 42.5])
  })
})
