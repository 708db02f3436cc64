import { grouped, joined, type OutcomesFor } from '../../../lib/homeward.ts'
import type { UnsentOutcomes } from './crossing.ts'
import type { Statements } from '../schema/statements.ts'

/** Outcomes that go home, gathered while a group is applied: its rows are one for each queue, however many there are. */
export class HomewardTexts {
  #outcomes: OutcomesFor[] = []

  get size(): number {
    return this.#outcomes.length
  }

  add(queue: string, text: string): void {
    this.#outcomes.push({ queue, outcomes: 1, text })
  }

  /** What was added since there were so many is undone. */
  truncate(size: number): void {
    this.#outcomes.length = size
  }

  /** Writes and returns what was gathered. */
  write({ goHome }: Pick<Statements, 'goHome'>): readonly UnsentOutcomes[] {
    return grouped(this.#outcomes.splice(0)).map((group): UnsentOutcomes => {
      const [{ queue }] = group
      const [outcomes, text] = [group.length, joined(group)]
      return { ...(goHome.get(queue, outcomes, text) as { readonly seq: number }), queue, outcomes, text }
    })
  }
}
