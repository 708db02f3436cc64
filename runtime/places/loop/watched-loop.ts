/**
 * The memory that the service's own loop and the thread that watches it share: a beat, and the handler that the loop is
 * calling now. A call is a number that rises; while it stands there the loop is in that handler, before its first await.
 * Whoever takes it out first decides: the loop when the handler has returned, or the watchdog when it condemns the call.
 */

const FLOATS = { number: 0, startedAt: 1, hardLimitMs: 2, length: 3 } as const
const INTS = { beat: 0, call: 1, task: 2, length: 3 } as const

const MOST = 2 ** 30

export interface WatchedCall {
  readonly call: number
  /** Index of its task. */
  readonly task: number
  /** Number of the job. */
  readonly number: number
  /** Monotonic ms. */
  readonly startedAt: number
  readonly hardLimitMs: number
}

export class WatchedLoop {
  readonly buffer: SharedArrayBuffer
  readonly #floats: Float64Array
  readonly #ints: Int32Array
  #call = 0

  constructor(buffer = new SharedArrayBuffer(8 * FLOATS.length + 4 * INTS.length)) {
    this.buffer = buffer
    this.#floats = new Float64Array(buffer, 0, FLOATS.length)
    this.#ints = new Int32Array(buffer, 8 * FLOATS.length, INTS.length)
  }

  get beats(): number {
    return Atomics.load(this.#ints, INTS.beat)
  }

  beat(): void {
    Atomics.add(this.#ints, INTS.beat, 1)
  }

  /** The loop, before it calls a handler; returns the number of the call. */
  enter(task: number, number: number, startedAt: number, hardLimitMs: number): number {
    this.#call = this.#call === MOST ? 1 : this.#call + 1
    this.#floats[FLOATS.number] = number
    this.#floats[FLOATS.startedAt] = startedAt
    this.#floats[FLOATS.hardLimitMs] = hardLimitMs
    this.#ints[INTS.task] = task
    return Atomics.store(this.#ints, INTS.call, this.#call)
  }

  /** The loop, when the handler has returned. Condemned: somebody is about to unwind what stands on the stack. */
  leave(): 'left' | 'condemned' {
    return Atomics.compareExchange(this.#ints, INTS.call, this.#call, 0) === this.#call ? 'left' : 'condemned'
  }

  /** The loop: a condemned call that still stands here has not come back, or is not expected to any more. */
  forget(): 'condemned' | 'nothing' {
    if (Atomics.load(this.#ints, INTS.call) >= 0) return 'nothing'
    Atomics.store(this.#ints, INTS.call, 0)
    return 'condemned'
  }

  /** The watchdog: the call that the loop is in, unless that changes just now. */
  get present(): WatchedCall | undefined {
    const call = Atomics.load(this.#ints, INTS.call)
    if (call <= 0) return undefined
    const present = {
      call,
      task: this.#ints[INTS.task] as number,
      number: this.#floats[FLOATS.number] as number,
      startedAt: this.#floats[FLOATS.startedAt] as number,
      hardLimitMs: this.#floats[FLOATS.hardLimitMs] as number,
    }
    return Atomics.load(this.#ints, INTS.call) === call ? present : undefined
  }

  /** The watchdog takes from the call the right to return. Lost: it has returned. */
  condemn(call: number): 'condemned' | 'lost' {
    return Atomics.compareExchange(this.#ints, INTS.call, call, -call) === call ? 'condemned' : 'lost'
  }
}
