import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { built, mutant, type Mutation } from './mutant.ts'
import { type RanTest, runTest } from './run-test.ts'

/** A protection, how it is taken out of the build, and the test that is there for it. */
export interface Control {
  readonly protection: string
  readonly mutation: Mutation
  readonly file: string
  readonly test: string
}

/** What hangs without its protection has failed as well: after this long, and so many times what it takes with it. */
const HANGS_MS = 10_000
const HANGS_TIMES = 5
const WITH_PROTECTION_MS = 30_000
/** Both runs at their longest, with what their processes take to begin and to end. */
const LIMIT = { timeout: 240_000 }

/** A mutation that names what is not there is at fault itself. */
const OWN_FAULT = /\bReferenceError\b/

/**
 * A test of a protection proves something only if it fails without it, and passes with it. Each of these takes one
 * protection out of a copy of the build and runs the test that is there for it, which itself has to fail then: that its
 * file does not load, or fails in something else, proves nothing.
 */
export function describeControls(controls: readonly Control[]): void {
  const sound = new Map<string, Promise<RanTest>>()
  describe('without its protection', { concurrency: 2 }, () => {
    for (const { protection, mutation, file, test } of controls) {
      it(`a test fails: ${protection}`, LIMIT, async () => {
        const which = `${file}, ${test}`
        const before = sound.get(which) ?? withProtection(join(built, 'test', file), test)
        sound.set(which, before)
        const unchanged = await before
        assert.ok(unchanged.result === 'passed', `${which}: does not pass with it: ${JSON.stringify(unchanged)}`)
        using copy = mutant(mutation)
        const limitMs = Math.max(HANGS_MS, HANGS_TIMES * unchanged.tookMs)
        const ran = await runTest(join(copy.folder, 'test', file), test, limitMs)
        assert.ok(ran.result === 'failed', `${which}: without it ${JSON.stringify(ran)}`)
        assert.doesNotMatch(ran.how, OWN_FAULT)
      })
    }
  })
}

/** Twice if need be: a machine that is busy with other tests may be too slow for one, and it is enough that it passes at all. */
async function withProtection(path: string, test: string): Promise<RanTest> {
  const ran = await runTest(path, test, WITH_PROTECTION_MS)
  return ran.result === 'passed' ? ran : runTest(path, test, WITH_PROTECTION_MS)
}
