import type { PlaceRoom } from './protocol.ts'

/** Room of every place in jobs and bytes, as granted by the owner and used up by claims. */
export class Rooms {
  #jobs: number[] = []
  #bytes: number[] = []
  #capacity: readonly PlaceRoom[] = []

  get places(): number {
    return this.#capacity.length
  }

  reset(capacity: readonly PlaceRoom[]): void {
    this.#capacity = capacity
    this.#jobs = capacity.map((each) => each.jobs)
    this.#bytes = capacity.map((each) => each.bytes)
  }

  grant(place: number, jobs: number, bytes: number): void {
    this.#jobs[place] = (this.#jobs[place] ?? 0) + jobs
    this.#bytes[place] = (this.#bytes[place] ?? 0) + bytes
  }

  use(place: number, bytes: number): void {
    this.grant(place, -1, -bytes)
  }

  has(place: number): boolean {
    return (this.#jobs[place] ?? 0) > 0 && (this.#bytes[place] ?? 0) > 0
  }

  jobs(place: number): number {
    return (this.#bytes[place] ?? 0) > 0 ? Math.max(0, this.#jobs[place] ?? 0) : 0
  }

  /** A place is refilled when half of its room is free, in one claim, not job by job. */
  wantsRefill(place: number): boolean {
    const capacity = this.#capacity[place]
    if (capacity === undefined || !this.has(place)) return false
    return this.jobs(place) * 2 >= capacity.jobs || (this.#bytes[place] ?? 0) * 2 >= capacity.bytes * 1.5
  }

  /** For undoing what a rolled back transaction has used. */
  snapshot(): () => void {
    const jobs = [...this.#jobs]
    const bytes = [...this.#bytes]
    return () => {
      this.#jobs = jobs
      this.#bytes = bytes
    }
  }
}
