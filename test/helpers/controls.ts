import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { mutant, type Mutation } from './mutant.ts'

/** A protection, how it is taken out of the build, and the test that is there for it. */
export interface Control {
  readonly protection: string
  readonly mutation: Mutation
  readonly file: string
  readonly test: string
}

/** What hangs without its protection has failed as well. */
const TEST_MS = 20_000

/**
 * A test of a protection proves something only if it fails without it. Each of these takes one protection out of a copy
 * of the build and runs the test that is there for it, which then has to fail.
 */
export function describeControls(controls: readonly Control[]): void {
  describe('without its protection', { concurrency: 2 }, () => {
    for (const { protection, mutation, file, test } of controls) {
      it(`a test fails: ${protection}`, { timeout: 2 * TEST_MS }, async () => {
        using copy = mutant(mutation)
        const { failed, output } = await run(join(copy.folder, 'test', file), test)
        assert.match(output, /^# tests [1-9]/m, 'the test was not run')
        assert.ok(failed, `${file}, ${test}: passes without it`)
      })
    }
  })
}

function run(path: string, name: string): Promise<{ readonly failed: boolean; readonly output: string }> {
  const limits = [`--test-timeout=${TEST_MS}`, '--test-force-exit']
  const options = ['--test', '--test-reporter=tap', `--test-name-pattern=${name}`, ...limits, path]
  // The runner would otherwise take itself for a child of the one that runs this file.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  return new Promise((resolve) => {
    execFile(process.execPath, options, { env, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      resolve({ failed: error !== null, output: stdout + stderr })
    })
  })
}
