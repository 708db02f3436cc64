/** What an item has under the heap's own key: where it stands there, -1 while it does not. The heap keeps it up to date. */
export type Placed<Key extends string> = { [key in Key]: number }

/**
 * A binary heap whose items can be found again: each keeps its own place, so that one in the middle is taken out, or put
 * right after its order has changed, in O(log n). That place is a number of the item and no object of its own, because
 * there may be a hundred thousand of them, in several heaps each.
 */
export class Heap<Key extends string, T extends Placed<Key>> {
  readonly #key: Key
  readonly #before: (a: T, b: T) => boolean
  #items: T[] = []

  /** `before` is a strict order: whether `a` comes out before `b`. */
  constructor(key: Key, before: (a: T, b: T) => boolean) {
    this.#key = key
    this.#before = before
  }

  get size(): number {
    return this.#items.length
  }

  /** The item that comes out first. */
  get first(): T | undefined {
    return this.#items[0]
  }

  has(item: T): boolean {
    return item[this.#key] >= 0
  }

  /** Puts an item in, or right if its order has changed since. */
  put(item: T): void {
    if (!this.has(item)) this.#append(item)
    this.#rise(item)
    this.#sink(item)
  }

  /** Takes an item out, wherever it stands, if it does. */
  remove(item: T): void {
    if (!this.has(item)) return
    const last = this.#items.pop() as T
    if (last !== item) {
      this.#place(last, item[this.#key])
      this.put(last)
    }
    this.#stand(item, -1)
  }

  #append(item: T): void {
    const at = this.#items.length
    // A first push would make room for 17: too much where there are very many heaps, of an item each.
    if (at === 0) this.#items = [item]
    else this.#items.push(item)
    this.#stand(item, at)
  }

  #rise(item: T): void {
    for (let at = item[this.#key]; at > 0; at = item[this.#key]) {
      const above = this.#items[(at - 1) >> 1] as T
      if (!this.#before(item, above)) return
      this.#place(item, above[this.#key])
      this.#place(above, at)
    }
  }

  #sink(item: T): void {
    for (;;) {
      const at = item[this.#key]
      const below = this.#lower(2 * at + 1)
      if (below === undefined || !this.#before(below, item)) return
      this.#place(item, below[this.#key])
      this.#place(below, at)
    }
  }

  /** The one of two neighbours that comes first. */
  #lower(at: number): T | undefined {
    const left = this.#items[at]
    const right = this.#items[at + 1]
    return left !== undefined && right !== undefined && this.#before(right, left) ? right : left
  }

  #place(item: T, at: number): void {
    this.#items[at] = item
    this.#stand(item, at)
  }

  #stand(item: Placed<Key>, at: number): void {
    item[this.#key] = at as T[Key]
  }
}
