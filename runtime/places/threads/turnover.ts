import type { Clock } from '../../../lib/clock.ts'
import { causeToRecycle, type RecycleCause, type RecycleLimits, type Usage } from '../../../lib/recycle.ts'
import type { Incarnation } from './incarnation.ts'
import type { Seat } from './seat.ts'
import type { Seats } from './seats.ts'

/** What the modules of a thread get for their teardown when it makes way. */
const TEARDOWN_MS = 5_000

export interface TurnoverOptions {
  readonly clock: Clock
  readonly seats: Seats
  readonly recycle: RecycleLimits | undefined
  /** What the thread was offered and has not begun goes to others. */
  giveBack(thread: Incarnation): void
  /** Resolves when the condition holds, however long that takes. */
  until(condition: () => boolean): Promise<void>
  recycled(cause: RecycleCause, usage: Usage): void
  /** Another thread takes work in place of one. */
  relieved(): void
}

/** How threads come and go while their place runs, without a pause of it and without charging anybody. */
export class Turnover {
  readonly #options: TurnoverOptions
  /** Threads that shall make way. */
  readonly #due = new WeakMap<Incarnation, RecycleCause>()

  constructor(options: TurnoverOptions) {
    this.#options = options
  }

  /** The thread makes way as soon as another one is ready: so far it serves on, since what it runs may take long. */
  recycle(seat: Seat, cause: RecycleCause): void {
    if (seat.thread === undefined) return
    this.#due.set(seat.thread, cause)
    this.#options.seats.keepReserve()
    this.recycleIfDue(seat)
  }

  /** To be called when something has happened on a seat; where that is the reserve, others may have waited for it. */
  recycleIfDue(seat: Seat): void {
    const { seats } = this.#options
    if (seats.reserve?.thread === undefined) return
    for (const each of seat === seats.reserve ? seats.working : [seat]) this.#recycleIfDue(each)
    if (seats.reserve?.thread !== undefined && !this.#wantsReserve) void this.#dismissReserve()
  }

  /** The first one takes the reserve; the others wait for the next. */
  #recycleIfDue(seat: Seat): void {
    const { seats, clock, recycle } = this.#options
    const { thread } = seat
    if (thread === undefined || !seats.works(seat) || seats.reserve?.thread === undefined) return
    const cause = this.#due.get(thread) ?? causeToRecycle(recycle ?? {}, thread.usage(clock.monotonicMs()))
    if (cause !== undefined) void this.#makeWay(seat, thread, cause)
  }

  /** The thread finishes what it runs; the reserve takes what it had not begun. */
  async #makeWay(seat: Seat, thread: Incarnation, cause: RecycleCause): Promise<void> {
    const { clock, seats, recycled } = this.#options
    recycled(cause, thread.usage(clock.monotonicMs()))
    await this.#finish(seat, thread)
    if (seat === seats.reserve && !this.#wantsReserve) return this.#dismissReserve()
    thread.post({ type: 'retire' })
    clock.setTimer(TEARDOWN_MS, () => seat.terminate(thread)).unref()
  }

  get #wantsReserve(): boolean {
    const { seats, recycle } = this.#options
    return recycle !== undefined || seats.working.some(({ thread }) => thread !== undefined && this.#due.has(thread))
  }

  async #dismissReserve(): Promise<void> {
    const seat = this.#options.seats.dismissReserve()
    if (seat !== undefined) await this.#takeAway(seat)
  }

  /** The reserve has its work, if there is one. */
  relieve(seat: Seat): void {
    const { seats, relieved } = this.#options
    if (seats.relieve(seat) === 'relieved') relieved()
  }

  resize({ before, threads }: { readonly before: number; readonly threads: number }): void {
    for (let more = before; more < threads; more++) this.#options.seats.grow()
    for (let less = before; less > threads; less--) void this.#shrink()
  }

  async #shrink(): Promise<void> {
    const { seats } = this.#options
    const seat = seats.shrink()
    if (seat === undefined) return
    // One that makes way already runs what it has to its end as well.
    if (seat.active !== undefined) await this.#finish(seat, seat.active)
    await this.#takeAway(seat)
  }

  /** Its thread tears its modules down, and no other comes. */
  async #takeAway(seat: Seat): Promise<void> {
    const { seats, clock } = this.#options
    const { active } = seat
    seat.leave()
    clock.setTimer(TEARDOWN_MS, () => seat.terminate(active)).unref()
    await seat.empty()
    seats.remove(seat)
    await seat.destroy()
  }

  /** It gets no more work. Resolves when it has ended what it runs. */
  #finish(seat: Seat, thread: Incarnation): Promise<void> {
    const { giveBack, until } = this.#options
    thread.status = 'closing'
    this.relieve(seat)
    giveBack(thread)
    return until(() => thread.entries.every((entry) => thread.state(entry) !== 'taken'))
  }
}
