import assert from 'node:assert/strict'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { cli, cliTasks, grown, scratch, startCli } from '../../helpers/cli.ts'
import { assertEachOnce, parseOutcomes, readOutcomes } from '../../helpers/outcomes.ts'

const LINES = 4_000
const KILLS = 16

function spinning(count: number): string {
  return Array.from({ length: count }, (_, n) => `${JSON.stringify({ n, ms: 1 })}\n`).join('')
}

/** Starts the command and kills it once its output has grown; says whether it was killed before it ended. */
async function killMidway(args: readonly string[], output: string, moreBytes: number): Promise<'killed' | 'ended'> {
  const { child, ended } = startCli(args)
  const size = existsSync(output) ? statSync(output).size : 0
  await grown(output, size + moreBytes, ended)
  child.kill('SIGKILL')
  return (await ended).signal === 'SIGKILL' ? 'killed' : 'ended'
}

describe('millrace run, killed over and over', () => {
  it('resumes, writes each line once and leaves no job dead', { timeout: 400_000 }, async (test) => {
    const folder = scratch(test)
    const [input, output, journal] = ['in', 'out', 'jobs.db'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ]
    writeFileSync(input, spinning(LINES))
    const args = ['run', cliTasks, 'number.spin', '--input', input, '--output', output, '--journal', journal]
    let kills = 0
    for (let round = 0; round < KILLS; round++) {
      if ((await killMidway(args, output, 1 + round * 97)) === 'killed') kills++
    }
    assert.equal(kills, KILLS)
    const last = await cli(args)
    assert.equal(last.code, 0, last.err)
    const outcomes = readOutcomes(output)
    assertEachOnce(outcomes, LINES)
    for (const { line, result } of outcomes) assert.equal(result, line - 1)
    assert.equal((await cli(['jobs', '--counts', '--journal', journal])).out, 'no jobs\n')
  })

  it('would write lines twice if a life knew nothing of the one before (control)', async (test) => {
    const folder = scratch(test)
    const input = join(folder, 'in')
    writeFileSync(input, spinning(500))
    let text = ''
    for (const life of ['first', 'second']) {
      const output = join(folder, life)
      const files = ['--input', input, '--output', output, '--journal', `${output}.db`]
      await killMidway(['run', cliTasks, 'number.spin', ...files], output, 1)
      text += readFileSync(output, 'utf8').replace(/[^\n]*$/, '')
    }
    assert.throws(() => assertEachOnce(parseOutcomes(text), parseOutcomes(text).length))
  })
})
