import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { pathToFileURL } from 'node:url'
import { built } from './helpers/mutant.ts'
import { scratchFolder } from './helpers/scratch.ts'

const runner = join(dirname(built), 'scripts', 'test-files.js')

/** Fails so many times in a row, then passes. */
function fileThatFails(folder: string, name: string, times: number): string {
  const path = join(folder, name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(
    path,
    `const { appendFileSync, readFileSync } = require('node:fs')
     const { describe, it } = require('node:test')
     describe('a suite', () => it('counts', () => {
       appendFileSync(__filename + '.runs', 'x')
       if (readFileSync(__filename + '.runs').length <= ${times}) throw new Error('not yet')
     }))`,
  )
  return path
}

function runFiles(files: readonly string[]) {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const args = [runner, '2', '60000', ...files, '--alone']
  const { status, stdout } = spawnSync(process.execPath, args, { env, encoding: 'utf8' })
  return { status, stdout }
}

describe('the runner of these tests', () => {
  it('is content with what passes, and runs it once', () => {
    const { status, stdout } = runFiles([fileThatFails(scratchFolder(), 'sound.test.cjs', 0)])
    assert.equal(status, 0, stdout)
    assert.doesNotMatch(stdout, /once more/)
  })

  it('runs what has failed once more, and says so', () => {
    const folder = scratchFolder()
    const files = [fileThatFails(folder, 'sound.test.cjs', 0), fileThatFails(folder, 'once.test.cjs', 1)]
    const { status, stdout } = runFiles(files)
    assert.equal(status, 0, stdout)
    assert.match(stdout, /^failed once, and not again: .*once\.test\.cjs$/m)
    assert.doesNotMatch(stdout, /again: .*sound/)
  })

  it('fails of what fails again', () => {
    const { status, stdout } = runFiles([fileThatFails(scratchFolder(), 'broken.test.cjs', 2)])
    assert.equal(status, 1, stdout)
    assert.match(stdout, /^failed once, and again: .*broken\.test\.cjs$/m)
  })

  it('fails of what looks for lost jobs at once, and of many', () => {
    const folder = scratchFolder()
    assert.equal(runFiles([fileThatFails(folder, 'torture/once.test.cjs', 1)]).status, 1)
    const four = [1, 2, 3, 4].map((number) => fileThatFails(folder, `${number}.test.cjs`, 1))
    assert.equal(runFiles(four).status, 1)
  })
})

describe('a test that needs a file system of its own', () => {
  const helper = pathToFileURL(join(built, 'test', 'helpers', 'small-disk.js'))
  const script = `import { smallDisk } from ${JSON.stringify(helper)}; console.log(smallDisk({ after() {} }, 1))`

  /** Where no program is found that mounts one. */
  function tryToMount(env: Readonly<Record<string, string>>) {
    const args = ['--input-type=module', '--eval', script]
    return spawnSync(process.execPath, args, { env: { PATH: scratchFolder(), ...env }, encoding: 'utf8' })
  }

  it('is left out where none may be mounted', () => {
    const { status, stdout, stderr } = tryToMount({})
    assert.deepEqual([status, stdout], [0, 'undefined\n'], stderr)
  })

  it('is an error there where CI is set', () => {
    const { status, stderr } = tryToMount({ CI: 'true' })
    assert.equal(status, 1)
    assert.match(stderr, /cannot be mounted, and nothing may be left out where CI is set: run the tests as root/)
  })
})
