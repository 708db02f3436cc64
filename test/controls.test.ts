import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { mutant, type Mutation } from './helpers/mutant.ts'

/**
 * A test of a protection proves something only if it fails without it. Each of these takes one protection out of a copy
 * of the build and runs the test that is there for it, which then has to fail.
 */
const controls: readonly {
  readonly protection: string
  readonly mutation: Mutation
  readonly file: string
  readonly test: string
}[] = [
  {
    protection: 'what was offered behind a job whose thread ends goes back uncharged',
    mutation: {
      file: 'runtime/places/seat.js',
      from: 'const unstarted = [...thread.recall(() => true)];',
      to: 'const unstarted = [];',
    },
    file: 'runtime/places/misbehaviour.test.js',
    test: 'in any order',
  },
  {
    protection: 'an exit is no success',
    mutation: {
      file: 'runtime/places/seat.js',
      from: 'entry.verdict ?? entry.outcome ?? exitOutcome(end)',
      to: "entry.verdict ?? entry.outcome ?? { type: 'succeeded', output: '' }",
    },
    file: 'runtime/places/misbehaviour.test.js',
    test: 'one misdeed after another',
  },
  {
    protection: 'a thrown null is a failure',
    mutation: {
      file: 'runtime/places/attempt.js',
      from: 'return failed(handler, error, context);',
      to: 'return error === null ? PLAIN_SUCCESS : failed(handler, error, context);',
    },
    file: 'runtime/places/misbehaviour.test.js',
    test: 'one misdeed after another',
  },
  {
    protection: "a late rejection is told from the next job's",
    mutation: {
      file: 'runtime/places/thread-main.js',
      from: 'whose.getStore()?.number',
      to: '0',
    },
    file: 'runtime/places/misbehaviour.test.js',
    test: 'reported as its own',
  },
  {
    protection: 'the hard limit terminates the thread',
    mutation: {
      file: 'runtime/places/thread-place.js',
      from: 'if (runningMs < entry.limits.hardLimitMs)',
      to: 'if (runningMs < 60_000)',
    },
    file: 'runtime/places/limits.test.js',
    test: 'ends a thread in loop',
  },
  {
    protection: 'a job is free again only when its thread has exited',
    mutation: {
      file: 'runtime/places/seat.js',
      from: 'await this.#exit;',
      to: 'await null;',
    },
    file: 'runtime/places/limits.test.js',
    test: 'waits for its exit',
  },
  {
    protection: 'what was under way when the journal thread died is sent again',
    mutation: {
      file: 'runtime/journal/client.js',
      from: 'for (const { jobs } of open)',
      to: 'for (const { jobs } of [])',
    },
    file: 'runtime/journal/client.test.js',
    test: 'is sent again',
  },
  {
    protection: 'a group that was committed is not written again after the journal thread died',
    mutation: {
      file: 'runtime/journal/client.js',
      from: 'const open = lost.filter(({ group }) => group.number > commits);',
      to: 'const open = lost;',
    },
    file: 'runtime/journal/client.test.js',
    test: 'not sent again',
  },
  {
    protection: 'what is running at the end of the grace goes back',
    mutation: {
      file: 'runtime/places/thread-place.js',
      from: 'this.#interrupt(seat);',
      to: '',
    },
    file: 'runtime/stop.test.js',
    test: 'aborts what outlasts',
  },
  {
    protection: 'what runs is settled on a full disk',
    mutation: { file: 'runtime/journal/space.js', from: 'this.#reserve.release();', to: '' },
    file: 'torture/disk-full.test.js',
    test: 'settles what runs',
  },
  {
    protection: 'idle waits for outcomes to be committed',
    mutation: { file: 'runtime/desk.js', from: 'if (quietLooks === 2)', to: 'if (quietLooks === 1)' },
    file: 'runtime/idle.test.js',
    test: 'every settle',
  },
]

/** What hangs without its protection has failed as well. */
const TEST_MS = 20_000

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

function run(path: string, name: string): Promise<{ readonly failed: boolean; readonly output: string }> {
  const options = ['--test', '--test-reporter=tap', `--test-name-pattern=${name}`, `--test-timeout=${TEST_MS}`, path]
  // The runner would otherwise take itself for a child of the one that runs this file.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  return new Promise((resolve) => {
    execFile(process.execPath, options, { env, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      resolve({ failed: error !== null, output: stdout + stderr })
    })
  })
}
