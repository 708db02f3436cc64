import type { Clock } from '../../lib/clock.ts'
import { causeToRecycle, type RecycleCause, type RecycleLimits, type Usage } from '../../lib/recycle.ts'
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

  constructor(options: TurnoverOptions) {
    this.#options = options
  }

  /** To be called when something has happened on a seat; where that is the reserve, others may have waited for it. */
  recycleIfDue(seat: Seat): void {
    const { recycle, seats } = this.#options
    if (recycle === undefined) return
    const due = seat === seats.reserve ? seats.working : [seat]
    for (const each of due) this.#recycleIfDue(each, recycle)
  }

  /** It waits until the reserve is ready: so far this thread serves on. */
  #recycleIfDue(seat: Seat, recycle: RecycleLimits): void {
    const { seats, clock } = this.#options
    const { thread } = seat
    if (thread === undefined || !seats.works(seat)) return
    if (seats.reserve !== undefined && seats.reserve.thread === undefined) return
    const cause = causeToRecycle(recycle, thread.usage(clock.monotonicMs()))
    if (cause !== undefined) this.recycle(seat, cause)
  }

  /** The thread finishes what it runs and makes way for another, which takes what it had not begun. */
  recycle(seat: Seat, cause: RecycleCause): void {
    const { thread } = seat
    if (thread === undefined) return
    const { clock, recycled } = this.#options
    recycled(cause, thread.usage(clock.monotonicMs()))
    void this.#finish(seat, thread).then(() => {
      thread.post({ type: 'retire' })
      clock.setTimer(TEARDOWN_MS, () => seat.terminate(thread)).unref()
    })
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
    seat.leave()
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
