import type { PlaceRoom } from '../protocol.ts'

const PARTS = 8

/**
 * Room of every place in jobs and bytes, as granted by the owner and used up by claims. A place whose capacity is none is
 * closed: what it gives back meanwhile makes no room.
 */
export class PlaceRooms {
  #jobs: number[] = []
  #bytes: number[] = []
  /** The lowest priority that each place was given since its room began: 0 is the highest. */
  #lowestRank: number[] = []
  #capacity: readonly PlaceRoom[] = []

  get places(): number {
    return this.#capacity.length
  }

  reset(capacity: readonly PlaceRoom[]): void {
    this.#capacity = capacity
    this.#jobs = capacity.map((each) => each.jobs)
    this.#bytes = capacity.map((each) => each.bytes)
    this.#lowestRank = capacity.map(() => 0)
  }

  isOpen(place: number): boolean {
    return (this.#capacity[place]?.jobs ?? 0) > 0
  }

  grant(place: number, jobs: number, bytes: number): void {
    this.#jobs[place] = (this.#jobs[place] ?? 0) + jobs
    this.#bytes[place] = (this.#bytes[place] ?? 0) + bytes
  }

  use(place: number, bytes: number, rank: number): void {
    this.grant(place, -1, -bytes)
    if (rank > (this.#lowestRank[place] ?? 0)) this.#lowestRank[place] = rank
  }

  has(place: number): boolean {
    return (this.#jobs[place] ?? 0) > 0 && (this.#bytes[place] ?? 0) > 0 && this.isOpen(place)
  }

  /** Whether there is more than so many jobs take. */
  hasBeyond(place: number, jobs: number): boolean {
    return this.has(place) && (this.#jobs[place] as number) > jobs
  }

  jobs(place: number): number {
    return (this.#bytes[place] ?? 0) > 0 ? Math.max(0, this.#jobs[place] ?? 0) : 0
  }

  /**
   * A place is refilled when an eighth of its room is free, in jobs and in bytes, and not job by job. With less, a place
   * whose hand is small beside its slots would have slots that wait. But where `firstRank`, the highest priority that
   * waits for it, may outrank what it has, that must not wait for so much of the hand to be worked off.
   */
  wantsRefill(place: number, firstRank: number): boolean {
    const capacity = this.#capacity[place]
    if (capacity === undefined || !this.has(place)) return false
    if (firstRank < (this.#lowestRank[place] ?? 0)) return true
    return this.jobs(place) * PARTS >= capacity.jobs && (this.#bytes[place] ?? 0) * PARTS >= capacity.bytes
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
