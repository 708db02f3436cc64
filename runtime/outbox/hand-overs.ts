import { transitions } from '../../lib/job-state.ts'
import type { SettleEntry } from '../journal/owner/gather.ts'

interface Waiter {
  resolve(): void
  reject(error: unknown): void
}

/** Callers that wait until a broker holds their jobs. */
export class HandOvers {
  readonly #waiters = new Map<number, Waiter>()

  /** Resolves when the job is handed over, or has ended before. */
  wait(number: number): Promise<void> {
    return new Promise((resolve, reject) => this.#waiters.set(number, { resolve, reject }))
  }

  committed(settles: readonly SettleEntry[]): void {
    if (this.#waiters.size === 0) return
    for (const { settle } of settles) {
      const { to } = transitions[settle.transition]
      if (to === 'available' || to === 'scheduled') continue
      this.#waiters.get(settle.number)?.resolve()
      this.#waiters.delete(settle.number)
    }
  }

  rejectAll(error: unknown): void {
    for (const { reject } of this.#waiters.values()) reject(error)
    this.#waiters.clear()
  }
}
