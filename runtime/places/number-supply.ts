import { MillraceError } from '../../lib/errors.ts'

const LOW = 2_048

/** Numbers for the jobs that a thread's handlers enqueue: given out ahead, so that `context.enqueue` waits for nobody. */
export class NumberSupply {
  readonly #want: () => void
  #ranges: { next: number; end: number }[] = []
  #left = 0
  #wanted: 'yes' | 'no' = 'no'

  constructor(want: () => void) {
    this.#want = want
  }

  add(first: number, count: number): void {
    this.#ranges.push({ next: first, end: first + count })
    this.#left += count
    this.#wanted = 'no'
  }

  take(): number {
    const range = this.#ranges[0]
    if (range === undefined) {
      throw new MillraceError(
        'MILLRACE_TOO_MANY_CHILDREN',
        'a handler enqueues faster than the journal numbers jobs; await each context.enqueue, or enqueue fewer at once',
      )
    }
    const number = range.next++
    if (range.next === range.end) this.#ranges.shift()
    if (--this.#left < LOW && this.#wanted === 'no') {
      this.#wanted = 'yes'
      this.#want()
    }
    return number
  }
}
