/** A set of line numbers at a bit each: a million of them take 125 KB. */
export class LineSet {
  #bits = new Uint8Array(1_024)
  #size = 0

  get size(): number {
    return this.#size
  }

  has(line: number): boolean {
    return ((this.#bits[line >>> 3] ?? 0) & (1 << (line & 7))) !== 0
  }

  add(line: number): void {
    if (this.has(line)) return
    const at = line >>> 3
    if (at >= this.#bits.length) this.#grow(at + 1)
    this.#bits[at] = (this.#bits[at] as number) | (1 << (line & 7))
    this.#size++
  }

  delete(line: number): void {
    if (!this.has(line)) return
    const at = line >>> 3
    this.#bits[at] = (this.#bits[at] as number) & ~(1 << (line & 7))
    this.#size--
  }

  deleteAll(others: LineSet): void {
    for (let line = 0; line < others.#bits.length * 8; line++) if (others.has(line)) this.delete(line)
  }

  #grow(least: number): void {
    const bits = new Uint8Array(Math.max(least, this.#bits.length * 2))
    bits.set(this.#bits)
    this.#bits = bits
  }
}
