const SMALLEST = 16

/**
 * A queue with two ends that never moves what it holds, except to grow or to shrink: every operation takes constant
 * time on average, and room that a burst needed is given back.
 */
export class Ring<T> implements Iterable<T> {
  /** None, or a power of two of them, so that `& (length - 1)` wraps a position. */
  #places: (T | undefined)[] = []
  #first = 0
  #length = 0

  get length(): number {
    return this.#length
  }

  push(item: T): void {
    if (this.#length === this.#places.length) this.#grow()
    this.#places[(this.#first + this.#length) & (this.#places.length - 1)] = item
    this.#length++
  }

  pushFront(item: T): void {
    if (this.#length === this.#places.length) this.#grow()
    this.#first = (this.#first - 1) & (this.#places.length - 1)
    this.#places[this.#first] = item
    this.#length++
  }

  /** Takes out the first; undefined if there is none, so ask `length` where items may be undefined themselves. */
  shift(): T | undefined {
    if (this.#length === 0) return undefined
    const item = this.#places[this.#first]
    this.#places[this.#first] = undefined
    this.#first = (this.#first + 1) & (this.#places.length - 1)
    this.#length--
    // At an eighth, to a quarter: at a half, one item more and one less would copy all of them each time.
    if (this.#length < this.#places.length / 8 && this.#places.length > SMALLEST) this.#resize(this.#places.length / 4)
    return item
  }

  /** The first, left where it is; undefined if there is none. */
  peek(): T | undefined {
    return this.#places[this.#first]
  }

  /** The last, left where it is; undefined if there is none. */
  last(): T | undefined {
    return this.#places[(this.#first + this.#length - 1) & (this.#places.length - 1)]
  }

  clear(): void {
    this.#places = []
    this.#first = 0
    this.#length = 0
  }

  /** From first to last. The ring must not be changed meanwhile. */
  *[Symbol.iterator](): Generator<T> {
    for (let at = 0; at < this.#length; at++) yield this.#at(at)
  }

  #at(offset: number): T {
    return this.#places[(this.#first + offset) & (this.#places.length - 1)] as T
  }

  #grow(): void {
    this.#resize(Math.max(SMALLEST, this.#places.length * 2))
  }

  /** Places are pushed and not reserved: V8 is slower with arrays that have had holes. */
  #resize(capacity: number): void {
    const places: (T | undefined)[] = []
    for (let at = 0; at < capacity; at++) places.push(at < this.#length ? this.#at(at) : undefined)
    this.#places = places
    this.#first = 0
  }
}
