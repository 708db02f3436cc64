/**
 * The slots that a thread has marked done, in this order, in memory that it shares with its place, which looks at those alone.
 * One side writes and one reads. A slot stands in it once at most, since it is offered anew only when it was read: a ring with a
 * place for each never overflows.
 */
export class DoneSlots {
  readonly #ring: Int32Array
  readonly #written: Int32Array
  readonly #mask: number
  #read: number

  static bytes(slots: number): number {
    return 4 * (placesFor(slots) + 1)
  }

  constructor(buffer: SharedArrayBuffer, offset: number, slots: number) {
    const places = placesFor(slots)
    this.#ring = new Int32Array(buffer, offset, places)
    this.#written = new Int32Array(buffer, offset + 4 * places, 1)
    this.#mask = places - 1
    this.#read = Atomics.load(this.#written, 0)
  }

  /** The thread, after it has marked the slot. */
  note(slot: number): void {
    const written = Atomics.load(this.#written, 0)
    this.#ring[written & this.#mask] = slot
    Atomics.store(this.#written, 0, (written + 1) | 0)
  }

  /** The place: those that it has not taken. */
  take(): number[] {
    const slots: number[] = []
    const written = Atomics.load(this.#written, 0)
    while (this.#read !== written) {
      slots.push(this.#ring[this.#read & this.#mask] as number)
      this.#read = (this.#read + 1) | 0
    }
    return slots
  }
}

/** A power of two, so that a count that wraps around at 2^32 goes on in the same place. */
function placesFor(slots: number): number {
  return 2 ** Math.ceil(Math.log2(slots))
}
