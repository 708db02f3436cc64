import { isUtf8 } from 'node:buffer'
import { createHash, type Hash } from 'node:crypto'
import { createReadStream, statSync } from 'node:fs'
import { MillraceError } from '../../../lib/errors.ts'
import { isStream } from './paths.ts'

export interface InputLine {
  /** Counted from 1, empty lines included. */
  readonly number: number
  readonly text: string
  /** 'other': there are bytes in it that are no text, and `text` is not what the line says. */
  readonly encoding: 'utf8' | 'other'
}

const READ_BYTES = 128 * 1024
const MAX_LINE_BYTES = 16 * 1024 * 1024
const NEWLINE = Buffer.from('\n')
const RETURN = 13

/** Reads lines as a stream and keeps a hash of all of them so far, by which a changed input is noticed. */
export class InputLines {
  /** Lines that were handed out. */
  lines = 0
  /** Bytes of them. */
  bytes = 0
  /** Bytes of the whole input as it was at first, where that can be known. */
  readonly size: number | undefined
  readonly #path: string
  readonly #boundary: number | undefined
  readonly #hash: Hash = createHash('sha256')

  /** A group ends with the line `boundary`, so that the hash can be looked at there. */
  constructor(path: string, boundary?: number) {
    this.#path = path
    this.size = isStream(path) ? undefined : statSync(path).size
    this.#boundary = boundary
  }

  /** The hash of the lines that were handed out. */
  get sha256(): string {
    return this.#hash.copy().digest('hex')
  }

  /** All lines in groups, as they come. */
  async *groups(): AsyncGenerator<readonly InputLine[]> {
    let parts: Buffer[] = []
    for await (const chunk of this.#chunks()) {
      const end = chunk.lastIndexOf(10)
      if (end < 0) {
        parts.push(chunk)
        this.#refuseLong(parts)
        continue
      }
      yield* this.#split(Buffer.concat([...parts, chunk.subarray(0, end)]))
      parts = [chunk.subarray(end + 1)]
    }
    const rest = Buffer.concat(parts)
    if (rest.length > 0) yield* this.#split(rest)
  }

  async *#chunks(): AsyncGenerator<Buffer> {
    const stream = this.#path === '-' ? process.stdin : createReadStream(this.#path, { highWaterMark: READ_BYTES })
    try {
      yield* stream as AsyncIterable<Buffer>
    } catch (cause) {
      throw new MillraceError(
        'MILLRACE_CLI',
        `the input cannot be read; got ${(cause as Error).message} behind line ${this.lines}, expected its next lines; mend ` +
          'what is in the way, and run the same command again',
        { cause, path: '--input' },
      )
    }
  }

  *#split(whole: Buffer): Generator<readonly InputLine[]> {
    let lines: InputLine[] = []
    for (let from = 0; from <= whole.length; ) {
      const found = whole.indexOf(10, from)
      const to = found < 0 ? whole.length : found
      const line = whole.subarray(from, to)
      this.#hash.update(withoutReturn(line)).update(NEWLINE)
      this.bytes += line.length + 1
      lines.push({
        number: ++this.lines,
        text: line.toString('utf8').trim(),
        encoding: isUtf8(line) ? 'utf8' : 'other',
      })
      from = to + 1
      if (this.lines !== this.#boundary) continue
      yield lines
      lines = []
    }
    if (lines.length > 0) yield lines
  }

  #refuseLong(parts: readonly Buffer[]): void {
    const length = parts.reduce((sum, part) => sum + part.length, 0)
    if (length <= MAX_LINE_BYTES) return
    throw new MillraceError(
      'MILLRACE_CLI',
      `line ${this.lines + 1} of the input is too long; got over ${MAX_LINE_BYTES} bytes, expected one JSON value a line; ` +
        'put large values into files and pass their paths',
    )
  }
}

/** A last line without an end gets one, of whatever kind, when lines are appended: it is the same line. */
function withoutReturn(line: Buffer): Buffer {
  return line.at(-1) === RETURN ? line.subarray(0, -1) : line
}

/** The hash of a file's first lines, and how many there were. */
export async function hashLines(path: string, most: number): Promise<{ lines: number; sha256: string }> {
  const input = new InputLines(path, most)
  for await (const _ of input.groups()) {
    if (input.lines >= most) break
  }
  return { lines: input.lines, sha256: input.sha256 }
}
