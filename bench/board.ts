import { getEnvironmentData, isMainThread, setEnvironmentData } from 'node:worker_threads'

const KEY = 'millrace.bench.board'
const SAMPLES = 2 ** 19
const COUNTERS = ['gate', 'samples', 'charged'] as const

type Counter = (typeof COUNTERS)[number]

const ALIGNED = 16

/**
 * Memory that the bench and the handlers in all threads share, so that a handler can report a time without a message
 * that would itself be measured.
 */
class Board {
  readonly buffer: SharedArrayBuffer
  readonly #counters: Int32Array
  readonly #samples: Float64Array

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer
    this.#counters = new Int32Array(buffer, 0, COUNTERS.length)
    this.#samples = new Float64Array(buffer, ALIGNED)
  }

  get(counter: Counter): number {
    return Atomics.load(this.#counters, COUNTERS.indexOf(counter))
  }

  set(counter: Counter, value: number): void {
    Atomics.store(this.#counters, COUNTERS.indexOf(counter), value)
  }

  /** Adds one; returns what it was before. */
  count(counter: Counter): number {
    return Atomics.add(this.#counters, COUNTERS.indexOf(counter), 1)
  }

  /** What is beyond the room is dropped. */
  record(sample: number): void {
    this.#samples[this.count('samples')] = sample
  }

  /** Everything recorded since the last call. */
  takeSamples(): Float64Array {
    const samples = this.#samples.slice(0, this.get('samples'))
    this.set('samples', 0)
    return samples
  }
}

function ownBoard(): Board {
  const buffer = new SharedArrayBuffer(ALIGNED + 8 * SAMPLES)
  // Threads that are started from now on find it there.
  setEnvironmentData(KEY, buffer as never)
  return new Board(buffer)
}

export const board: Board = isMainThread ? ownBoard() : new Board(getEnvironmentData(KEY) as never)

/** Milliseconds with fractions, of the same origin in every thread (that of `performance.now` differs). */
export function nowMs(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1e3 + nanoseconds / 1e6
}
