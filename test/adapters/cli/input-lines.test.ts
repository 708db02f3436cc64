import assert from 'node:assert/strict'
import { appendFileSync, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { cli, cliTasks, scratch, tasksModule } from '../../helpers/cli.ts'
import { assertEachOnce, readOutcomes } from '../../helpers/outcomes.ts'

const MIB = 1024 * 1024

function setUp(test: TestContext) {
  const folder = scratch(test)
  const at = (name: string) => join(folder, name)
  const files = ['--input', at('in'), '--output', at('out'), '--journal', at('jobs.db')]
  return { folder, input: at('in'), output: at('out'), files, echo: ['run', cliTasks, 'text.echo', ...files] }
}

describe('the input of millrace run', () => {
  it('may have a byte order mark, any ends of lines, and none at its end', async (test) => {
    for (const text of ['\uFEFF"a"\n"b"', '\uFEFF"a"\r\n"b"', '"a"\r\n"b"\r\n', '\uFEFF"a"\n\r\n"b"\r']) {
      const { input, output, echo } = setUp(test)
      writeFileSync(input, text)
      const { code, err } = await cli(echo)
      assert.equal(code, 0, err)
      assert.deepEqual(
        readOutcomes(output).map(({ result }) => result),
        ['a', 'b'],
        JSON.stringify(text),
      )
    }
  })

  for (const [what, before, appended] of [
    ['line feeds', '"a"\n"b"', '\n"c"\n"d"'],
    ['carriage returns', '\uFEFF"a"\r\n"b"', '\r\n"c"\r\n"d"'],
  ] as const) {
    it(`may be appended to where its last line has no end, with ${what}`, async (test) => {
      const { input, output, echo } = setUp(test)
      writeFileSync(input, before)
      assert.equal((await cli(echo)).code, 0)
      appendFileSync(input, appended)
      const { code, err } = await cli(echo)
      assert.equal(code, 0, err)
      assert.match(err, /^4 lines: 4 succeeded, 0 failed; 2 of them now/m)
      assertEachOnce(readOutcomes(output), 4)
    })
  }

  it('may have lines of 1 MiB, and refuses one above alone', async (test) => {
    const { input, output, files } = setUp(test)
    const line = (bytes: number) => JSON.stringify('x'.repeat(bytes - 2))
    writeFileSync(input, `${line(MIB)}\n${line(MIB + 1)}\n${line(3 * MIB)}\n"a"\n`)
    const module = tasksModule(
      scratch(test),
      "export const size = m.defineTask({ name: 'size', run: (text) => text.length })",
    )
    const { code, err } = await cli(['run', module, 'size', ...files])
    assert.equal(code, 1, err)
    const outcomes = readOutcomes(output)
    assert.deepEqual(
      outcomes.map(({ state, result, error }) => [state, result ?? error?.code]),
      [
        ['succeeded', MIB - 2],
        ['refused', 'MILLRACE_OPAQUE_INPUT'],
        ['refused', 'MILLRACE_OPAQUE_INPUT'],
        ['succeeded', 1],
      ],
    )
  })

  it('ends the run with a line over 16 MiB, which is told with its number', async (test) => {
    const { input, output, echo } = setUp(test)
    writeFileSync(input, `"a"\n"b"\n"${'x'.repeat(17 * MIB)}"\n"c"\n`)
    for (const _ of ['at first', 'again']) {
      const { code, err } = await cli(echo)
      assert.equal(code, 2, err)
      assert.match(err, /^error: MILLRACE_CLI: line 3 of the input is too long; got over 16777216 bytes/m)
    }
    assert.ok(!existsSync(output) || readOutcomes(output).every(({ line }) => line < 3))
  })

  it('ends the run where it cannot be read any further', {
    skip: !existsSync('/proc/self/mem') && 'no /proc',
  }, async (test) => {
    const { output, files } = setUp(test)
    const { code, err } = await cli(['run', cliTasks, 'text.echo', ...files.slice(2), '--input', '/proc/self/mem'])
    assert.equal(code, 2, err)
    assert.match(err, /^error: MILLRACE_CLI: the input cannot be read; got EIO: .* behind line 0, .* \(--input\)$/m)
    assert.deepEqual(readOutcomes(output), [])
  })
})

describe('the options of millrace run', () => {
  it('say how often a job is tried', async (test) => {
    const { input, output, files } = setUp(test)
    writeFileSync(input, '1\n')
    const module = tasksModule(
      scratch(test),
      `export const fails = m.defineTask({
        name: 'fails',
        retry: { attempts: 5, backoff: { type: 'fixed', delayMs: 1 } },
        run: () => { throw new Error('no') },
      })`,
    )
    assert.equal((await cli(['run', module, 'fails', ...files, '--attempts', '2'])).code, 1)
    assert.equal(readOutcomes(output)[0]?.attempts, 2)
  })

  it('name no journal where it has the name of the task', async (test) => {
    const { folder, input, output } = setUp(test)
    writeFileSync(input, '"a"\n')
    const args = ['run', cliTasks, 'text.echo', '--input', input, '--output', output]
    for (const now of [1, 0]) {
      const { code, err } = await cli(args, { cwd: folder })
      assert.equal(code, 0, err)
      assert.match(err, new RegExp(`; ${now} of them now`))
    }
    assert.ok(existsSync(join(folder, 'text.echo.jobs.db')))
  })
})
