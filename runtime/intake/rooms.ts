import type { Subscription } from '../../lib/broker.ts'
import type { Clock } from '../../lib/clock.ts'

export interface RoomsOptions {
  readonly clock: Clock
  /** By place index. */
  readonly subscriptions: readonly Subscription[]
  /** How many jobs a place runs at once; 0 while it starts none. */
  parallelOf(place: number): number
  /** How many jobs of it have ended in all. */
  endedOf(place: number): number
}

/** How often rooms are looked at. */
export const ROOM_MS = 250
/** Within less, what has ended says too little. */
const SOONEST_MS = 25
const MOST = 1_000

interface Room {
  readonly subscription: Subscription
  prefetch: number
  endedBefore: number
  lookedAtMs: number
}

/** How many deliveries each place may have. */
export class Rooms {
  readonly #options: RoomsOptions
  readonly #rooms: readonly Room[]

  constructor(options: RoomsOptions) {
    this.#options = options
    const lookedAtMs = options.clock.monotonicMs()
    this.#rooms = options.subscriptions.map((subscription, place) => ({
      subscription,
      prefetch: 0,
      endedBefore: options.endedOf(place),
      lookedAtMs,
    }))
  }

  look(): void {
    const atMs = this.#options.clock.monotonicMs()
    this.#rooms.forEach((room, place) => this.#set(room, place, atMs))
  }

  /** While deliveries come: a place that has just begun need not be slow until the next look. */
  lookForMore(): void {
    const atMs = this.#options.clock.monotonicMs()
    this.#rooms.forEach((room, place) => {
      if (atMs - room.lookedAtMs < SOONEST_MS || this.#wanted(room, place, atMs) < room.prefetch * 2) return
      this.#set(room, place, atMs)
    })
  }

  shut(): void {
    for (const room of this.#rooms) {
      room.prefetch = 0
      room.subscription.setPrefetch(0)
    }
  }

  #wanted({ endedBefore, lookedAtMs }: Room, place: number, atMs: number): number {
    const { parallelOf, endedOf } = this.#options
    return roomOf(parallelOf(place), endedOf(place) - endedBefore, atMs - lookedAtMs)
  }

  #set(room: Room, place: number, atMs: number): void {
    const prefetch = steadied(room.prefetch, this.#wanted(room, place, atMs))
    room.endedBefore = this.#options.endedOf(place)
    room.lookedAtMs = atMs
    if (prefetch === room.prefetch) return
    room.prefetch = prefetch
    room.subscription.setPrefetch(prefetch)
  }
}

/**
 * How many deliveries a place may have: what it runs at once, and as much as it ends between two looks, so that the next
 * ones are here before it is done. More would be hoarded: another node could run it.
 */
export function roomOf(parallel: number, ended: number, withinMs: number): number {
  if (parallel === 0) return 0
  const between = Math.round((ended * ROOM_MS) / Math.max(SOONEST_MS, withinMs))
  return Math.min(MOST, Math.max(parallel, between))
}

/** Each change is a pause of the subscription: what is nearly right stays. */
export function steadied(room: number, wanted: number): number {
  return wanted > room * 1.5 || wanted < room / 2 || (wanted === MOST && room > MOST / 2) ? wanted : room
}
