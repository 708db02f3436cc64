/**
 * One word per slot, shared by the place that offers jobs and the thread that takes them:
 * `generation << 3 | state`. Each change is one compare-and-exchange that names state *and* generation, so of two sides
 * that want a slot exactly one gets it, and a message about an earlier offer of the slot cannot touch a later one.
 */

/** What has become of an offer. */
export type SlotState = 'free' | 'offered' | 'taken' | 'done' | 'recalled' | 'condemned'

const STATE_BITS = 3
const STATE_MASK = 2 ** STATE_BITS - 1
const GENERATION_MASK = 2 ** (32 - STATE_BITS) - 1

const codes = {
  free: 0,
  offered: 1,
  taken: 2,
  done: 3,
  recalled: 4,
  condemned: 5,
} as const satisfies Record<SlotState, number>

const states = Object.keys(codes) as readonly SlotState[]

/** States in which nobody but the owner of the slot may still change the word. */
const settled: readonly number[] = [codes.free, codes.done, codes.recalled, codes.condemned]

/**
 * The owner offers the slot anew and gets the generation of this offer, 0 to 2^29 - 1, which wraps around.
 * Throws if the last offer still stands or is being run: both jobs would be lost to it.
 */
export function offer(words: Int32Array, slot: number): number {
  const word = Atomics.load(words, slot)
  if (!settled.includes(word & STATE_MASK)) {
    throw new Error(`slot ${slot} offered twice; it is ${states[word & STATE_MASK]}, expected an ended offer`)
  }
  const generation = ((word >>> STATE_BITS) + 1) & GENERATION_MASK
  Atomics.store(words, slot, wordOf(generation, 'offered'))
  return generation
}

/** The thread takes an offer to run it. Lost: it was recalled, or the message is about an earlier offer. */
export function take(words: Int32Array, slot: number, generation: number): 'taken' | 'lost' {
  return change(words, slot, generation, 'offered', 'taken')
}

/** The thread has run what it took. Lost: it was condemned, and whoever condemned it answers for the job. */
export function finish(words: Int32Array, slot: number, generation: number): 'done' | 'lost' {
  return change(words, slot, generation, 'taken', 'done')
}

/** The owner takes an offer back. Lost: the thread has begun, or is done. */
export function recall(words: Int32Array, slot: number, generation: number): 'recalled' | 'lost' {
  return change(words, slot, generation, 'offered', 'recalled')
}

/** The owner takes the right to finish from a running thread, before ending it. Lost: it is not running, or is done. */
export function condemn(words: Int32Array, slot: number, generation: number): 'condemned' | 'lost' {
  return change(words, slot, generation, 'taken', 'condemned')
}

/** The owner has dealt with an ended offer. Lost: it has not ended, or the slot was freed or offered anew since. */
export function free(words: Int32Array, slot: number, generation: number): 'free' | 'lost' {
  const state = stateOf(words, slot, generation)
  if (state !== 'done' && state !== 'recalled' && state !== 'condemned') return 'lost'
  return change(words, slot, generation, state, 'free')
}

/** What has become of this offer; stale if the slot has been offered again. */
export function stateOf(words: Int32Array, slot: number, generation: number): SlotState | 'stale' {
  const word = Atomics.load(words, slot)
  return word >>> STATE_BITS === generation ? (states[word & STATE_MASK] as SlotState) : 'stale'
}

function change<To extends SlotState>(words: Int32Array, slot: number, generation: number, from: SlotState, to: To) {
  const expected = wordOf(generation, from)
  return Atomics.compareExchange(words, slot, expected, wordOf(generation, to)) === expected ? to : 'lost'
}

/** As a signed integer, which is what an Int32Array holds and gives back. */
function wordOf(generation: number, state: SlotState): number {
  return (generation << STATE_BITS) | codes[state]
}
