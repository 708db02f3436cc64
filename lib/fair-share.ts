/** What fairness remembers of one of those who share: their place in virtual time, and what a job of theirs usually costs. */
export class Share {
  /** When the next job of theirs would start in virtual time: the least one is next. */
  startsAt = 0
  /** A decaying mean of measured run times. */
  usualMs: number | undefined
}

/** How much a single run changes what is usual. */
const DECAY = 1 / 8

/**
 * What a job costs besides its run: its claim, its way to a thread and its settle. Fair jobs that do nothing keep four
 * threads busy for 0.14 ms each. Who has very many short jobs pays for that.
 */
const HANDLING_MS = 0.15

/**
 * Before anything was measured. Also the least for whose jobs nothing is known yet: claims run ahead of what is measured,
 * and beside a flood of short jobs all of a newcomer's long ones were claimed for the price of short ones, which then
 * held up the next.
 */
const FIRST_MS = 10

/**
 * Start-time fair queueing (Goyal, Vin and Cheng, 1996) by measured run time: whoever has had less of it is next,
 * whether they have many jobs or few, long ones or short ones.
 *
 * At a claim a job's cost is only estimated; when it has ended the difference to what it really took is charged too. Who
 * comes back after a while starts at the present virtual time: nobody saves up what they have not used.
 */
export class FairShares {
  #virtual = 0
  #usualMs: number | undefined

  /** What a job costs where nothing is known of whose it is. */
  get usualMs(): number {
    return this.#usualMs ?? FIRST_MS
  }

  /** They have jobs to run, and had none. */
  join(share: Share): void {
    share.startsAt = Math.max(share.startsAt, this.#virtual)
  }

  /** Takes the next job of theirs; returns what it was charged. */
  charge(share: Share): number {
    const costMs = share.usualMs ?? Math.max(FIRST_MS, this.usualMs)
    this.#virtual = Math.max(this.#virtual, share.startsAt)
    share.startsAt += costMs
    return costMs
  }

  /** What was charged `chargedMs` has run for `ranMs`, or not at all. */
  correct(share: Share, chargedMs: number, ranMs: number | undefined): void {
    const costMs = ranMs === undefined ? 0 : ranMs + HANDLING_MS
    share.startsAt += costMs - chargedMs
    if (ranMs === undefined) return
    share.usualMs = decayed(share.usualMs, costMs)
    this.#usualMs = decayed(this.#usualMs, costMs)
  }

  /** Whether it is as if they had never been here. */
  isSettled(share: Share): boolean {
    return share.startsAt <= this.#virtual
  }
}

function decayed(before: number | undefined, now: number): number {
  return before === undefined ? now : before + (now - before) * DECAY
}
