import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { built, mutant, type Mutation } from './mutant.ts'
import { type RanTest, runTest, runTests } from './run-test.ts'

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
  const sound = new Sound(controls)
  describe('without its protection', { concurrency: 2 }, () => {
    for (const { protection, mutation, file, test } of controls) {
      it(`a test fails: ${protection}`, LIMIT, async () => {
        const which = `${file}, ${test}`
        const unchanged = await sound.run(file, test)
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

/** The tests with all protections: those of one file in one process. */
class Sound {
  readonly #controls: readonly Control[]
  readonly #files = new Map<string, ReturnType<typeof runTests>>()

  constructor(controls: readonly Control[]) {
    this.#controls = controls
  }

  /** Twice if need be: a machine that is busy with other tests may be too slow for one, and it is enough that it passes at all. */
  async run(file: string, test: string): Promise<RanTest> {
    const first = (await this.#allOf(file)).get(test) as RanTest
    return first.result === 'passed' ? first : runTest(join(built, 'test', file), test, WITH_PROTECTION_MS)
  }

  #allOf(file: string): ReturnType<typeof runTests> {
    const known = this.#files.get(file)
    if (known !== undefined) return known
    const names = new Set(this.#controls.filter((each) => each.file === file).map(({ test }) => test))
    const run = runTests(join(built, 'test', file), [...names], WITH_PROTECTION_MS)
    this.#files.set(file, run)
    return run
  }
}
