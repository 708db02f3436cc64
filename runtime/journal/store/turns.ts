/** One job in this many is the oldest that waits, whatever its priority, so that none starves. */
const OLDEST_EVERY = 8

/**
 * Whose turn it is at each place: of what it was given in claims, however few jobs each takes, and of the new jobs that were
 * given room before those that wait, of which as many are made up for by claims of the oldest.
 */
export class Turns {
  #claimed: number[] = []
  /** New jobs of which nothing has made up yet. */
  #passed: number[] = []

  /** Room begins anew, and with it what is owed. */
  route(): void {
    this.#passed = []
  }

  /** A new job was given room while others wait. */
  passOver(place: number): void {
    this.#passed[place] = (this.#passed[place] ?? 0) + 1
  }

  /** How many claims of the oldest job a place owes to those that wait: without them they would wait as long as new ones come. */
  owed(place: number): number {
    return Math.floor((this.#passed[place] ?? 0) / (OLDEST_EVERY - 1))
  }

  /** Nothing waits any more. */
  owesNothing(place: number): void {
    this.#passed[place] = 0
  }

  /** The next claim of a place, of which what it owes comes first. */
  begin(place: number): Claiming {
    return new Claiming(this.#claimed[place] ?? 0, this.owed(place))
  }

  end(place: number, { taken, owed }: Claiming): void {
    this.#passed[place] = (this.#passed[place] ?? 0) - Math.min(owed, taken) * (OLDEST_EVERY - 1)
    this.#claimed[place] = (this.#claimed[place] ?? 0) + Math.max(0, taken - owed)
  }

  /** For undoing what a rolled back transaction has given. */
  snapshot(): () => void {
    const [claimed, passed] = [[...this.#claimed], [...this.#passed]]
    return () => {
      this.#claimed = claimed
      this.#passed = passed
    }
  }
}

class Claiming {
  readonly owed: number
  readonly #before: number
  taken = 0

  constructor(before: number, owed: number) {
    this.#before = before
    this.owed = owed
  }

  /** Which job is the next. */
  get which(): 'oldest' | 'foremost' {
    if (this.taken < this.owed) return 'oldest'
    return (this.#before + this.taken - this.owed) % OLDEST_EVERY === OLDEST_EVERY - 1 ? 'oldest' : 'foremost'
  }
}
