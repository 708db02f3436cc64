import { accessSync, constants, realpathSync, type Stats, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { MillraceError } from '../../../lib/errors.ts'
import { journalFiles } from '../../../runtime/cli-support.ts'

/** Where a run reads and writes. */
export interface RunPaths {
  /** '-' for standard input. */
  readonly input: string
  readonly output: string
  readonly journal: string
}

/** To be called before anything is made: a mistyped path must leave nothing behind, and overwrite nothing. */
export function assertPaths({ input, output, journal }: RunPaths): void {
  if (input !== '-') assertInput(input)
  assertOutput(output, journal)
  if (journal === ':memory:') throw inTheWay('--journal', journal, 'no file', 'a file, from which a run can be resumed')
  const ofJournal = Object.values(journalFiles(journal))
  if (ofJournal.some((path) => isSame(path, output))) {
    throw inTheWay('--output', output, 'a file of the journal', 'a file of its own')
  }
  if (input === '-') return
  if (isSame(input, output)) throw inTheWay('--output', output, 'the input', 'a file of its own')
  if (ofJournal.some((path) => isSame(path, input))) {
    throw inTheWay('--journal', journal, 'the input', 'a file of its own')
  }
}

/** Where outcomes gather that are printed at the end. */
export function outputBeside(journal: string): string {
  return `${journal}.output`
}

/** Whether the input can be read only once, as a pipe can. */
export function isStream(input: string): boolean {
  return input === '-' || !statSync(input).isFile()
}

function assertInput(path: string): void {
  const stat = look(path)
  if (stat === undefined || stat.isDirectory()) {
    throw inTheWay('--input', path, stat === undefined ? (barrier(path) ?? 'no file') : 'a directory', LINES)
  }
  const refused = refusal(path, constants.R_OK)
  if (refused !== undefined) throw inTheWay('--input', path, refused, LINES)
}

const LINES = 'a file with one JSON value a line, or - for standard input'

function assertOutput(path: string, journal: string): void {
  const stat = look(path)
  const refused = (got: string) =>
    path === outputBeside(journal)
      ? inTheWay('--journal', `${journal} with the output ${path}`, got, OUTCOMES)
      : inTheWay('--output', path, got, OUTCOMES)
  // Below it would be taken for a file that is not there yet, in this directory.
  if (path === '') throw refused('an empty path')
  if (stat !== undefined && !stat.isFile()) throw refused(stat.isDirectory() ? 'a directory' : 'no ordinary file')
  const barred = stat === undefined ? barrier(path) : undefined
  if (barred !== undefined) throw refused(barred)
  // The journal makes its own.
  if (look(dirname(path)) === undefined && dirname(resolve(path)) === dirname(resolve(journal))) return
  // The directory too: its entries change when lines are superseded.
  const directory = dirname(stat === undefined ? path : realpathSync(path))
  const got = refusal(`${directory}/`, constants.W_OK) ?? (stat && refusal(path, constants.R_OK | constants.W_OK))
  if (got !== undefined) throw refused(got)
}

const OUTCOMES = 'a file that may be written to, in a directory that is there, or - for standard output'

function look(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch {
    // For this process it is not there, whatever is in the way.
    return undefined
  }
}

/** What stands before a file that is not there for this process; `undefined` where there simply is none. */
function barrier(path: string): string | undefined {
  const got = refusal(path, constants.F_OK)
  return got === undefined || /^ENO(?:ENT|TDIR)\b/.test(got) ? undefined : got
}

/** What the file system has against it; `undefined` if nothing. */
function refusal(path: string, mode: number): string | undefined {
  try {
    accessSync(path, mode)
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

/** Whether two paths lead to one file, by whatever links, or would once it is made. */
function isSame(one: string, other: string): boolean {
  const [a, b] = [look(one), look(other)]
  if (a !== undefined && b !== undefined) return a.dev === b.dev && a.ino === b.ino
  return a === undefined && b === undefined && realPath(one) === realPath(other)
}

/** Where a file is, or would be made, by no links. */
export function realPath(path: string): string {
  if (look(path) !== undefined) return realpathSync(path)
  const directory = dirname(resolve(path))
  return join(look(directory) === undefined ? directory : realpathSync(directory), basename(path))
}

function inTheWay(option: string, path: string, got: string, expected: string): MillraceError {
  return new MillraceError(
    'MILLRACE_CLI',
    `${option} ${path || "''"} cannot be used; got ${got}, expected ${expected}; name another one`,
    { path: option },
  )
}
