import type { InputLines } from './input-lines.ts'
import type { LineState } from './outcome-line.ts'
import type { Written } from './outcome-file.ts'

/** Counts the lines of the output, those of earlier runs included. */
export class Tally {
  succeeded: number
  failures: number
  /** Outcomes of this run alone. */
  now = 0
  #blank = 0
  readonly #input: InputLines
  #status: 'reading' | 'read' = 'reading'

  constructor(written: Written, input: InputLines) {
    this.succeeded = written.succeeded.size
    this.failures = written.others.size
    this.#input = input
  }

  get written(): number {
    return this.succeeded + this.failures
  }

  add(state: LineState): void {
    this.now++
    if (state === 'succeeded') this.succeeded++
    else this.failures++
  }

  addBlank(): void {
    this.#blank++
  }

  endOfInput(): void {
    this.#status = 'read'
  }

  /** Lines of the whole input: counted once it is read, estimated by its size before, unknown for a stream. */
  get total(): number | undefined {
    const { lines, bytes } = this.#input
    if (this.#status === 'read') return lines - this.#blank
    const { size } = this.#input
    if (size === undefined || bytes === 0) return undefined
    return Math.max(lines - this.#blank, Math.round((size / bytes) * (lines - this.#blank)))
  }
}
