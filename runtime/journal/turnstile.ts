/**
 * Lets another thread of this process write between two commits of the journal thread: SQLite's own lock is not fair,
 * and a writer that only waits for it can wait for seconds behind back-to-back group commits.
 */

const BUSY = 0
const WANTED = 1
export const TURNSTILE_BYTES = 8

/** Longer than any transaction of a caller should take; then the journal goes on and SQLite's lock decides. */
const PATIENCE_MS = 10_000

/**
 * Longer than a commit takes, as a rule. A thread that died in one leaves its word as it was, and its end is only heard when
 * the loop turns again, which is the loop that waits here.
 */
const COMMIT_MS = 1_000

export class Turnstile {
  readonly #words: Int32Array

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer)
  }

  /** The journal thread, before a transaction: waits while somebody is being let through. */
  enter(): void {
    for (;;) {
      Atomics.store(this.#words, BUSY, 1)
      const wanted = Atomics.load(this.#words, WANTED)
      if (wanted === 0) return
      this.leave()
      if (Atomics.wait(this.#words, WANTED, wanted, PATIENCE_MS) === 'timed-out') {
        Atomics.store(this.#words, BUSY, 1)
        return
      }
    }
  }

  /** The journal thread, after a transaction. */
  leave(): void {
    Atomics.store(this.#words, BUSY, 0)
    Atomics.notify(this.#words, BUSY)
  }

  /** Another thread: runs `write` as soon as the present commit is over, with no other beginning meanwhile. */
  pass<T>(write: () => T): T {
    Atomics.add(this.#words, WANTED, 1)
    try {
      if (Atomics.load(this.#words, BUSY) === 1) Atomics.wait(this.#words, BUSY, 1, COMMIT_MS)
      return write()
    } finally {
      Atomics.sub(this.#words, WANTED, 1)
      Atomics.notify(this.#words, WANTED)
    }
  }
}
