import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'

/** What is known of a task's runs since it was looked at first, or since `forget`. */
export interface RunTimesOfTask {
  readonly runs: number
  readonly p95Ms: number | undefined
  readonly longestMs: number
}

/** A p95 is of this many runs at least once there were as many, and of twice as many at most. */
const GENERATION = 500

/** An hour, in µs: longer runs count as that. */
const LONGEST_US = 3.6e9

/** Two figures: a p95 is right to a hundredth, and a histogram stays small. */
const histogram = () => createHistogram({ lowest: 1, highest: LONGEST_US, figures: 2 })

/**
 * The run times of one task, with the old ones forgotten: every run goes into two histograms, of which the younger takes
 * the place of the elder when it has seen enough.
 */
export class RunTimes {
  #elder: RecordableHistogram = histogram()
  #younger: RecordableHistogram = histogram()
  #inYounger = 0
  #runs = 0
  #longestMs = 0

  add(ms: number): void {
    const us = Math.min(LONGEST_US, Math.max(1, Math.round(ms * 1_000)))
    this.#elder.record(us)
    this.#younger.record(us)
    this.#runs++
    if (ms > this.#longestMs) this.#longestMs = ms
    if (++this.#inYounger < GENERATION) return
    this.#elder = this.#younger
    this.#younger = histogram()
    this.#inYounger = 0
    this.#longestMs = this.#elder.max / 1_000
  }

  /** One that has not ended yet has run for so long. */
  runsFor(ms: number): void {
    if (ms > this.#longestMs) this.#longestMs = ms
  }

  get summary(): RunTimesOfTask {
    const p95Ms = this.#runs === 0 ? undefined : this.#elder.percentile(95) / 1_000
    return { runs: this.#runs, p95Ms, longestMs: this.#longestMs }
  }
}
