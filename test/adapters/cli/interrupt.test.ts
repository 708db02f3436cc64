import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { cli, cliTasks, grown, scratch, startCli } from '../../helpers/cli.ts'
import { assertEachOnce, readOutcomes } from '../../helpers/outcomes.ts'

const LINES = 60

function setUp(test: TestContext, ms: number) {
  const folder = scratch(test)
  const [input, output] = [join(folder, 'in'), join(folder, 'out')] as const
  writeFileSync(input, Array.from({ length: LINES }, (_, n) => `${JSON.stringify({ n, ms })}\n`).join(''))
  const files = ['--input', input, '--output', output, '--journal', join(folder, 'jobs.db')]
  return { output, args: ['run', cliTasks, 'number.spin', ...files, '--threads', '2'] }
}

describe('millrace run, interrupted', () => {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    it(`lets running jobs end on ${signal}, writes them, and goes on when it is run again`, async (test) => {
      const { output, args } = setUp(test, 100)
      const { child, ended } = startCli(args)
      await grown(output, 0, ended)
      child.kill(signal)
      const stopped = await ended
      assert.equal(stopped.code, code, stopped.err)
      assert.match(stopped.err, /interrupted: .* has \d+ lines?; run the same command again/)
      const before = readOutcomes(output)
      assert.ok(before.length > 0 && before.length < LINES)
      const last = await cli(args)
      assert.equal(last.code, 0, last.err)
      assert.match(last.err, new RegExp(`${LINES - before.length} of them now`))
      assertEachOnce(readOutcomes(output), LINES)
    })
  }

  it('ends at once on a second signal, and goes on when it is run again', async (test) => {
    const { output, args } = setUp(test, 100)
    const { child, ended } = startCli([...args, '--grace-ms', '60000'])
    await grown(output, 0, ended)
    child.stderr?.on('data', (text: string) => {
      if (text.includes('SIGINT:')) child.kill('SIGINT')
    })
    child.kill('SIGINT')
    const stopped = await ended
    assert.equal(stopped.code, 130)
    assert.match(stopped.err, /ended at once/)
    assert.doesNotMatch(stopped.err, /interrupted:/)
    assert.equal((await cli(args)).code, 0)
    assertEachOnce(readOutcomes(output), LINES)
  })
})
