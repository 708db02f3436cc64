import { take } from '../../lib/slot-word.ts'
import type { Outcome } from '../../lib/outcome.ts'
import type { Entry, Incarnation } from '../../runtime/places/threads/incarnation.ts'
import { Slots } from '../../runtime/places/slots.ts'

/** What a thread does to its slots, done by hand: a test decides when. */

function slotsOf({ run }: Incarnation): Slots {
  return new Slots(run.slots, run.slotCount)
}

export function entryAt(thread: Incarnation, at: number): Entry {
  const entry = thread.entries[at]
  if (entry === undefined) throw new Error(`no entry ${at} of ${thread.entries.length}`)
  return entry
}

/** Takes the entry at this place in the order of offers, at this monotonic instant. */
export function begin(thread: Incarnation, at: number, startedAt: number): Entry {
  const entry = entryAt(thread, at)
  const slots = slotsOf(thread)
  slots.begin(entry.slot, startedAt)
  if (take(slots.words, entry.slot, entry.generation) === 'lost') throw new Error('the offer was taken back')
  return entry
}

/** Posts the outcome, if it is more than a plain success, then marks the slot. */
export function end(thread: Incarnation, { slot, generation }: Entry, endedAt: number, outcome?: Outcome) {
  if (outcome !== undefined) thread.run.port.postMessage({ type: 'outcome', slot, generation, outcome })
  return slotsOf(thread).finish(slot, generation, endedAt)
}
