/** Who stands in which slot. Slots are small numbers: a `Map` would make garbage with each that comes and goes. */
export class SlotTable<T> {
  readonly #items: (T | undefined)[] = []
  #size = 0

  get size(): number {
    return this.#size
  }

  get(slot: number): T | undefined {
    return this.#items[slot]
  }

  /** Into a slot that is free. */
  put(slot: number, item: T): void {
    // Without holes, however far behind the others it is.
    while (this.#items.length <= slot) this.#items.push(undefined)
    this.#items[slot] = item
    this.#size++
  }

  /** Out of a slot that is taken. */
  free(slot: number): void {
    this.#items[slot] = undefined
    this.#size--
  }

  *[Symbol.iterator](): Generator<T> {
    for (const item of this.#items) if (item !== undefined) yield item
  }
}
