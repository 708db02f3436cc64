import type { ClaimedJob } from '../../messages.ts'
import type { Seat } from './seat.ts'

export interface SeatsOptions {
  /** Threads that get work. */
  readonly threads: number
  /** 1: one thread more is kept ready. */
  readonly spare: 0 | 1
  /** Makes a seat, of this number, that writes its starts from this record on. */
  open(number: number, firstStart: number): Seat
  /** Records in the starts file: as many for each seat, laid out for so many seats from the first on. */
  readonly starts: { readonly first: number; readonly seats: number; readonly each: number }
  /** As many new records: the number of the first. */
  takeStarts(records: number): number
}

/**
 * The seats of a place. One of them may be the reserve: it gets no work, and its thread waits for another's to make way. A
 * place without a spare thread has one for as long as it is needed.
 */
export class Seats {
  readonly #options: SeatsOptions
  readonly #all = new Set<Seat>()
  /** By number: where it writes its starts. */
  readonly #starts: number[] = []
  readonly #freeNumbers: number[] = []
  readonly #leaving = new Set<Seat>()
  #reserve: Seat | undefined
  #working: readonly Seat[] = []
  /** Of seats that were removed. */
  #restarts = 0

  constructor(options: SeatsOptions) {
    this.#options = options
    for (let at = 0; at < options.threads; at++) this.#open()
    if (options.spare === 1) this.#reserve = this.#open()
    this.#assign()
  }

  /** All of them, those that are leaving and the reserve included. */
  [Symbol.iterator](): IterableIterator<Seat> {
    return this.#all.values()
  }

  get reserve(): Seat | undefined {
    return this.#reserve
  }

  /** Those that get work. */
  get working(): readonly Seat[] {
    return this.#working
  }

  /** Attempts that were given up and have not ended. */
  get zombies(): number {
    return this.#sum((seat) => seat.hung + (seat.active?.abandoned ?? 0))
  }

  /** Threads that will not end before the process does. */
  get hopeless(): number {
    return this.#sum((seat) => seat.hopeless)
  }

  /** Threads that were replaced. */
  get restarts(): number {
    return this.#restarts + this.#sum((seat) => seat.restarts)
  }

  /** Whether it is one of those that get work. */
  works(seat: Seat): boolean {
    return seat !== this.#reserve && !this.#leaving.has(seat)
  }

  /** The reserve takes over, if its thread is ready; whose seat it is not is the next reserve. */
  relieve(seat: Seat): 'relieved' | 'alone' {
    if (this.#reserve === undefined || this.#reserve.thread === undefined || !this.works(seat)) return 'alone'
    this.#reserve = seat
    this.#assign()
    return 'relieved'
  }

  /** From now on there is one; its thread has still to become ready. */
  keepReserve(): void {
    this.#reserve ??= this.#open()
  }

  /** There is none any more. Who was it leaves, replaced by the seat that it has made way for. */
  dismissReserve(): Seat | undefined {
    const seat = this.#reserve
    if (seat === undefined) return undefined
    this.#leaving.add(seat)
    this.#reserve = undefined
    this.#restarts++
    return seat
  }

  /** Takes back those of these jobs that have not started. */
  takeBack(numbers: ReadonlySet<number>): ClaimedJob[] {
    return [...this].flatMap(({ active }) => active?.recall(({ job }) => numbers.has(job.number)) ?? [])
  }

  grow(): void {
    this.#open()
    this.#assign()
  }

  /** The one with the least to do, which gets no more work. */
  shrink(): Seat | undefined {
    const toDo = ({ active }: Seat) => active?.size ?? 0
    const [least] = [...this.#working].sort((a, b) => toDo(a) - toDo(b))
    if (least !== undefined) this.#leaving.add(least)
    this.#assign()
    return least
  }

  /** One that has left, and on which nothing runs any more. */
  remove(seat: Seat): void {
    this.#freeNumbers.push(seat.number)
    this.#restarts += seat.restarts
    this.#all.delete(seat)
    this.#leaving.delete(seat)
  }

  #assign(): void {
    this.#working = [...this].filter((seat) => this.works(seat))
  }

  #open(): Seat {
    const number = this.#freeNumbers.pop() ?? this.#starts.push(this.#newStart()) - 1
    const seat = this.#options.open(number, this.#starts[number] as number)
    this.#all.add(seat)
    return seat
  }

  #newStart(): number {
    const { starts, takeStarts } = this.#options
    const at = this.#starts.length
    return at < starts.seats ? starts.first + at * starts.each : takeStarts(starts.each)
  }

  #sum(count: (seat: Seat) => number): number {
    let sum = 0
    for (const seat of this.#all) sum += count(seat)
    return sum
  }
}
