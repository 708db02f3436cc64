/** How many a supply is given, when half of that is left. */
export const NUMBERS_AT_ONCE = 4_096

const LOW = NUMBERS_AT_ONCE / 2

interface Range {
  next: number
  readonly end: number
}

/**
 * Numbers for the jobs that a thread's handlers enqueue: given out ahead, so that `context.enqueue` waits for nobody. A
 * handler that never lets its loop have a turn may still use them up: it waits for the next ones.
 */
export class NumberSupply {
  readonly #want: () => void
  readonly #ranges: Range[] = []
  readonly #waiting: ((number: number) => void)[] = []
  #left = 0
  #wanted: 'yes' | 'no' = 'no'

  constructor(want: () => void) {
    this.#want = want
  }

  add(first: number, count: number): void {
    this.#ranges.push({ next: first, end: first + count })
    this.#left += count
    this.#wanted = 'no'
    const served = Math.min(this.#waiting.length, this.#left)
    for (const resolve of this.#waiting.splice(0, served)) resolve(this.#next())
    this.#wantMore()
  }

  take(): number | Promise<number> {
    if (this.#left > 0) {
      const number = this.#next()
      this.#wantMore()
      return number
    }
    this.#wantMore()
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
    })
  }

  #next(): number {
    const range = this.#ranges[0] as Range
    const number = range.next++
    if (range.next === range.end) this.#ranges.shift()
    this.#left--
    return number
  }

  #wantMore(): void {
    if (this.#left >= LOW || this.#wanted === 'yes') return
    this.#wanted = 'yes'
    this.#want()
  }
}
