import { numbersOf } from './claims.ts'
import type { ClaimedJob, JobSource, Place, PlaceReport, Stuck } from '../../runtime/messages.ts'

/** A place that keeps what it takes in slots until a test ends it, and notes what it was asked. */
export class SlotPlace implements Place {
  readonly name = 'slots'
  readonly kind = 'tier'
  readonly ready = Promise.resolve([])
  readonly capacity = { jobs: 10, bytes: 1_000 }
  readonly parallel = 10
  /** The numbers of the jobs that were meant, by call. */
  readonly recalls: number[][] = []
  pulls = 0
  slots: number
  #claims: ClaimedJob[] = []
  readonly #begun = new Set<number>()

  constructor(slots: number) {
    this.slots = slots
  }

  pull(source: JobSource): void {
    this.pulls++
    while (this.#claims.length < this.slots) {
      const job = source.take()
      if (job === undefined) return
      this.#claims.push(job)
    }
  }

  recall(which: (job: ClaimedJob) => boolean): void {
    this.recalls.push(numbersOf(this.#claims.filter(which)))
  }

  takeBack(numbers: ReadonlySet<number>): readonly ClaimedJob[] {
    const jobs = this.#claims.filter(({ number }) => numbers.has(number) && !this.#begun.has(number))
    for (const { number } of jobs) this.finish(number)
    return jobs
  }

  cancel(): 'absent' {
    return 'absent'
  }

  resize(): 'refused' {
    return 'refused'
  }

  claims(): readonly ClaimedJob[] {
    return this.#claims
  }

  report(): Promise<PlaceReport> {
    return Promise.resolve({ threads: [], zombies: 0, restarts: 0 })
  }

  find(): undefined {
    return undefined
  }

  stop(): Promise<readonly Stuck[]> {
    return Promise.resolve([])
  }

  begin(number: number): void {
    this.#begun.add(number)
  }

  finish(number: number): void {
    this.#claims = this.#claims.filter((job) => job.number !== number)
  }

  /** Everything that it has, as after the exit of its thread. */
  giveUp(): ClaimedJob[] {
    return this.#claims.splice(0)
  }
}
