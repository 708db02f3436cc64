import assert from 'node:assert/strict'
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { Database } from '../../../runtime/index.ts'
import { LineSet } from '../../../adapters/cli/run/line-set.ts'
import { openOutcomes, readWritten } from '../../../adapters/cli/run/outcome-file.ts'
import { succeededLine } from '../../../adapters/cli/run/outcome-line.ts'
import { cli, cliTasks, grown, numberLines, scratch, startCli } from '../../helpers/cli.ts'
import { assertEachOnce, parseOutcomes, readOutcomes } from '../../helpers/outcomes.ts'

/** A folder with a run of ten lines in it that is complete. */
async function complete(test: TestContext) {
  const folder = scratch(test)
  const at = (name: string) => join(folder, name)
  writeFileSync(at('in'), numberLines(1, 10))
  const run = (output: string, journal = 'jobs.db', input = 'in') => {
    const files = ['--input', at(input), '--output', at(output), '--journal', at(journal)]
    return cli(['run', cliTasks, 'number.square', ...files])
  }
  assert.equal((await run('out')).code, 0)
  return { folder, at, run }
}

describe('the output of another run', () => {
  it('is taken for no output of this one where the journal is new', async (test) => {
    const { folder, at, run } = await complete(test)
    const before = readFileSync(at('out'), 'utf8')
    writeFileSync(at('other'), numberLines(11, 20))
    const { code, err } = await run('out', 'new.db', 'other')
    assert.equal(code, 2, err)
    assert.match(
      err,
      /^error: MILLRACE_CLI: .*out has outcomes of another run; got one of line \d+, expected none.*\(--output\)$/m,
    )
    assert.equal(readFileSync(at('out'), 'utf8'), before)
    assert.ok(!readdirSync(folder).some((name) => name.startsWith('new.db')), 'nothing is made')
  })

  it('is not printed where the journal was deleted and what had gathered beside it was not', async (test) => {
    const folder = scratch(test)
    const journal = join(folder, 'jobs.db')
    const run = (input: string) => cli(['run', cliTasks, 'number.square', '--journal', journal], { input })
    assertEachOnce(parseOutcomes((await run(numberLines(1, 10))).out), 10)
    for (const name of readdirSync(folder)) if (name !== 'jobs.db.output') rmSync(join(folder, name))
    const { code, out, err } = await run(numberLines(11, 20))
    assert.equal(code, 2, err)
    assert.equal(out, '')
    assert.match(err, /jobs\.db\.output has outcomes of another run; .*; move it away \(--journal\)$/m)
    rmSync(`${journal}.output`)
    const { out: anew } = await run(numberLines(11, 20))
    assert.deepEqual(parseOutcomes(anew)[0]?.result, { square: 121 })
  })

  it('is refused where it has outcomes behind what the journal has read', async (test) => {
    const { at, run } = await complete(test)
    renameSync(at('out'), at('moved'))
    writeFileSync(at('others'), `${succeededLine(11, 'of others')}\n`)
    const { code, err } = await run('others')
    assert.equal(code, 2, err)
    assert.match(err, /got one of line 11, expected none behind line 10/)
  })

  it('is not cut where it is a text without an end', async (test) => {
    const { at, run } = await complete(test)
    for (const text of ['{"name":"a"}', 'text', '[1,2']) {
      writeFileSync(at('mine'), text)
      const { code, err } = await run('mine', 'new.db')
      assert.equal(code, 2, err)
      assert.match(err, /mine is no output of this run; got /)
      assert.equal(readFileSync(at('mine'), 'utf8'), text)
    }
  })
})

describe('the output that a journal has had before', () => {
  it('is the one that it goes on with, for as long as that is there', async (test) => {
    const { at, run } = await complete(test)
    const { code, err } = await run('another')
    assert.equal(code, 2, err)
    assert.match(
      err,
      /^error: MILLRACE_CLI: the output is another one than before; got .*another, expected .*\/out, where the outcomes of .*jobs\.db were written; .* \(--output\)$/m,
    )
    assert.ok(!existsSync(at('another')), 'nothing is made')
    renameSync(at('out'), at('another'))
    assert.match((await run('another')).err, /^10 lines: 10 succeeded, 0 failed; 0 of them now/m)
    assert.equal((await run('out')).code, 2, 'the new name is remembered')
  })

  it('is taken as it is where the journal was put back, which then knows of fewer lines', async (test) => {
    const { folder, at, run } = await complete(test)
    const copy = scratch(test)
    cpSync(folder, copy, { recursive: true })
    writeFileSync(at('in'), numberLines(1, 20))
    assert.equal((await run('out')).code, 0)
    const names = readdirSync(folder).filter((name) => name.startsWith('jobs.db'))
    for (const name of names) rmSync(at(name))
    for (const name of readdirSync(copy)) if (name.startsWith('jobs.db')) cpSync(join(copy, name), at(name))
    const { code, err } = await run('out')
    assert.equal(code, 0, err)
    assert.match(err, /^warning: .*out has outcomes up to line 20, and .*jobs\.db knows of 10 lines/m)
    assert.match(err, /0 of them now/)
    assertEachOnce(readOutcomes(at('out')), 20)
  })

  it('may be given another name before it has any outcome', async (test) => {
    const { at, run } = await complete(test)
    renameSync(at('out'), at('another'))
    writeFileSync(at('out'), '')
    assert.equal((await run('another')).code, 0)
  })

  it('may be moved together with the journal', async (test) => {
    const { folder, at } = await complete(test)
    const copy = join(scratch(test), 'deeper', 'copy')
    mkdirSync(copy, { recursive: true })
    cpSync(folder, copy, { recursive: true })
    const files = ['--input', at('in'), '--output', join(copy, 'out'), '--journal', join(copy, 'jobs.db')]
    const { code, err } = await cli(['run', cliTasks, 'number.square', ...files])
    assert.equal(code, 0, err)
    assert.match(err, /0 of them now/)
  })

  it('is remembered from then on in a journal of an earlier version', async (test) => {
    const { at, run } = await complete(test)
    const db = new Database(at('jobs.db'))
    db.exec('ALTER TABLE millrace_cli_run DROP COLUMN output')
    db.close()
    assert.match((await run('out')).err, /0 of them now/)
    assert.equal((await run('another')).code, 2)
  })
})

describe('an output that somebody else changes', () => {
  it('is not cut to what it was when it was read', async (test) => {
    const path = join(scratch(test), 'out')
    const written = await readWritten(path)
    writeFileSync(path, `${succeededLine(1, 'of others')}\n`)
    await assert.rejects(openOutcomes(path, written, new LineSet()), { message: /somebody else has changed/ })
    assertEachOnce(readOutcomes(path), 1)
  })
})

describe('an output that somebody else changes while a run has it open', () => {
  async function opened(test: TestContext) {
    const path = join(scratch(test), 'out')
    const file = await openOutcomes(path, await readWritten(path), new LineSet())
    test.after(() => file.close())
    await file.append([succeededLine(1, 'a')])
    return { path, file }
  }

  it('gets nothing more where another run has written', async (test) => {
    const { path, file } = await opened(test)
    appendFileSync(path, `${succeededLine(1, 'of others')}\n`)
    await assert.rejects(file.append([succeededLine(2, 'b')]), {
      code: 'MILLRACE_CLI',
      path: '--output',
      message: /somebody else has changed the output/,
    })
    assert.deepEqual(
      readOutcomes(path).map(({ line }) => line),
      [1, 1],
    )
  })

  it('ends the run, which says how many lines have their outcome', async (test) => {
    const folder = scratch(test)
    const at = (name: string) => join(folder, name)
    writeFileSync(at('in'), `${JSON.stringify({ n: 1, ms: 20 })}\n`.repeat(500))
    const files = ['--input', at('in'), '--output', at('out'), '--journal', at('jobs.db')]
    const { ended } = startCli(['run', cliTasks, 'number.spin', ...files, '--threads', '1'])
    assert.equal(await grown(at('out'), 0, ended), true)
    appendFileSync(at('out'), `${succeededLine(500, 'of others')}\n`)
    const { code, err } = await ended
    assert.equal(code, 2, err)
    assert.match(err, /^stopped: .*out has \d+ lines?$/m)
    assert.match(err, /^error: MILLRACE_CLI: somebody else has changed the output .* \(--output\)$/m)
  })

  it('is no place for outcomes where it was moved away, or another has its name', async (test) => {
    const { path, file } = await opened(test)
    renameSync(path, `${path}.old`)
    await assert.rejects(file.append([succeededLine(2, 'b')]), { code: 'MILLRACE_CLI', message: /ENOENT/ })
    cpSync(`${path}.old`, path)
    await assert.rejects(file.append([succeededLine(2, 'b')]), { message: /somebody else has changed/ })
    assertEachOnce(readOutcomes(path), 1)
    assertEachOnce(readOutcomes(`${path}.old`), 1)
  })
})
