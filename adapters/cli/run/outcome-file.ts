import { existsSync } from 'node:fs'
import { open, truncate, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { MillraceError } from '../../../lib/errors.ts'
import { LineSet } from './line-set.ts'
import { readLine } from './outcome-line.ts'
import { withoutLines } from './superseded.ts'
import { wholeLines } from './whole-lines.ts'

/** What the output of an earlier run already holds. */
export class Written {
  readonly succeeded = new LineSet()
  /** Lines with any other outcome. */
  readonly others = new LineSet()
  /** Bytes up to the end of the last whole line. */
  bytes = 0

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
  for await (const { text, bytes } of wholeLines(path)) {
    const outcome = readLine(text)
    if (outcome === undefined || written.has(outcome.line)) throw notOurs(path, written, text)
    if (outcome.state === 'succeeded') written.succeeded.add(outcome.line)
    else written.others.add(outcome.line)
    written.bytes += bytes
  }
  return written
}

/** A look at the first line alone, before anything is made: it tells a file of somebody else's. */
export async function assertOurs(path: string): Promise<void> {
  if (!existsSync(path)) return
  for await (const { text } of wholeLines(path)) {
    if (readLine(text) === undefined) throw notOurs(path, new Written(), text)
    return
  }
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
    if (superseded.size > 0) await leaveOut(path, written, superseded)
    else if (existsSync(path)) await truncate(path, written.bytes)
    const handle = await open(path, 'a', 0o600)
    await syncDirectory(path)
    return new OutcomeFile(path, handle)
  } catch (error) {
    throw error instanceof MillraceError ? error : writeError(error, path)
  }
}

async function leaveOut(path: string, written: Written, superseded: LineSet): Promise<void> {
  await withoutLines(path, superseded)
  for (const lines of [written.succeeded, written.others]) lines.deleteAll(superseded)
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

  constructor(path: string, handle: FileHandle) {
    this.#path = path
    this.#handle = handle
  }

  async append(lines: readonly string[]): Promise<void> {
    try {
      await this.#handle.writeFile(lines.map((line) => `${line}\n`).join(''))
      await this.#handle.datasync()
    } catch (error) {
      throw writeError(error, this.#path)
    }
  }

  close(): Promise<void> {
    return this.#handle.close()
  }
}
