import type { Job } from '../../../runtime/index.ts'
import type { OutcomeFile } from './outcome-file.ts'
import type { LineState } from './outcome-line.ts'

/** A line that has come to its end. */
export interface Finished {
  readonly line: number
  readonly state: LineState
  /** The line of the output. */
  readonly text: string
  readonly inputBytes: number
  /** The job whose row can go once the line is on disk. */
  readonly job: Job | undefined
}

export interface OutcomeWriterListener {
  written(finished: readonly Finished[]): void
  failed(error: unknown): void
}

/**
 * Moves outcomes from the journal to the output: first the line, synced, then the row goes. A run that is killed between
 * the two finds a row whose line it has, and only removes it. While one group is written the next gathers.
 */
export class OutcomeWriter {
  readonly #file: OutcomeFile
  readonly #listener: OutcomeWriterListener
  #waiting: Finished[] = []
  #writing: Promise<void> | undefined
  #rows: 'remove' | 'leave' = 'remove'
  #status: 'writes' | 'failed' = 'writes'

  constructor(file: OutcomeFile, listener: OutcomeWriterListener) {
    this.#file = file
    this.#listener = listener
  }

  /** After a failure nothing follows: it would stand behind what that has left of a line. */
  add(finished: Finished): void {
    if (this.#status === 'failed') return
    this.#waiting.push(finished)
    this.#writing ??= this.#write()
  }

  /** From now on the journal may be closed at any time: rows are left to the next run. */
  leaveRows(): void {
    this.#rows = 'leave'
  }

  /** Resolves when everything that was added is on disk, or cannot be. */
  async idle(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing
  }

  async #write(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        const group = this.#waiting.splice(0)
        await this.#file.append(group.map(({ text }) => text))
        this.#removeRows(group)
        this.#listener.written(group)
      }
    } catch (error) {
      this.#status = 'failed'
      this.#listener.failed(error)
    } finally {
      this.#writing = undefined
    }
  }

  /** Not waited for: whatever does not go now is removed by the next run. */
  #removeRows(group: readonly Finished[]): void {
    if (this.#rows === 'leave') return
    for (const { job } of group) job?.remove().catch((error: unknown) => this.#listener.failed(error))
  }
}
