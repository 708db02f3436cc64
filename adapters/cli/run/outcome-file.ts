import { existsSync, type Stats } from 'node:fs'
import { open, stat, truncate, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { MillraceError } from '../../../lib/errors.ts'
import { LineSet } from './line-set.ts'
import { mayBeTorn, readLine } from './outcome-line.ts'
import { withoutLines } from './superseded.ts'
import { allLines } from './whole-lines.ts'

/** What the output of an earlier run already holds. */
export class Written {
  readonly succeeded = new LineSet()
  /** Lines with any other outcome. */
  readonly others = new LineSet()
  /** Bytes up to the end of the last whole line. */
  bytes = 0
  /** Bytes of the file, with what a kill has left of a last line. */
  size = 0
  /** The last line of the input that has an outcome; 0 where none has. */
  last = 0

  has(line: number): boolean {
    return this.succeeded.has(line) || this.others.has(line)
  }
}

/**
 * Reads which lines the output holds. What a `kill -9` has left of a last line does not count; anything else that is no
 * outcome means that this is some other file.
 */
export async function readWritten(path: string): Promise<Written> {
  const written = new Written()
  if (!existsSync(path)) return written
  for await (const { text, bytes, end } of allLines(path)) {
    written.size += bytes
    if (end === 'torn') break
    const outcome = readLine(text)
    if (outcome === undefined || written.has(outcome.line)) throw notOurs(path, written, text)
    if (outcome.state === 'succeeded') written.succeeded.add(outcome.line)
    else written.others.add(outcome.line)
    written.bytes += bytes
    written.last = Math.max(written.last, outcome.line)
  }
  return written
}

/**
 * A look at the first line alone, before anything is made: it tells a file of somebody else's. Returns of which line of the
 * input it has the outcome.
 */
export async function assertOurs(path: string): Promise<number | undefined> {
  if (!existsSync(path)) return undefined
  for await (const { text, end } of allLines(path)) {
    const line = end === 'whole' ? readLine(text)?.line : undefined
    // A text without an end would be taken for what a kill has left, and cut off.
    if (line === undefined && !(end === 'torn' && mayBeTorn(text))) throw notOurs(path, new Written(), text)
    return line
  }
  return undefined
}

function notOurs(path: string, written: Written, text: string): MillraceError {
  return new MillraceError(
    'MILLRACE_CLI',
    `${path} is no output of this run; got ${JSON.stringify(text.slice(0, 60))} as line ` +
      `${written.succeeded.size + written.others.size + 1}, expected outcomes of different lines; name another --output`,
    { path: '--output' },
  )
}

/** Opens the output for what comes next, without the lines whose outcome has been superseded and without a torn end. */
export async function openOutcomes(path: string, written: Written, superseded: LineSet): Promise<OutcomeFile> {
  try {
    await assertSize(path, written.size)
    if (superseded.size > 0) await leaveOut(path, written, superseded)
    else if (written.bytes < written.size) await truncate(path, written.bytes)
    const handle = await open(path, 'a', 0o600)
    await syncDirectory(path)
    return new OutcomeFile(path, handle, await handle.stat())
  } catch (error) {
    throw error instanceof MillraceError ? error : writeError(error, path)
  }
}

/** Nothing is cut away that another run has written since. */
async function assertSize(path: string, expected: number): Promise<void> {
  const size = existsSync(path) ? (await stat(path)).size : 0
  if (size !== expected) throw changed(path, size, expected)
}

async function leaveOut(path: string, written: Written, superseded: LineSet): Promise<void> {
  await withoutLines(path, superseded)
  for (const lines of [written.succeeded, written.others]) lines.deleteAll(superseded)
}

function changed(path: string, size: number, expected: number): MillraceError {
  return new MillraceError(
    'MILLRACE_CLI',
    `somebody else has changed the output ${path}; got ${size} bytes, expected ${expected} in the file that this run has ` +
      'opened; give every run an output of its own, and leave it as it is meanwhile; no outcome is lost: the journal keeps ' +
      'what is not in the output',
    { path: '--output' },
  )
}

function writeError(cause: unknown, path: string): MillraceError {
  const code = String((cause as NodeJS.ErrnoException).code)
  return new MillraceError(
    code === 'ENOSPC' || code === 'EDQUOT' ? 'MILLRACE_DISK_FULL' : 'MILLRACE_CLI',
    `the output ${path} cannot be written; got ${(cause as Error).message}, expected a disk with room and a file that ` +
      'may be written to; no outcome is lost: the journal keeps what is not in the output',
    { cause, path: '--output' },
  )
}

/** So that a power cut does not lose the name of a new file whose content it kept. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(dirname(path) || '.', 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

/** The output: lines are on disk when `append` resolves. */
export class OutcomeFile {
  readonly #path: string
  readonly #handle: FileHandle
  readonly #from: Stats
  #bytes: number

  /** `from` is the file as it was opened. */
  constructor(path: string, handle: FileHandle, from: Stats) {
    this.#path = path
    this.#handle = handle
    this.#from = from
    this.#bytes = from.size
  }

  /** Rejects where somebody else has changed the file, before anything is written, or where the lines are not in it then. */
  async append(lines: readonly string[]): Promise<void> {
    const content = Buffer.from(lines.map((line) => `${line}\n`).join(''))
    try {
      await this.#assertUnchanged()
      await this.#handle.writeFile(content)
      await this.#handle.datasync()
      this.#bytes += content.length
      await this.#assertUnchanged()
    } catch (error) {
      throw error instanceof MillraceError ? error : writeError(error, this.#path)
    }
  }

  close(): Promise<void> {
    return this.#handle.close()
  }

  /** What stands behind a path is anybody's: another run may write there as well, and a file may be moved away. */
  async #assertUnchanged(): Promise<void> {
    const { dev, ino, size } = await stat(this.#path)
    if (dev === this.#from.dev && ino === this.#from.ino && size === this.#bytes) return
    throw changed(this.#path, size, this.#bytes)
  }
}
