import type { TierPool } from './tier-pool.ts'

/** For each place that starts with threads: how many, and what makes one. */
export interface EarlySeats {
  readonly place: number
  readonly threads: number
  open(): TierPool
}

/** The first threads of the places, which start while the journal opens: neither has to wait for the other. */
export class EarlyThreads {
  readonly #seats: readonly EarlySeats[]
  readonly #pools = new Map<number, TierPool[]>()

  constructor(seats: readonly EarlySeats[]) {
    this.#seats = seats
  }

  start(): void {
    for (const { place, threads, open } of this.#seats) {
      const pools = this.#pools.get(place) ?? []
      while (pools.length < threads) pools.push(open())
      this.#pools.set(place, pools)
    }
  }

  /** One for a seat of the place, if any is left. */
  take(place: number): TierPool | undefined {
    return this.#pools.get(place)?.pop()
  }

  /** Ends those that nobody has taken. */
  async close(): Promise<void> {
    const left = [...this.#pools.values()].flatMap((pools) => pools.splice(0))
    await Promise.all(left.map((pool) => pool.destroy()))
  }
}
