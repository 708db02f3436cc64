/**
 * The memory that a thread and its place share: for each slot its word (lib/slot-word.ts), a word by which the place
 * asks the attempt to end, and the time at which the attempt began; for the thread a beat that rises with every start.
 */

import type { AbortReason } from './thread-protocol.ts'

const HEADER_WORDS = 2
const BEAT = 0

const abortCodes = { 'soft-limit': 1, cancel: 2, drain: 3 } as const satisfies Record<AbortReason, number>
const abortReasons: readonly (AbortReason | undefined)[] = [undefined, 'soft-limit', 'cancel', 'drain']

export function slotsBuffer(slots: number): SharedArrayBuffer {
  return new SharedArrayBuffer(16 * slots + 4 * (HEADER_WORDS + 2 * slots))
}

export class Slots {
  /** The slot words, by slot. */
  readonly words: Int32Array
  readonly #startedAt: Float64Array
  readonly #endedAt: Float64Array
  readonly #aborts: Int32Array
  readonly #header: Int32Array

  constructor(buffer: SharedArrayBuffer, slots: number) {
    this.#startedAt = new Float64Array(buffer, 0, slots)
    this.#endedAt = new Float64Array(buffer, 8 * slots, slots)
    this.#header = new Int32Array(buffer, 16 * slots, HEADER_WORDS)
    this.words = new Int32Array(buffer, 16 * slots + 4 * HEADER_WORDS, slots)
    this.#aborts = new Int32Array(buffer, 16 * slots + 4 * (HEADER_WORDS + slots), slots)
  }

  get beat(): number {
    return Atomics.load(this.#header, BEAT)
  }

  /** The thread, before it takes a slot: monotonic milliseconds. */
  begin(slot: number, at: number): void {
    this.#startedAt[slot] = at
    Atomics.add(this.#header, BEAT, 1)
  }

  /** The thread, before it marks a slot as done. */
  end(slot: number, at: number): void {
    this.#endedAt[slot] = at
  }

  endedAt(slot: number): number {
    return this.#endedAt[slot] as number
  }

  startedAt(slot: number): number {
    return this.#startedAt[slot] as number
  }

  /** Asks the attempt of this generation to end; a synchronous handler sees it at its next checkpoint. */
  abort(slot: number, generation: number, reason: AbortReason): void {
    Atomics.store(this.#aborts, slot, (generation << 2) | abortCodes[reason])
  }

  abortOf(slot: number, generation: number): AbortReason | undefined {
    const word = Atomics.load(this.#aborts, slot)
    return (word & ~3) === generation << 2 ? abortReasons[word & 3] : undefined
  }
}
