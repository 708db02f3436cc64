import type { Behavior } from '../../lib/actor.ts'
import type { Clock } from '../../lib/clock.ts'
import { toErrorRecord } from '../../lib/error-record.ts'
import type { Outcome } from '../../lib/outcome.ts'
import {
  type ClaimedJob,
  type DispatcherMessage,
  type DispatcherQuestion,
  type Ended,
  type InHand,
  type JobSource,
  overridesOf,
  type Place,
} from '../messages.ts'
import { Hand } from './hand.ts'

export interface DispatcherOptions {
  readonly clock: Clock
  readonly places: readonly Place[]
  /** Places, by index, that take nothing any more. */
  readonly stopped: ReadonlyMap<number, Error>
  /** Claims that were told and not read yet, by this dispatcher or by one before it, and the place that put them back. */
  readonly undispatched: Map<readonly ClaimedJob[], number | undefined>
  /** Questions that were told and not read yet. */
  readonly asked: Set<DispatcherQuestion>
  /** Jobs that somebody wants cancelled: one that was on its way here when that was said does not start. */
  readonly wishes: ReadonlySet<number>
  placeOf(job: ClaimedJob): number
  /** Whether a job does not start now, since somebody has paused its task, or its breaker is open. */
  isHeld(job: ClaimedJob): boolean
  /** Whether a broker has taken its delivery back: one that has not started does not. */
  isLost?(number: number): boolean
  /** Claims that ended without a place: in the hand, or given back. */
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

  /** The jobs of one place, as many as `size` says. */
  hand(place: number): Iterable<ClaimedJob> & { readonly size: number } {
    return this.#hands[place] ?? NO_HAND
  }

  *jobs(): Generator<ClaimedJob> {
    for (const hand of this.#hands) yield* hand
  }

  /** The same, each with the place that it waits for. */
  *occupants(): Generator<InHand> {
    for (const [place, hand] of this.#hands.entries()) for (const job of hand) yield { place, job }
  }

  start(): void {
    this.#takeRest()
  }

  receive(message: DispatcherMessage): void {
    const { undispatched, asked } = this.#options
    switch (message.type) {
      case 'claimed':
        // Else it was found there at the start.
        if (undispatched.delete(message.jobs)) this.#claimed(message.jobs)
        return
      case 'room':
        return this.#feed(message.place)
      case 'put-back':
        if (undispatched.delete(message.jobs)) this.#putBack(message.place, message.jobs)
        return
      case 'remove':
        asked.delete(message)
        return message.answer(this.#remove(message.numbers))
      case 'pauses-changed':
        asked.delete(message)
        this.#withdraw((job) => this.#options.isHeld(job))
        return message.answer()
      case 'place-stopped':
        return this.#giveBack(message.place)
      case 'task-moved':
        return this.#moved(message.task)
    }
  }

  /** What is in the hands has not started: it goes back, uncharged and at its old place in the order. */
  stop(): void {
    this.#takeRest()
    this.#hands.forEach((_, place) => this.#giveBack(place))
    const { asked } = this.#options
    for (const question of asked) question.answer([])
    asked.clear()
  }

  #takeRest(): void {
    for (const [jobs, place] of this.#options.undispatched) {
      this.receive(place === undefined ? { type: 'claimed', jobs } : { type: 'put-back', place, jobs })
    }
  }

  #claimed(jobs: readonly ClaimedJob[]): void {
    const touched = new Set<number>()
    for (const job of jobs) {
      const place = this.#options.placeOf(job)
      const hand = this.#hands[place]
      if (hand === undefined) continue
      if (this.#options.isHeld(job)) {
        this.#release(place, [job])
        continue
      }
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
    const { placeOf, isHeld } = this.#options
    const mayNotStay = (job: ClaimedJob) => placeOf(job) !== place || isHeld(job)
    this.#release(place, jobs.filter(mayNotStay))
    for (let at = jobs.length - 1; at >= 0; at--) {
      const job = jobs[at] as ClaimedJob
      if (!mayNotStay(job)) this.#hands[place]?.putBack(job)
    }
    this.#feed(place)
  }

  #moved(task: number): void {
    const { placeOf } = this.#options
    this.#withdraw((job, place) => job.task === task && placeOf(job) !== place)
  }

  /** Only what has begun ends where it is; what is offered comes back by `putBack`. */
  #withdraw(which: (job: ClaimedJob, place: number) => boolean): void {
    for (const [place, hand] of this.#hands.entries()) {
      const here = (job: ClaimedJob) => which(job, place)
      this.#release(place, hand.removeAll(here))
      this.#options.places[place]?.recall(here)
    }
  }

  #remove(numbers: ReadonlySet<number>): InHand[] {
    return this.#hands.flatMap((hand, place) => {
      const held = hand.removeAll(({ number }) => numbers.has(number))
      const offered = this.#options.places[place]?.takeBack(numbers) ?? []
      return [...held, ...offered].map((job) => ({ place, job }))
    })
  }

  #giveBack(place: number): void {
    this.#release(place, this.#hands[place]?.clear() ?? [])
  }

  #release(place: number, jobs: readonly ClaimedJob[]): void {
    if (jobs.length > 0) this.#options.ended(place, jobs.map(givenBack))
  }

  /** A job that outranks what was offered already need not wait behind it. */
  #makeWay(place: number, hand: Hand, job: ClaimedJob): void {
    if (job.rank >= (hand.firstRank() ?? job.rank + 1)) return
    this.#options.places[place]?.recall(({ rank }) => rank > job.rank)
  }

  #endBeforeStart(job: ClaimedJob): Outcome | undefined {
    const { wishes, clock, isLost } = this.#options
    if (isLost?.(job.number) === true) return { type: 'interrupted', cause: 'lost' }
    if (wishes.size > 0 && wishes.has(job.number)) return { type: 'cancelled' }
    if (job.extra === null) return undefined
    const { expiresAt, overrides } = job.extra
    if (expiresAt !== undefined && expiresAt <= clock.now()) return { type: 'expired' }
    return overrides === undefined ? undefined : damage(job)
  }

  /** The hand as its place sees it: without what may not start any more. */
  #sourceOf(hand: Hand, place: number): JobSource {
    const take = (): ClaimedJob | undefined => {
      for (;;) {
        const job = hand.take()
        const outcome = job === undefined ? undefined : this.#endBeforeStart(job)
        if (job === undefined || outcome === undefined) return job
        this.#options.ended(place, [{ job, outcome, startedAt: undefined, endedAt: undefined }])
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

/** Where its row was damaged: whoever starts it would need what cannot be read. */
function damage(job: ClaimedJob): Outcome | undefined {
  try {
    overridesOf(job)
    return undefined
  } catch (error) {
    return { type: 'failed', error: toErrorRecord(error), retry: 'never' }
  }
}

const NO_HAND = new Hand()

function givenBack(job: ClaimedJob): Ended {
  return { job, outcome: { type: 'interrupted', cause: 'drain' }, startedAt: undefined, endedAt: undefined }
}
