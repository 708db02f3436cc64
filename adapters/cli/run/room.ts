/** Lines that may be under way at once: what bounds the memory of a run, and the rows of its journal. */
const MOST_LINES = 5_000
const MOST_BYTES = 16 * 1024 * 1024

/** Makes the reader of the input wait for the writer of the output. */
export class Room {
  #lines = 0
  #bytes = 0
  #status: 'open' | 'closed' = 'open'
  #waiting: (() => void)[] = []

  /** Lines that have been taken and not given back. */
  get taken(): number {
    return this.#lines
  }

  /** Waits until there is room for a line, or until the room is closed. */
  async enter(bytes: number): Promise<void> {
    while (this.#status === 'open' && this.#isFull()) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.take(bytes)
  }

  /** For a line that is under way already. */
  take(bytes: number): void {
    this.#lines++
    this.#bytes += bytes
  }

  leave(bytes: number): void {
    this.#lines--
    this.#bytes -= bytes
    if (!this.#isFull()) this.#wake()
  }

  /** Nobody waits any more. */
  close(): void {
    this.#status = 'closed'
    this.#wake()
  }

  #isFull(): boolean {
    return this.#lines >= MOST_LINES || this.#bytes >= MOST_BYTES
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}
