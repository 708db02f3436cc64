import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { mutant } from '../helpers/mutant.ts'
import { scratchFolder } from '../helpers/scratch.ts'
import { stress } from '../helpers/stress.ts'

/** Longer, or once more as it was: MILLRACE_STRESS_MS=600000 MILLRACE_STRESS_SEED=17 npm test -- torture/stress */
const FOR_MS = Number(process.env['MILLRACE_STRESS_MS'] ?? 10_000)
const WITHIN_MS = Number(process.env['MILLRACE_STRESS_WITHIN_MS'] ?? 60_000)
const SEED = Number(process.env['MILLRACE_STRESS_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const LIMIT = { timeout: FOR_MS + 2 * WITHIN_MS + 30_000 }

describe('anything that may happen to jobs, at random', () => {
  it('leaves none waiting, ends each once, and lets no two of its attempts overlap', LIMIT, async (test) => {
    const options = { seed: SEED, forMs: FOR_MS, withinMs: WITHIN_MS, folder: scratchFolder() }
    const { faults, counts } = await stress(options)
    test.diagnostic(JSON.stringify({ seed: SEED, ...counts }))
    assert.deepEqual(faults.slice(0, 20), [], `MILLRACE_STRESS_SEED=${SEED}: ${faults.length} faults`)
    for (const what of ['acknowledged', 'succeeded', 'dead', 'cancelled', 'expired', 'killed threads']) {
      assert.ok((counts[what] ?? 0) > 0, `there was nothing ${what}: ${JSON.stringify(counts)}`)
    }
  })
})

// The test runs itself once more, from a build without the protection; there it is alone.
describe('a job that is not woken', { skip: process.env['MILLRACE_STRESS_WITHIN_MS'] !== undefined }, () => {
  it('is found out', { timeout: 120_000 }, async () => {
    using copy = mutant({
      file: 'runtime/dispatch/dispatcher.js',
      from: 'this.#putBack(message.place, message.jobs);',
      to: ';',
    })
    const { failed, output } = await runAgain(join(copy.folder, 'test/torture/stress.test.js'))
    assert.ok(failed)
    assert.match(output, /it waits although there is room/)
  })
})

function runAgain(path: string): Promise<{ readonly failed: boolean; readonly output: string }> {
  const { NODE_TEST_CONTEXT: _, ...rest } = process.env
  const env = { ...rest, MILLRACE_STRESS_MS: '4000', MILLRACE_STRESS_WITHIN_MS: '3000', TMPDIR: scratchFolder() }
  return new Promise((resolve) => {
    const options = { env, maxBuffer: 64 * 1024 * 1024 }
    execFile(process.execPath, ['--test', path], options, (error, stdout, stderr) => {
      resolve({ failed: error !== null, output: stdout + stderr })
    })
  })
}
