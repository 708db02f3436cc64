import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { mutant } from './helpers/mutant.ts'
import { runTest, runTests } from './helpers/run-test.ts'
import { scratchFolder } from './helpers/scratch.ts'

/** A file of tests, of which the one named 'the meant one' is run. */
function run(body: string) {
  const path = join(scratchFolder(), 'some.test.cjs')
  writeFileSync(path, `const { describe, it, before, after } = require('node:test')\n${body}`)
  return runTest(path, 'the meant one', 200)
}

const MEANT = "it('is the meant one', () => {})"

describe('what was run as a control', () => {
  it('has passed where the test itself has, whatever its neighbours would do', async () => {
    const { result } = await run(`describe('a suite', () => { ${MEANT}; it('is another', () => { throw 1 }) })`)
    assert.equal(result, 'passed')
  })

  it('has failed where the test itself has, and says by what', async () => {
    const ran = await run("it('is the meant one', () => { throw new TypeError('no such photo') })")
    assert.deepEqual(ran, { result: 'failed', how: 'is the meant one: testCodeFailure, TypeError: no such photo' })
  })

  it('has failed where the test hangs, or takes its process down', async () => {
    for (const [body, how] of [
      ['new Promise(() => setInterval(() => {}, 1_000))', /ended by SIGKILL/],
      ['{ for (;;); }', /ended by SIGKILL/],
      ['new Promise(() => setImmediate(() => process.exit(7)))', /ended by code 7/],
    ] as const) {
      const ran = await run(`it('is the meant one', () => ${body})`)
      assert.ok(ran.result === 'failed', JSON.stringify(ran))
      assert.match(ran.how, how)
    }
  })

  it('was not run where its file does not load, or there is no such test', async () => {
    for (const body of ['for (', `throw new Error('not now'); ${MEANT}`, "it('is another', () => {})"]) {
      assert.equal((await run(body)).result, 'not run', body)
    }
  })

  it('tells of several tests of a file what became of each', async () => {
    const path = join(scratchFolder(), 'some.test.cjs')
    const tests = "it('one', () => {}); it('two', () => { throw new Error('no') }); it('three', () => {})"
    writeFileSync(path, `const { it } = require('node:test')\n${tests}`)
    const ran = await runTests(path, ['one', 'two', 'four'], 200)
    assert.deepEqual(
      [...ran].map(([name, { result }]) => `${name} ${result}`),
      ['one passed', 'two failed', 'four not run'],
    )
  })

  it('has not failed by what its file does after it', async () => {
    const { result } = await run(`${MEANT}; after(() => { throw new Error('left something behind') })`)
    assert.equal(result, 'passed')
  })
})

describe('a protection', () => {
  it('cannot be taken out so that its file does not parse', () => {
    const malformed = { file: 'lib/ring.js', from: 'export class', to: 'export clas' }
    assert.throws(() => mutant(malformed), /ring\.js cannot be parsed any more[\s\S]*SyntaxError/)
  })

  it('cannot be taken out where it is not', () => {
    assert.throws(() => mutant({ file: 'lib/ring.js', from: 'no such text', to: '' }), /has no no such text/)
  })
})
