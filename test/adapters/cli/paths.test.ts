import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { linkSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { assertPaths, type RunPaths } from '../../../adapters/cli/run/paths.ts'
import { openJournal } from '../../../runtime/journal/open.ts'
import { cli, cliTasks, millrace, numberLines, scratch } from '../../helpers/cli.ts'
import { assertEachOnce, readOutcomes } from '../../helpers/outcomes.ts'
import { smallDisk } from '../../helpers/small-disk.ts'

/** A folder with an input, and the paths of a run in it. */
function setUp(test: TestContext, count = 3) {
  const folder = scratch(test)
  const at = (name: string) => join(folder, name)
  writeFileSync(at('in'), numberLines(1, count))
  return { folder, at, paths: { input: at('in'), output: at('out'), journal: at('jobs.db') } }
}

function optionsOf({ input, output, journal }: RunPaths): string[] {
  return ['--input', input, '--output', output, '--journal', journal]
}

describe('the paths of a run', () => {
  it('may not lead to one file, by whatever way', (test) => {
    const { at, paths } = setUp(test)
    linkSync(at('in'), at('hard'))
    symlinkSync(at('in'), at('soft'))
    symlinkSync(at('.'), at('here'))
    const wrong: [Partial<RunPaths>, string, RegExp][] = [
      [{ output: paths.journal }, '--output', /got a file of the journal/],
      [{ output: join(at('here'), 'jobs.db') }, '--output', /got a file of the journal/],
      [{ output: `${paths.journal}-wal` }, '--output', /got a file of the journal/],
      [{ output: `${paths.journal}.mark` }, '--output', /got a file of the journal/],
      [{ output: paths.input }, '--output', /got the input/],
      [{ output: at('hard') }, '--output', /got the input/],
      [{ output: at('soft') }, '--output', /got the input/],
      [{ journal: paths.input }, '--journal', /got the input/],
    ]
    for (const [part, path, message] of wrong) {
      assert.throws(() => assertPaths({ ...paths, ...part }), { code: 'MILLRACE_CLI', path, message })
    }
    assertPaths(paths)
    assertPaths({ ...paths, input: '-' })
  })

  it('must lead to files', (test) => {
    const { folder, at, paths } = setUp(test)
    mkdirSync(at('folder'))
    symlinkSync('loop', at('loop'))
    const wrong: [Partial<RunPaths>, string, RegExp][] = [
      [{ input: at('none') }, '--input', /got no file/],
      [{ input: join(at('in'), 'none') }, '--input', /got no file/],
      [{ input: folder }, '--input', /got a directory/],
      [{ input: '' }, '--input', /^\S+ --input '' cannot be used; got no file/],
      [{ output: at('folder') }, '--output', /got a directory/],
      [{ output: '' }, '--output', /^\S+ --output '' cannot be used; got an empty path/],
      [{ output: '/dev/null' }, '--output', /got no ordinary file/],
      [{ output: join(at('none'), 'out') }, '--output', /ENOENT/],
      [{ output: join(at('in'), 'out') }, '--output', /got ENOTDIR|got .*not a directory/],
      [{ input: join(at('loop'), 'in') }, '--input', /got ELOOP/],
      [{ input: at('loop') }, '--input', /got ELOOP/],
      [{ input: at('long'.repeat(99)) }, '--input', /got ENAMETOOLONG/],
      [{ output: join(at('loop'), 'out') }, '--output', /got ELOOP/],
      [{ output: at('loop') }, '--output', /got ELOOP/],
      [{ output: at('long'.repeat(99)) }, '--output', /got ENAMETOOLONG/],
    ]
    for (const [part, path, message] of wrong) {
      assert.throws(() => assertPaths({ ...paths, ...part }), { code: 'MILLRACE_CLI', path, message })
    }
  })

  it('are no reason for an error of ours where the journal cannot be reached', async (test) => {
    const { at, paths } = setUp(test)
    symlinkSync('loop', at('loop'))
    const journal = join(at('loop'), 'jobs.db')
    const named = await cli(['run', cliTasks, 'number.square', ...optionsOf({ ...paths, journal })])
    assert.equal(named.code, 3, named.err)
    assert.match(named.err, /^error: MILLRACE_JOURNAL_IO: /)
    for (const args of [['jobs'], ['job', 'a-1'], ['retry', 'a-1'], ['doctor'], ['backup', at('new.db')]]) {
      const { code, err } = await cli([...args, '--journal', journal])
      assert.equal(code, 3, err)
      assert.match(err, /^error: MILLRACE_JOURNAL_IO: .* got ELOOP/)
    }
    const printed = await cli(['run', cliTasks, 'number.square', '--input', paths.input, '--journal', journal])
    assert.equal(printed.code, 2, printed.err)
    assert.match(printed.err, /^error: MILLRACE_CLI: --journal .* got ELOOP/)
  })

  it('may be in the folder that the journal makes', async (test) => {
    const { at, paths } = setUp(test)
    const journal = join(at('new'), 'jobs.db')
    const { code, out, err } = await cli([
      'run',
      cliTasks,
      'number.square',
      '--input',
      paths.input,
      '--journal',
      journal,
    ])
    assert.equal(code, 0, err)
    assert.equal(out.trim().split('\n').length, 3)
  })

  it('are told by the option that was given', (test) => {
    const { at, paths } = setUp(test)
    mkdirSync(at('jobs.db.output'))
    assert.throws(() => assertPaths({ ...paths, output: at('jobs.db.output') }), {
      code: 'MILLRACE_CLI',
      path: '--journal',
      message: /--journal .*jobs\.db with the output .*jobs\.db\.output cannot be used; got a directory/,
    })
  })

  it('are looked at before anything is made', async (test) => {
    const { folder, paths } = setUp(test)
    for (const output of ['', paths.journal, paths.input, folder, join(folder, 'none', 'out')]) {
      const { code, err } = await cli(['run', cliTasks, 'number.square', ...optionsOf({ ...paths, output })])
      assert.equal(code, 2, err)
      assert.match(err, /^error: MILLRACE_CLI: --output /)
    }
    assert.deepEqual(readdirSync(folder), ['in'])
    assert.equal(readFileSync(paths.input, 'utf8'), numberLines(1, 3))
  })
})

describe('millrace run', () => {
  it('reads a pipe that has a name as it reads standard input', (test) => {
    const { at, paths } = setUp(test, 50)
    execFileSync('mkfifo', [at('pipe')])
    const options = optionsOf({ ...paths, input: at('pipe') }).join(' ')
    for (const now of [50, 0]) {
      const { stderr, status } = spawnSync(
        'sh',
        [
          '-c',
          `cat ${paths.input} > ${at('pipe')} & exec ${process.execPath} ${millrace} run ${cliTasks} number.square ${options}`,
        ],
        { encoding: 'utf8' },
      )
      assert.equal(status, 0, stderr)
      assert.match(stderr, new RegExp(`50 lines: 50 succeeded, 0 failed; ${now} of them now`))
    }
    assertEachOnce(readOutcomes(paths.output), 50)
  })

  it('refuses a line whose bytes are no UTF-8, instead of another text in its place', async (test) => {
    const { paths } = setUp(test)
    writeFileSync(paths.input, Buffer.concat([Buffer.from('"é\u{1F600}"\n"'), Buffer.from([0xe9]), Buffer.from('"\n')]))
    assert.equal((await cli(['run', cliTasks, 'text.echo', ...optionsOf(paths)])).code, 1)
    const [fine, refused] = readOutcomes(paths.output)
    assert.deepEqual(fine, { line: 1, state: 'succeeded', result: 'é\u{1F600}' })
    assert.equal(refused?.error?.code, 'MILLRACE_INPUT_INVALID')
    assert.match(refused?.error?.message ?? '', /no text in UTF-8/)
  })

  it('does not believe what is in the output before it owns the journal', async (test) => {
    const { paths } = setUp(test)
    writeFileSync(paths.output, '{"line":1,"state":"succeeded","result":1}\nno outcome\n')
    const owner = openJournal({ file: paths.journal, durability: 'full', keepEndedMs: 1_000 }, 0)
    const args = ['run', cliTasks, 'number.square', ...optionsOf(paths)]
    const locked = await cli(args)
    owner.close()
    assert.match(locked.err, /MILLRACE_JOURNAL_LOCKED/)
    assert.equal(locked.code, 3)
    const read = await cli(args)
    assert.match(read.err, /no output of this run; got "no outcome" as line 2/)
    assert.equal(read.code, 2)
  })

  it('says that the disk of the output is full, and goes on when there is room', async (test) => {
    const disk = smallDisk(test, 1)
    if (disk === undefined) return test.skip('only root may mount a file system')
    const { paths } = setUp(test, 30_000)
    const output = join(disk, 'out')
    const args = ['run', cliTasks, 'number.square', ...optionsOf({ ...paths, output })]
    const full = await cli(args)
    assert.equal(full.code, 3, full.err)
    assert.match(full.err, /^stopped: .* has [\d,]+ lines; run the same command again to go on$/m)
    assert.match(full.err, /^error: MILLRACE_DISK_FULL: the output .* cannot be written; got ENOSPC/m)
    execFileSync('mount', ['-o', 'remount,size=20m', disk])
    const last = await cli(args)
    assert.equal(last.code, 0, last.err)
    assertEachOnce(readOutcomes(output), 30_000)
  })
})

describe('a file that a command shall make', () => {
  it('is refused in words where it cannot be made', async (test) => {
    const { at, paths } = setUp(test)
    openJournal({ file: paths.journal, durability: 'full', keepEndedMs: 1_000 }, 0).close()
    const to = join(at('none'), 'new.db')
    for (const args of [
      ['backup', to],
      ['doctor', '--salvage', to],
    ]) {
      const { code, err } = await cli([...args, '--journal', paths.journal])
      assert.equal(code, 2, err)
      assert.match(err, /^error: MILLRACE_CLI: .*new\.db cannot be made; got ENOENT/)
    }
  })

  it('takes the place of no file of somebody else, whatever its name', async (test) => {
    const { at, paths } = setUp(test)
    openJournal({ file: paths.journal, durability: 'full', keepEndedMs: 1_000 }, 0).close()
    for (const name of ['new.db', 'new.db.part', 'new.db.damaged']) {
      writeFileSync(at(name), 'mine')
      const { code, err } = await cli(['doctor', '--salvage', at('new.db'), '--journal', paths.journal])
      assert.equal(code, 2, err)
      assert.equal(readFileSync(at(name), 'utf8'), 'mine')
      rmSync(at(name))
    }
  })
})
