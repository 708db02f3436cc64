import { statSync } from 'node:fs'
import { dirname, relative, resolve } from 'node:path'
import { MillraceError } from '../../../lib/errors.ts'
import { realPath } from './paths.ts'

/** A journal and the output that is named with it. */
export interface OutputOfRun {
  readonly output: string
  readonly journal: string
  /** Where outcomes are printed, nobody has named the output. */
  readonly print: unknown
}

/**
 * Refuses an output with outcomes that no run on this journal can have written: it has read its input up to line `read`,
 * and `last` is the last line with an outcome. They would be taken for those of another input.
 */
export function refuseOfAnotherRun({ output, journal, print }: OutputOfRun, last: number, read: number): void {
  if (last <= read) return
  throw new MillraceError(
    'MILLRACE_CLI',
    `${output} has outcomes of another run; got one of line ${last}, expected ` +
      `${read === 0 ? 'none' : `none behind line ${read}`}, since ${journal} knows of no more lines of its input; ` +
      `move it away${print === undefined ? ', or name another --output' : ''}`,
    { path: print === undefined ? '--output' : '--journal' },
  )
}

/** What a journal remembers of where its outcomes are: seen from its own folder, so that both can be moved together. */
export function placeBeside({ output, journal }: Pick<OutputOfRun, 'output' | 'journal'>): string {
  return relative(dirname(realPath(journal)), realPath(output))
}

/** Refuses another output than that of before: every line that has succeeded would be run again. */
export function refuseMoved({ output, journal }: OutputOfRun, before: string | undefined): void {
  if (before === undefined || before === placeBeside({ output, journal })) return
  const there = resolve(dirname(realPath(journal)), before)
  // Where it is gone it was moved to the new name, or its lines shall be run again.
  if ((statSync(there, { throwIfNoEntry: false })?.size ?? 0) === 0) return
  throw new MillraceError(
    'MILLRACE_CLI',
    `the output is another one than before; got ${output}, expected ${there}, where the outcomes of ${journal} were ` +
      `written; name that one, or move it to ${output}; if it is another run's by now, move it elsewhere; for a run of its ` +
      'own name another --journal',
    { path: '--output' },
  )
}

/** Of a journal that was put back, or has lost its last commits: no line of its output is run again. */
export function tellAhead({ output, journal }: OutputOfRun, last: number, read: number): string {
  return (
    `warning: ${output} has outcomes up to line ${last}, and ${journal} knows of ${read} lines: it is an older state of ` +
    'it; the lines that have an outcome are taken as they are'
  )
}
