import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { scratch } from '../helpers/cli.ts'

const demo = fileURLToPath(new URL('../../examples/fingerprint/demo.js', import.meta.url))

it('fingerprints every file below a directory, as an independent computation does', async (test) => {
  const folder = scratch(test)
  mkdirSync(join(folder, 'deep', 'er'), { recursive: true })
  writeFileSync(join(folder, 'empty'), '')
  writeFileSync(join(folder, 'deep', 'text'), 'one\ntwo\nthree')
  writeFileSync(join(folder, 'deep', 'er', 'bytes'), Buffer.alloc(300_000, 'millrace\n'))
  const { stdout } = await promisify(execFile)(process.execPath, [demo, folder])
  assert.match(stdout, /^3 files, 3 fingerprints, 0 differences$/m)
  assert.match(stdout, / 2 +13 +33 +[0-9a-f]{12} +.*deep\/text$/m)
  assert.match(stdout, / 33,3\d\d +300,013 .*all 3 files/)
})

it('tells how it is used, and takes no option for a directory', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [demo, '--help'])
  assert.match(stdout, /^node dist\/examples\/fingerprint\/demo\.js \[DIRECTORY\] \[MOST_FILES\]$/m)
  for (const [args, complaint] of [
    [['--quick'], /^Unknown option '--quick'/],
    [['.', 'few'], /^got few for MOST_FILES, expected a number above 0; see --help$/m],
    [['.', '3', '4'], /^got \. 3 4, expected a directory and a number; see --help$/m],
  ] as const) {
    await assert.rejects(promisify(execFile)(process.execPath, [demo, ...args]), { code: 1, stderr: complaint })
  }
})
