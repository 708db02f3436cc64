/** Where a job comes from that was taken from a broker. */
export interface Origin {
  /** Its public id. */
  readonly id: string
  /** As others see it. */
  readonly claim: number
  /** The queue that its outcome goes to. */
  readonly reply?: string
}

/** Deliveries whose rows are here, by number and by id: known without a look at the rows. */
export class TakenHere {
  readonly #origins = new Map<number, Origin>()
  readonly #numbers = new Map<string, number>()

  clear(): void {
    this.#origins.clear()
    this.#numbers.clear()
  }

  add(number: number, origin: Origin): void {
    this.#origins.set(number, origin)
    this.#numbers.set(origin.id, number)
  }

  delete(number: number): Origin | undefined {
    const origin = this.#origins.get(number)
    if (origin === undefined) return undefined
    this.#origins.delete(number)
    if (this.#numbers.get(origin.id) === number) this.#numbers.delete(origin.id)
    return origin
  }

  has(number: number): boolean {
    return this.#origins.has(number)
  }

  of(number: number): Origin | undefined {
    return this.#origins.get(number)
  }

  numberOf(id: string): number | undefined {
    return this.#numbers.get(id)
  }
}
