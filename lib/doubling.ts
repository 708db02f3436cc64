/** Waits that double while something goes on failing, and begin anew once it has not. */
export class Doubling {
  readonly #firstMs: number
  readonly #mostMs: number
  #nextMs: number

  constructor(firstMs: number, mostMs: number) {
    this.#firstMs = firstMs
    this.#mostMs = mostMs
    this.#nextMs = firstMs
  }

  /** How long to wait after this failure. */
  failed(): number {
    const ms = this.#nextMs
    this.#nextMs = Math.min(this.#mostMs, 2 * ms)
    return ms
  }

  succeeded(): void {
    this.#nextMs = this.#firstMs
  }
}
