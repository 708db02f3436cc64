import assert from 'node:assert/strict'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { cli, cliTasks, grown, scratch, startCli, tasksModule } from '../../helpers/cli.ts'
import { assertEachOnce, parseOutcomes, readOutcomes } from '../../helpers/outcomes.ts'

const LINES = 4_000
const KILLS = 16

function spinning(count: number): string {
  return Array.from({ length: count }, (_, n) => `${JSON.stringify({ n, ms: 1 })}\n`).join('')
}

interface Life {
  readonly args: readonly string[]
  /** Where its outcomes gather. */
  readonly output: string
  readonly moreBytes: number
  /** What it gets as standard input. */
  readonly input?: string
}

/** Starts the command and kills it once its output has grown; says whether it was killed before it ended. */
async function killMidway({ args, output, moreBytes, input = '' }: Life): Promise<'killed' | 'ended'> {
  const { child, ended } = startCli(args, { input })
  const size = existsSync(output) ? statSync(output).size : 0
  await grown(output, size + moreBytes, ended)
  child.kill('SIGKILL')
  const { signal, out } = await ended
  assert.equal(out, '', 'nothing is printed before all is there')
  return signal === 'SIGKILL' ? 'killed' : 'ended'
}

const onTier = (_folder: string) => [cliTasks, 'number.spin']

const onLane = (folder: string) => [
  tasksModule(
    folder,
    `export const pause = m.defineTask({
      name: 'number.pause',
      lane: 'waiting',
      run: ({ n, ms }) => new Promise((resolve) => setTimeout(resolve, ms, n)),
    })`,
  ),
  'number.pause',
  '--concurrency',
  '4',
]

const FEW_LINES = 1_500
const FEW_KILLS = 3

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
      if ((await killMidway({ args, output, moreBytes: 1 + round * 97 })) === 'killed') kills++
    }
    assert.equal(kills, KILLS)
    const last = await cli(args)
    assert.equal(last.code, 0, last.err)
    const outcomes = readOutcomes(output)
    assertEachOnce(outcomes, LINES)
    for (const { line, result } of outcomes) assert.equal(result, line - 1)
    assert.equal((await cli(['jobs', '--counts', '--journal', journal])).out, 'no jobs\n')
  })

  for (const [how, task, from, to] of [
    ['standard input to a file', onTier, '-', 'out'],
    ['a file to standard output', onTier, 'in', '-'],
    ['standard input to standard output', onTier, '-', '-'],
    ['a file to a file, on a lane', onLane, 'in', 'out'],
    ['standard input to standard output, on a lane', onLane, '-', '-'],
  ] as const) {
    it(`resumes and has each line once from ${how}`, { timeout: 120_000 }, async (test) => {
      const folder = scratch(test)
      const at = (name: string) => (name === '-' ? name : join(folder, name))
      const [lines, journal] = [spinning(FEW_LINES), at('jobs.db')]
      writeFileSync(at('in'), lines)
      const args = ['run', ...task(folder), '--input', at(from), '--output', at(to), '--journal', journal]
      const input = from === '-' ? lines : ''
      const output = to === '-' ? `${journal}.output` : at(to)
      for (let round = 0; round < FEW_KILLS; round++) {
        assert.equal(await killMidway({ args, output, moreBytes: 1 + round * 97, input }), 'killed')
      }
      const last = await cli(args, { input })
      assert.equal(last.code, 0, last.err)
      const outcomes = to === '-' ? parseOutcomes(last.out) : readOutcomes(output)
      assertEachOnce(outcomes, FEW_LINES)
      for (const { line, result } of outcomes) assert.equal(result, line - 1)
      assert.equal((await cli(['jobs', '--counts', '--journal', journal])).out, 'no jobs\n')
    })
  }

  it('would write lines twice if a life knew nothing of the one before (control)', async (test) => {
    const folder = scratch(test)
    const input = join(folder, 'in')
    writeFileSync(input, spinning(500))
    let text = ''
    for (const life of ['first', 'second']) {
      const output = join(folder, life)
      const files = ['--input', input, '--output', output, '--journal', `${output}.db`]
      await killMidway({ args: ['run', cliTasks, 'number.spin', ...files], output, moreBytes: 1 })
      text += readFileSync(output, 'utf8').replace(/[^\n]*$/, '')
    }
    assert.throws(() => assertEachOnce(parseOutcomes(text), parseOutcomes(text).length))
  })
})
