import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { cli, cliTasks, grown, millrace, scratch, startCli, tasksModule } from '../../helpers/cli.ts'
import { assertEachOnce, parseOutcomes, readOutcomes } from '../../helpers/outcomes.ts'

const LINES = 60

/** Opening a pipe that nobody writes to is a native call which nothing ends. */
const HANGING = `
import { openSync } from 'node:fs'
const run = (n) => n === 3 && openSync(new URL('pipe', import.meta.url))
export const tier = m.defineTask({ name: 'hang.tier', run })
export const lane = m.defineTask({ name: 'hang.lane', lane: 'hanging', run })`

const LIMITS = 'softLimitMs: 100, hardLimitMs: 200'

function setUp(test: TestContext, ms: number) {
  const folder = scratch(test)
  const [input, output] = [join(folder, 'in'), join(folder, 'out')] as const
  writeFileSync(input, Array.from({ length: LINES }, (_, n) => `${JSON.stringify({ n, ms })}\n`).join(''))
  const files = ['--input', input, '--output', output, '--journal', join(folder, 'jobs.db')]
  return { output, args: ['run', cliTasks, 'number.spin', ...files, '--threads', '2'] }
}

describe('millrace run, of which nothing is left but native calls past their hard limit', () => {
  for (const [task, hanging, graceMs, said] of [
    ['hang.tier', 1, '300', /1 job is in native calls past the hard limit/],
    ['hang.lane', 1, '300', /1 job is in native calls past the hard limit/],
    ['hang.tier', 5, '60000', /error: MILLRACE_ZOMBIES: /],
  ] as const) {
    it(`says so, ends, and goes on when it is run again: ${hanging} of ${task}`, async (test) => {
      const folder = scratch(test)
      const at = (name: string) => join(folder, name)
      const lines = hanging + 2
      writeFileSync(at('in'), Array.from({ length: lines }, (_, line) => `${line + 1}\n`).join(''))
      execFileSync('mkfifo', [at('pipe')])
      const module = tasksModule(
        folder,
        HANGING.replaceAll('n === 3', 'n >= 3').replaceAll(' run })', ` ${LIMITS}, run })`),
      )
      const files = ['--input', at('in'), '--output', at('out'), '--journal', at('jobs.db')]
      const args = ['run', module, task, ...files, '--grace-ms', graceMs]
      const stopped = await cli(args)
      assert.equal(stopped.signal, 'SIGTERM', stopped.err)
      assert.match(stopped.err, said)
      assert.match(stopped.err, /stopped: .* has 2 lines; run the same command again/)
      rmSync(at('pipe'))
      writeFileSync(at('pipe'), '')
      assert.equal((await cli(args)).code, 0)
      assertEachOnce(readOutcomes(at('out')), lines)
    })
  }
})

describe('millrace run, interrupted while it prints', () => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    it(`ends at once on ${signal}, and prints all of it when it is run again`, { timeout: 60_000 }, async (test) => {
      const folder = scratch(test)
      const at = (name: string) => join(folder, name)
      const long = 'x'.repeat(10_000)
      writeFileSync(at('in'), Array.from({ length: LINES }, () => `${JSON.stringify(long)}\n`).join(''))
      const args = ['run', cliTasks, 'text.echo', '--input', at('in'), '--journal', at('jobs.db')]
      const child = spawn(process.execPath, [millrace, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
      test.after(() => child.kill('SIGKILL'))
      const ended = once(child, 'exit')
      // More than a pipe holds, and nobody reads it.
      for await (const text of child.stderr.setEncoding('utf8')) {
        if (String(text).includes(`${LINES} succeeded`)) break
      }
      child.kill(signal)
      assert.deepEqual(await ended, [null, signal])
      const { code, out } = await cli(args)
      assert.equal(code, 0)
      assertEachOnce(parseOutcomes(out), LINES)
    })
  }
})

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
    assert.equal(stopped.signal, 'SIGINT')
    assert.match(stopped.err, /ended at once/)
    assert.doesNotMatch(stopped.err, /interrupted:/)
    assert.equal((await cli(args)).code, 0)
    assertEachOnce(readOutcomes(output), LINES)
  })

  for (const task of ['hang.tier', 'hang.lane']) {
    for (const [how, graceMs] of [
      ['on a second signal', '60000'],
      ['after the grace', '100'],
    ] as const) {
      it(`ends ${how} while ${task} is in a native call, and goes on when it is run again`, async (test) => {
        const folder = scratch(test)
        const at = (name: string) => join(folder, name)
        writeFileSync(at('in'), '1\n2\n3\n')
        execFileSync('mkfifo', [at('pipe')])
        const files = ['--input', at('in'), '--output', at('out'), '--journal', at('jobs.db')]
        const args = ['run', tasksModule(folder, HANGING), task, ...files, '--grace-ms', graceMs]
        const { child, ended } = startCli(args)
        await grown(at('out'), 0, ended)
        child.stderr?.on('data', (text: string) => {
          if (text.includes('SIGINT:') && graceMs === '60000') child.kill('SIGINT')
        })
        child.kill('SIGINT')
        const stopped = await ended
        assert.equal(stopped.signal, 'SIGINT', stopped.err)
        assert.match(stopped.err, graceMs === '60000' ? /ended at once/ : /interrupted: .* has \d lines?/)
        rmSync(at('pipe'))
        writeFileSync(at('pipe'), '')
        const last = await cli(args)
        assert.equal(last.code, 0, last.err)
        assertEachOnce(readOutcomes(at('out')), 3)
      })
    }
  }
})
