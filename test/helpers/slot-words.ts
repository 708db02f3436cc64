import assert from 'node:assert/strict'
import * as slotWord from '../../lib/slot-word.ts'

export type Operations = typeof slotWord

/** The control: the same words with the generation left out of every comparison. */
export const withoutGeneration: Operations = {
  ...slotWord,
  offer(words, slot) {
    const state = slotWord.stateOf(words, slot, 0)
    assert.ok(state !== 'offered' && state !== 'taken')
    Atomics.store(words, slot, 1)
    return 0
  },
}

export interface Offer {
  readonly job: number
  readonly slot: number
  readonly generation: number
}

export function count(counts: Int32Array, job: number): void {
  counts[job] = (counts[job] as number) + 1
}
