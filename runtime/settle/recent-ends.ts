import type { End } from '../../lib/job-end.ts'

const MOST = 10_000
const MOST_BYTES = 8 * 1024 * 1024

/** A power of two. */
const CHAINS = 16_384
const NONE = -1

/**
 * The latest ends of jobs, in the order in which they came: what was delayed ends long after those with numbers near its
 * own. Every job passes here, so that it is a ring with chains of its places by number, a fifth of what a `Map` costs.
 */
export class RecentEnds {
  readonly #numbers = new Float64Array(MOST)
  readonly #ends = Array.from<End | undefined>({ length: MOST })
  readonly #firstOfChain = new Int32Array(CHAINS).fill(NONE)
  readonly #nextInChain = new Int32Array(MOST)
  /** Ends that have come, and how many of them have made room again. */
  #come = 0
  #gone = 0
  #bytes = 0

  get(number: number): End | undefined {
    const at = this.#find(number)
    return at === NONE ? undefined : this.#ends[at]
  }

  /** Returns the highest number that was forgotten for it; 0 if none was. */
  add(number: number, end: End): number {
    const bytes = bytesOf(end)
    this.delete(number)
    if (bytes > MOST_BYTES) return number
    let forgotten = 0
    while (this.#come - this.#gone >= MOST || this.#bytes + bytes > MOST_BYTES) {
      forgotten = Math.max(forgotten, this.#clear(this.#gone++ % MOST))
    }
    const at = this.#come++ % MOST
    const chain = chainOf(number)
    this.#numbers[at] = number
    this.#ends[at] = end
    this.#nextInChain[at] = this.#firstOfChain[chain] as number
    this.#firstOfChain[chain] = at
    this.#bytes += bytes
    return forgotten
  }

  delete(number: number): void {
    const at = this.#find(number)
    if (at !== NONE) this.#clear(at)
  }

  #find(number: number): number {
    let at = this.#firstOfChain[chainOf(number)] as number
    while (at !== NONE && this.#numbers[at] !== number) at = this.#nextInChain[at] as number
    return at
  }

  /** Returns the number that was there; 0 if there was none. */
  #clear(at: number): number {
    const end = this.#ends[at]
    if (end === undefined) return 0
    const number = this.#numbers[at] as number
    this.#unchain(at, chainOf(number))
    this.#ends[at] = undefined
    this.#bytes -= bytesOf(end)
    return number
  }

  #unchain(at: number, chain: number): void {
    const next = this.#nextInChain[at] as number
    let before = this.#firstOfChain[chain] as number
    if (before === at) {
      this.#firstOfChain[chain] = next
      return
    }
    while (this.#nextInChain[before] !== at) before = this.#nextInChain[before] as number
    this.#nextInChain[before] = next
  }
}

/** The low bits, of numbers beyond 32 bits too. */
function chainOf(number: number): number {
  return number & (CHAINS - 1)
}

function bytesOf({ output = '', error }: End): number {
  return output.length + (error === undefined ? 0 : JSON.stringify(error).length)
}
