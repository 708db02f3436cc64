/** Who stands in which slot. Slots are small numbers: a `Map` would make garbage with each that comes and goes. */
export class SlotTable<T> {
  readonly #numberOf: (item: T) => number
  readonly #items: (T | undefined)[] = []
  #size = 0
  /** There while somebody keeps asking: to cancel all that run, one look at each is enough. */
  #byNumber: Map<number, T> | undefined
  /** How many have come since somebody asked. */
  #unasked = 0

  constructor(numberOf: (item: T) => number) {
    this.#numberOf = numberOf
  }

  get size(): number {
    return this.#size
  }

  get(slot: number): T | undefined {
    return this.#items[slot]
  }

  /** The one with this number, which no two have. */
  find(number: number): T | undefined {
    this.#unasked = 0
    this.#byNumber ??= this.#allByNumber()
    return this.#byNumber.get(number)
  }

  /** Into a slot that is free. */
  put(slot: number, item: T): void {
    // Without holes, however far behind the others it is.
    while (this.#items.length <= slot) this.#items.push(undefined)
    this.#items[slot] = item
    this.#size++
    if (this.#byNumber !== undefined) this.#note(this.#byNumber, item)
  }

  /** Out of a slot that is taken. */
  free(slot: number): void {
    const item = this.#items[slot]
    if (item !== undefined) this.#byNumber?.delete(this.#numberOf(item))
    this.#items[slot] = undefined
    this.#size--
  }

  *[Symbol.iterator](): Generator<T> {
    for (const item of this.#items) if (item !== undefined) yield item
  }

  #allByNumber(): Map<number, T> {
    const byNumber = new Map<number, T>()
    for (const item of this) byNumber.set(this.#numberOf(item), item)
    return byNumber
  }

  #note(byNumber: Map<number, T>, item: T): void {
    // By then it has cost as much as to make it anew.
    if (++this.#unasked > this.#items.length) this.#byNumber = undefined
    else byNumber.set(this.#numberOf(item), item)
  }
}
