import { systemClock } from '../../../lib/clock.ts'
import { MillraceError } from '../../../lib/errors.ts'

/** How long those that were turned away wait before one of them tries again. */
const TURNED_AWAY_MS = 10

interface Entry<T> {
  enter(): Promise<T>
  entered(result: T): void
  failed(error: unknown): void
}

/**
 * Where jobs wait whose task or place has as many waiting as it may have: a run is in no hurry, so that no room is a
 * reason to wait. They try again in the order they came, in groups that grow as long as there is room for all of them.
 */
export class Door<T> {
  #status: 'open' | 'crowded' | 'closed' = 'open'
  #waiting: Entry<T>[] = []

  /** What `enter` resolves to, once it is not refused with `MILLRACE_OVERLOADED`; nothing once the door is closed. */
  pass(enter: () => Promise<T>): Promise<T> {
    return new Promise((entered, failed) => {
      const entry = { enter, entered, failed }
      if (this.#status === 'crowded') this.#waiting.push(entry)
      else void this.#try(entry).then((outcome) => this.#turnedAway(outcome, entry))
    })
  }

  /** Nobody is let in any more. */
  close(): void {
    this.#status = 'closed'
    this.#waiting = []
  }

  #turnedAway(outcome: 'done' | 'no room', entry: Entry<T>): void {
    if (outcome === 'done' || this.#status === 'closed') return
    this.#waiting.push(entry)
    if (this.#status === 'open') void this.#letIn()
  }

  async #letIn(): Promise<void> {
    this.#status = 'crowded'
    for (let most = 1; this.#waiting.length > 0; ) {
      const group = this.#waiting.splice(0, most)
      const outcomes = await Promise.all(group.map((entry) => this.#try(entry)))
      if (this.#isClosed()) return
      const back = group.filter((_, at) => outcomes[at] === 'no room')
      this.#waiting.unshift(...back)
      most = back.length === 0 ? most * 2 : Math.max(1, group.length - back.length)
      if (back.length > 0) await new Promise<void>((resolve) => systemClock.setTimer(TURNED_AWAY_MS, resolve))
    }
    if (!this.#isClosed()) this.#status = 'open'
  }

  #isClosed(): boolean {
    return this.#status === 'closed'
  }

  async #try({ enter, entered, failed }: Entry<T>): Promise<'done' | 'no room'> {
    try {
      entered(await enter())
    } catch (error) {
      if (error instanceof MillraceError && error.code === 'MILLRACE_OVERLOADED') return 'no room'
      failed(error)
    }
    return 'done'
  }
}
