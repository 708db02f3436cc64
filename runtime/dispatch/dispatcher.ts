import type { Behavior } from '../../lib/actor.ts'
import type { Clock } from '../../lib/clock.ts'
import type { ClaimedJob, DispatcherMessage, Ended, JobSource, Place } from '../messages.ts'
import { Hand } from './hand.ts'

export interface DispatcherOptions {
  readonly clock: Clock
  readonly places: readonly Place[]
  /** Places, by index, that take nothing any more. */
  readonly stopped: ReadonlyMap<number, Error>
  /** Claims that were told and not read yet, by this dispatcher or by one before it. */
  readonly undispatched: Set<readonly ClaimedJob[]>
  placeOf(task: number): number
  /** Claims that ended without a place: expired in the hand, or given back. */
  ended(place: number, ended: readonly Ended[]): void
}

/**
 * Keeps each place's hand and lets the place take from it. What it holds are claims that the journal has written: if it
 * is lost, they are given back and claimed anew.
 */
export class Dispatcher implements Behavior<DispatcherMessage> {
  readonly #options: DispatcherOptions
  readonly #hands: readonly Hand[]
  readonly #sources: readonly JobSource[]

  constructor(options: DispatcherOptions) {
    this.#options = options
    this.#hands = options.places.map(() => new Hand())
    this.#sources = this.#hands.map((hand, place) => this.#sourceOf(hand, place))
  }

  /** Jobs in all hands: claimed, in memory, not yet offered to a slot. */
  get held(): number {
    return this.#hands.reduce((sum, hand) => sum + hand.size, 0)
  }

  *jobs(): Generator<ClaimedJob> {
    for (const hand of this.#hands) yield* hand
  }

  start(): void {
    this.#takeRest()
  }

  receive(message: DispatcherMessage): void {
    switch (message.type) {
      case 'claimed':
        this.#options.undispatched.delete(message.jobs)
        return this.#claimed(message.jobs)
      case 'room':
        return this.#feed(message.place)
      case 'put-back':
        this.#options.undispatched.delete(message.jobs)
        return this.#putBack(message.place, message.jobs)
      case 'remove':
        return message.answer(this.#remove(message.number))
      case 'place-stopped':
        return this.#giveBack(message.place)
    }
  }

  /** What is in the hands has not started: it goes back, uncharged and at its old place in the order. */
  stop(): void {
    this.#takeRest()
    this.#hands.forEach((_, place) => this.#giveBack(place))
  }

  #takeRest(): void {
    for (const jobs of this.#options.undispatched) this.receive({ type: 'claimed', jobs })
  }

  #claimed(jobs: readonly ClaimedJob[]): void {
    const touched = new Set<number>()
    for (const job of jobs) {
      const place = this.#options.placeOf(job.task)
      const hand = this.#hands[place]
      if (hand === undefined) continue
      this.#makeWay(place, hand, job)
      hand.add(job)
      touched.add(place)
    }
    for (const place of touched) this.#feed(place)
  }

  #feed(place: number): void {
    if (this.#options.stopped.has(place)) return this.#giveBack(place)
    const source = this.#sources[place]
    if (source !== undefined && source.size > 0) this.#options.places[place]?.pull(source)
  }

  #putBack(place: number, jobs: readonly ClaimedJob[]): void {
    for (let at = jobs.length - 1; at >= 0; at--) this.#hands[place]?.putBack(jobs[at] as ClaimedJob)
    this.#feed(place)
  }

  #remove(number: number): ClaimedJob | undefined {
    for (const hand of this.#hands) {
      const job = hand.remove(number)
      if (job !== undefined) return job
    }
    return undefined
  }

  #giveBack(place: number): void {
    const jobs = this.#hands[place]?.clear() ?? []
    if (jobs.length > 0) this.#options.ended(place, jobs.map(givenBack))
  }

  /** A job that outranks what was offered already need not wait behind it. */
  #makeWay(place: number, hand: Hand, job: ClaimedJob): void {
    if (job.rank < (hand.firstRank() ?? job.rank + 1)) this.#options.places[place]?.recallBehind(job.rank)
  }

  /** The hand as its place sees it: without what may not start any more. */
  #sourceOf(hand: Hand, place: number): JobSource {
    const take = (): ClaimedJob | undefined => {
      for (;;) {
        const job = hand.take()
        const expiresAt = job?.extra?.expiresAt
        if (job === undefined || expiresAt === undefined || expiresAt > this.#options.clock.now()) return job
        this.#options.ended(place, [{ job, outcome: { type: 'expired' }, startedAt: undefined, endedAt: undefined }])
      }
    }
    return {
      get size() {
        return hand.size
      },
      take,
    }
  }
}

function givenBack(job: ClaimedJob): Ended {
  return { job, outcome: { type: 'interrupted', cause: 'drain' }, startedAt: undefined, endedAt: undefined }
}
