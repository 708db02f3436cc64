import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A folder of the test's own, which goes with it. */
export function temporaryFolder(test: { after(remove: () => void): unknown }): string {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-test-'))
  test.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
