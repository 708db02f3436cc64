import { MillraceError } from '../../../lib/errors.ts'
import { hashLines, type InputLine, type InputLines } from './input-lines.ts'
import type { RunMark } from './run-mark.ts'

export interface FeedOptions {
  readonly input: InputLines
  readonly mark: RunMark
  /** A file was compared before; a stream is compared on the way. */
  readonly compared: 'before' | 'on the way'
  /** Whether the line has an outcome, or a job. */
  isKnown(line: number): boolean
  isStopping(): boolean
  start(line: InputLine): Promise<void>
  blank(): void
}

/** Starts every line that is neither in the output nor in the journal, once the input is known to be that of before. */
export async function feed(options: FeedOptions): Promise<void> {
  const { input, mark } = options
  const { lines: before, sha256 } = mark
  let isCompared = options.compared === 'before' || before === 0
  let held: InputLine[] = []
  for await (const lines of input.groups()) {
    if (options.isStopping()) return
    if (!isCompared && input.lines === before) {
      if (input.sha256 !== sha256) throw otherInput(before)
      isCompared = true
    }
    if (input.lines > mark.lines) mark.save({ lines: input.lines, sha256: input.sha256 })
    for (const line of lines) {
      if (line.text === '') options.blank()
      else if (!options.isKnown(line.number)) held.push(line)
    }
    if (!isCompared) continue
    for (const line of held) await options.start(line)
    held = []
  }
  if (!isCompared) throw otherInput(before)
}

/** Compares a file with what was read of it before; throws when its lines of then are others now. */
export async function compareInput(path: string, { lines, sha256 }: RunMark): Promise<void> {
  if (lines === 0) return
  const now = await hashLines(path, lines)
  if (now.lines < lines || now.sha256 !== sha256) throw otherInput(lines)
}

function otherInput(lines: number): MillraceError {
  return new MillraceError(
    'MILLRACE_CLI',
    `the input is another one than before; got other content in its first ${lines} lines, expected those that the ` +
      'journal has jobs of; lines may only be appended; name another --journal and --output for another input',
    { path: '--input' },
  )
}
