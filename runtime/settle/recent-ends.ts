import type { End } from '../../lib/job-end.ts'

/** Numbers are given one after another, so these are the latest. */
const SLOTS = 10_000
const MOST_BYTES = 8 * 1024 * 1024

/** The latest ends of jobs. Each has its slot by its number, since nothing is looked up as often as it is written here. */
export class RecentEnds {
  /** 0 where there is none. */
  readonly #numbers = new Float64Array(SLOTS)
  readonly #ends = Array.from<End | undefined>({ length: SLOTS })
  #bytes = 0
  /** The slot that makes room next where there are too many bytes. */
  #hand = 0

  get(number: number): End | undefined {
    const at = number % SLOTS
    return this.#numbers[at] === number ? this.#ends[at] : undefined
  }

  /** Returns the highest number that was forgotten for it; 0 if none was. */
  add(number: number, end: End): number {
    const bytes = bytesOf(end)
    const at = number % SLOTS
    const before = this.#clear(at)
    let forgotten = before === number ? 0 : before
    if (bytes > MOST_BYTES) return Math.max(forgotten, number)
    for (; this.#bytes + bytes > MOST_BYTES; this.#hand = (this.#hand + 1) % SLOTS) {
      forgotten = Math.max(forgotten, this.#clear(this.#hand))
    }
    this.#numbers[at] = number
    this.#ends[at] = end
    this.#bytes += bytes
    return forgotten
  }

  delete(number: number): void {
    const at = number % SLOTS
    if (this.#numbers[at] === number) this.#clear(at)
  }

  /** Returns the number that was there; 0 if there was none. */
  #clear(at: number): number {
    const number = this.#numbers[at] as number
    if (number === 0) return 0
    this.#bytes -= bytesOf(this.#ends[at] as End)
    this.#numbers[at] = 0
    this.#ends[at] = undefined
    return number
  }
}

function bytesOf({ output = '', error }: End): number {
  return output.length + (error === undefined ? 0 : JSON.stringify(error).length)
}
