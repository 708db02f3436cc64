import type { KeyedJob } from '../../../runtime/cli-support.ts'

/** A result waits in the journal until its line is on disk, also when nobody runs the command again for a year. */
export const KEEP_RESULT_MS = 365 * 24 * 3_600_000

/** By which keys the jobs of a journal's lines may be known: 'older' ones as well where an earlier version has begun it. */
export type KeyForm = 'own' | 'older'

/** Handlers give keys to jobs of the same task, so this is one that nobody writes by accident. */
const OWN = /^millrace run, line (\d+)$/
const OLDER = /^line:(\d+)$/

export function keyOfLine(line: number): string {
  return `millrace run, line ${line}`
}

/** The line that a job is of; `undefined` for one that a handler has enqueued. */
export function lineOfJob({ key, keepResultMs }: KeyedJob, form: KeyForm): number | undefined {
  if (key === null) return undefined
  const match = OWN.exec(key) ?? (isOlder(form, keepResultMs) ? OLDER.exec(key) : null)
  return match === null ? undefined : Number(match[1])
}

/** The key alone says nothing: anybody writes such a one. Jobs of lines have had this keeping time in every version. */
function isOlder(form: KeyForm, keepResultMs: number | null): boolean {
  return form === 'older' && keepResultMs === KEEP_RESULT_MS
}
