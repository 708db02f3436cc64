import { resolve } from 'node:path'
import { invalidOption } from '../../lib/options.ts'

/**
 * Once: a service may go to another directory later. The driver of SQLite leaves out white space at the end of a path, as of a
 * line that ends with CRLF: it would open another file than the one whose lock was taken.
 */
export function journalPath(path: string, option: string): string {
  const file = resolve(path)
  if (file === file.trim()) return file
  throw invalidOption(option, path, 'a path without white space at its end')
}
