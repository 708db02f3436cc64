/**
 * The memory that a thread and its place share: for each slot its word (lib/slot-word.ts), a word by which the place
 * asks the attempt to end, and the times at which the attempt began and ended; for the thread which slots it has marked done,
 * whose handler it is calling, and its beat: when its loop last turned or began something.
 */

import { finish, stateOf } from '../../lib/slot-word.ts'
import { DoneSlots } from './done-slots.ts'
import type { AbortReason } from './thread-protocol.ts'

const abortCodes = { 'soft-limit': 1, cancel: 2, drain: 3 } as const satisfies Record<AbortReason, number>
const abortReasons: readonly (AbortReason | undefined)[] = [undefined, 'soft-limit', 'cancel', 'drain']

export function slotsBuffer(slots: number): SharedArrayBuffer {
  return new SharedArrayBuffer(8 * (2 * slots + 1) + 4 * (2 * slots + 1) + DoneSlots.bytes(slots))
}

export class Slots {
  /** The slot words, by slot. */
  readonly words: Int32Array
  readonly done: DoneSlots
  readonly #startedAt: Float64Array
  readonly #endedAt: Float64Array
  readonly #aborts: Int32Array
  readonly #beatAt: Float64Array
  /** The slot whose handler is being called, plus one. */
  readonly #called: Int32Array

  constructor(buffer: SharedArrayBuffer, slots: number) {
    this.#startedAt = new Float64Array(buffer, 0, slots)
    this.#endedAt = new Float64Array(buffer, 8 * slots, slots)
    this.#beatAt = new Float64Array(buffer, 16 * slots, 1)
    this.words = new Int32Array(buffer, 16 * slots + 8, slots)
    this.#aborts = new Int32Array(buffer, 16 * slots + 8 + 4 * slots, slots)
    this.#called = new Int32Array(buffer, 16 * slots + 8 + 8 * slots, 1)
    this.done = new DoneSlots(buffer, 16 * slots + 8 + 8 * slots + 4, slots)
  }

  /** Monotonic ms of the last sign of life; 0 before the first. */
  get beatAt(): number {
    return this.#beatAt[0] as number
  }

  /** The thread, each time its loop has turned. */
  beat(at: number): void {
    this.#beatAt[0] = at
  }

  /** The thread, before it takes a slot: monotonic milliseconds. */
  begin(slot: number, at: number): void {
    this.#startedAt[slot] = at
    this.#beatAt[0] = at
  }

  /** The thread, when it calls a handler. */
  enter(slot: number): void {
    this.#called[0] = slot + 1
  }

  /** The thread, when the handler has returned, perhaps with a promise. */
  leave(): void {
    this.#called[0] = 0
  }

  /** The slot whose handler has been called and has not returned; `undefined` of what runs after an await as well. */
  get called(): number | undefined {
    const slot = Atomics.load(this.#called, 0) - 1
    return slot < 0 ? undefined : slot
  }

  /** The thread, of an attempt that it has run: marks its slot as done at this instant, unless it was condemned. */
  finish(slot: number, generation: number, at: number): 'done' | 'lost' {
    this.#endedAt[slot] = at
    const result = finish(this.words, slot, generation)
    if (result === 'done') this.done.note(slot)
    return result
  }

  endedAt(slot: number): number {
    return this.#endedAt[slot] as number
  }

  startedAt(slot: number): number {
    return this.#startedAt[slot] as number
  }

  /** Whether the place has taken the right to finish from the attempt of this generation. */
  isCondemned(slot: number, generation: number): boolean {
    return stateOf(this.words, slot, generation) === 'condemned'
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
