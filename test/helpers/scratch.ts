import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A folder of its own, which is gone when the test is over; a journal in it may still be open then, so it tries again. */
export function scratchFolder(test: { after(clean: () => void): unknown }): string {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-test-'))
  test.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 10 }))
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
