import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from './until.ts'

const folders: string[] = []

// At the very end: what a test has started may write until its last hook has run.
process.once('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** A folder of its own, which is gone when the tests of the file are over. */
export function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-test-'))
  folders.push(folder)
  return folder
}

/** The lines that jobs have written, split at blanks. */
export function ledgerLines(path: string): string[][] {
  try {
    return readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split(' '))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** The same, once there are so many; `what` counts only those that begin with it. Another thread or process writes them. */
export function ledgerOf(path: string, count = 1, what?: string): Promise<string[][]> {
  const read = () => ledgerLines(path).filter(([first]) => what === undefined || first === what)
  return until(`${count} lines in ${path}`, read, (lines) => lines.length >= count)
}
