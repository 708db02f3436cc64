import { overridesWithId } from '../../../lib/envelope.ts'
import { stateCodes } from '../../../lib/job-state.ts'
import type { TakenJob } from './crossing.ts'
import type { NewRow } from './crossing-statements.ts'
import { SUSPECT_CRASHES } from '../schema/schema.ts'
import type { Origin } from './taken-here.ts'

/** A delivery, where it stands among all jobs, and where it comes from. */
export interface LateRow {
  readonly job: TakenJob
  readonly rank: number
  readonly ord: number
  readonly origin: Origin
}

/** As it is written, with the id of its task. */
export function newRow({ job, rank, ord, origin }: LateRow, task: number, as: 'claimed' | 'waiting'): NewRow {
  const [state, claim] = as === 'claimed' ? [stateCodes.running, 1] : [stateCodes.available, 0]
  const { number, attempt, createdAt, input, expiresAt = null, part = null, suspect } = job
  const overrides = overridesWithId(job)
  const crashes = suspect === 'yes' ? SUSPECT_CRASHES : 0
  const from = JSON.stringify(origin)
  return [number, task, state, rank, ord, claim, attempt, createdAt, input, overrides, expiresAt, part, crashes, from]
}

/**
 * Rows of deliveries that were claimed as they came, and that nobody has needed so far. The next owner forgets such rows,
 * since the broker delivers again: so they are written only where something looks at them before they end, which for most
 * is never.
 */
export class LateRows {
  readonly #rows = new Map<number, LateRow>()
  /** Changes since the last commit: of which row, and what was there before. */
  readonly #numbers: number[] = []
  readonly #before: (LateRow | undefined)[] = []

  get size(): number {
    return this.#rows.size
  }

  [Symbol.iterator](): IterableIterator<[number: number, row: LateRow]> {
    return this.#rows.entries()
  }

  add(number: number, row: LateRow): void {
    this.#remember(number, this.#rows.get(number))
    this.#rows.set(number, row)
  }

  /** It is needed no more, or is written now. */
  take(number: number): LateRow | undefined {
    const row = this.#rows.get(number)
    if (row === undefined) return undefined
    this.#remember(number, row)
    this.#rows.delete(number)
    return row
  }

  /** For `undoTo`. */
  get changes(): number {
    return this.#numbers.length
  }

  /** Everything is as it was when there were so many changes. */
  undoTo(changes: number): void {
    while (this.#numbers.length > changes) {
      const number = this.#numbers.pop() as number
      const before = this.#before.pop()
      if (before === undefined) this.#rows.delete(number)
      else this.#rows.set(number, before)
    }
  }

  committed(): void {
    this.#numbers.length = 0
    this.#before.length = 0
  }

  #remember(number: number, before: LateRow | undefined): void {
    this.#numbers.push(number)
    this.#before.push(before)
  }
}
