import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { mutant, type Mutation } from './mutant.ts'
import { scratchFolder } from './scratch.ts'
import { unmountBelow } from './small-disk.ts'

/** A protection, how it is taken out of the build, and the test that is there for it. */
export interface Control {
  readonly protection: string
  readonly mutation: Mutation
  readonly file: string
  readonly test: string
}

/** What hangs without its protection has failed as well. */
const TEST_MS = 10_000
/** Node 24 gives its limit to each test, earlier lines to the file; and where a thread hangs, a process never ends by itself. */
const FILE_MS = 3 * TEST_MS

/**
 * A test of a protection proves something only if it fails without it. Each of these takes one protection out of a copy
 * of the build and runs the test that is there for it, which then has to fail.
 */
export function describeControls(controls: readonly Control[]): void {
  describe('without its protection', { concurrency: 2 }, () => {
    for (const { protection, mutation, file, test } of controls) {
      it(`a test fails: ${protection}`, { timeout: FILE_MS + TEST_MS }, async () => {
        using copy = mutant(mutation)
        const { result, output } = await run(join(copy.folder, 'test', file), test)
        if (result === 'hung') return
        assert.match(output, /^# tests [1-9]/m, 'the test was not run')
        assert.equal(result, 'failed', `${file}, ${test}: passes without it`)
      })
    }
  })
}

interface Ran {
  readonly result: 'passed' | 'failed' | 'hung'
  readonly output: string
}

function run(path: string, name: string): Promise<Ran> {
  const limits = [`--test-timeout=${TEST_MS}`, '--test-force-exit']
  const options = ['--test', '--test-reporter=tap', `--test-name-pattern=${name}`, ...limits, path]
  // The runner would otherwise take itself for a child of the one that runs this file.
  const { NODE_TEST_CONTEXT: _, ...rest } = process.env
  // What is killed leaves its folders and file systems behind.
  const folder = scratchFolder()
  const env = { ...rest, TMPDIR: folder }
  const child = spawn(process.execPath, options, { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  }
  return new Promise((resolve, reject) => {
    // The runner with the process that it has started for the file.
    const hang = setTimeout(() => process.kill(-(child.pid as number), 'SIGKILL'), FILE_MS)
    child.once('error', reject)
    child.once('close', (code, signal) => {
      clearTimeout(hang)
      unmountBelow(folder)
      resolve({ result: signal !== null ? 'hung' : code === 0 ? 'passed' : 'failed', output })
    })
  })
}
