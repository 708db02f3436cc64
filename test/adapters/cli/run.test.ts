import assert from 'node:assert/strict'
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { Database } from '../../../runtime/index.ts'
import { cli, cliTasks, numberLines, scratch, startCli, tasksModule } from '../../helpers/cli.ts'
import { assertEachOnce, parseOutcomes, readOutcomes } from '../../helpers/outcomes.ts'

function folderOf(test: TestContext) {
  const folder = scratch(test)
  const [input, output, journal] = ['in.ndjson', 'out.ndjson', 'jobs.db'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ]
  const files = ['--input', input, '--output', output, '--journal', journal]
  return { folder, input, output, journal, files }
}

describe('millrace run', () => {
  it('makes a job of every line and a line of every outcome', async (test) => {
    const { input, output, files } = folderOf(test)
    writeFileSync(input, numberLines(1, 2_000))
    const { code, err } = await cli(['run', cliTasks, 'number.square', ...files, '--threads', '2'])
    assert.equal(code, 0, err)
    const outcomes = readOutcomes(output)
    assertEachOnce(outcomes, 2_000)
    assert.deepEqual(outcomes[41], { line: 42, state: 'succeeded', result: { square: 1_764 } })
    assert.match(err, /2,000 lines: 2,000 succeeded, 0 failed/)
  })

  it('writes what failed and what is no job of the task, and says so by its exit code', async (test) => {
    const { input, output, files } = folderOf(test)
    writeFileSync(input, '{"n":1}\n\n{"n":2}\nno json\n')
    const { code } = await cli(['run', cliTasks, 'number.even', ...files])
    assert.equal(code, 1)
    const [dead, fine, refused, ...none] = readOutcomes(output)
    assert.deepEqual(none, [])
    assert.deepEqual(dead, {
      line: 1,
      state: 'dead',
      error: { name: 'PermanentError', message: '1 is odd' },
      attempts: 1,
    })
    assert.deepEqual(fine, { line: 3, state: 'succeeded', result: 2 })
    assert.equal(refused?.line, 4)
    assert.equal(refused?.state, 'refused')
    assert.equal(refused?.error?.code, 'MILLRACE_INPUT_INVALID')
  })

  it('refuses a line that does not fit the schema of the task, and goes on', async (test) => {
    const { input, output, files } = folderOf(test)
    writeFileSync(input, '{"n":"1"}\n{"n":2}\n')
    assert.equal((await cli(['run', cliTasks, 'number.square', ...files])).code, 1)
    assert.deepEqual(
      readOutcomes(output).map(({ state }) => state),
      ['refused', 'succeeded'],
    )
  })

  it('refuses a line for which the limits of the task name no key, and goes on', async (test) => {
    const by = 'by: ({ tenant }) => tenant.toLowerCase()'
    for (const limit of [
      `concurrency: { limit: 2, ${by} }`,
      `rate: { limit: 100, perMs: 1_000, ${by} }`,
      `fair: { ${by} }`,
      `fair: { by: ({ tenant }) => (typeof tenant === 'string' ? tenant : undefined) }`,
    ]) {
      const { folder, input, output, files } = folderOf(test)
      writeFileSync(input, '{"tenant":"A"}\n{"tenant":5}\n{}\n{"tenant":"b"}\n')
      const module = tasksModule(
        folder,
        `export const limited = m.defineTask({ name: 'limited', ${limit}, run: () => 1 })`,
      )
      for (const now of [4, 0]) {
        const { code, err } = await cli(['run', module, 'limited', ...files])
        assert.equal(code, 1, err)
        assert.match(err, new RegExp(`^4 lines: 2 succeeded, 2 failed; ${now} of them now`, 'm'))
      }
      const outcomes = readOutcomes(output)
      assert.deepEqual(
        outcomes.map(({ state }) => state),
        ['succeeded', 'refused', 'refused', 'succeeded'],
      )
      assert.match(outcomes[2]?.error?.message ?? '', /the option (concurrency|rate|fair)\.by cannot be used; /)
    }
  })

  it('runs refused lines again that somebody has deleted from the output, once the reason has passed', async (test) => {
    const { folder, input, output, files } = folderOf(test)
    writeFileSync(input, numberLines(1, 3))
    const module = tasksModule(
      folder,
      `const by = ({ n }) => {
        if (n > 1 && process.env.CLOSED === '1') throw new Error('the directory of tenants is closed')
        return n
      }
      export const limited = m.defineTask({ name: 'limited', fair: { by }, run: ({ n }) => n })`,
    )
    const run = (closed: string) => cli(['run', module, 'limited', ...files], { env: { CLOSED: closed } })
    assert.equal((await run('1')).code, 1)
    assert.match((await run('0')).err, /0 of them now/, 'a refusal is an outcome like any other')
    const kept = readFileSync(output, 'utf8')
      .split('\n')
      .filter((line) => !line.includes('"refused"'))
    writeFileSync(output, kept.join('\n'))
    const { code, err } = await run('0')
    assert.equal(code, 0, err)
    assert.match(err, /2 of them now/)
    assertEachOnce(readOutcomes(output), 3)
  })

  it('does nothing when it is run again, and only what was appended', async (test) => {
    const { input, output, files } = folderOf(test)
    writeFileSync(input, numberLines(1, 50))
    await cli(['run', cliTasks, 'number.square', ...files])
    const before = readFileSync(output, 'utf8')
    const again = await cli(['run', cliTasks, 'number.square', ...files])
    assert.equal(again.code, 0)
    assert.match(again.err, /0 of them now/)
    assert.equal(readFileSync(output, 'utf8'), before)
    appendFileSync(input, numberLines(51, 60))
    assert.match((await cli(['run', cliTasks, 'number.square', ...files])).err, /10 of them now/)
    assertEachOnce(readOutcomes(output), 60)
  })

  it('refuses another input, another task and another output on the same journal', async (test) => {
    const { folder, input, files, journal, output } = folderOf(test)
    writeFileSync(input, numberLines(1, 50))
    await cli(['run', cliTasks, 'number.square', ...files])
    const other = join(folder, 'other.ndjson')
    writeFileSync(other, numberLines(2, 51))
    const same = ['--output', output, '--journal', journal]
    const own = ['run', cliTasks, 'number.square', '--input', input, '--journal', journal]
    const refused = [
      await cli(['run', cliTasks, 'number.square', ...same, '--input', other]),
      await cli(['run', cliTasks, 'number.square', ...same], { input: numberLines(2, 51) }),
      await cli(['run', cliTasks, 'number.square', ...same], { input: numberLines(1, 49) }),
      await cli(['run', cliTasks, 'number.even', ...files]),
      ...(await Promise.all([input, other, join(folder, 'new')].map((to) => cli([...own, '--output', to])))),
    ]
    for (const { code, err } of refused) {
      assert.equal(code, 2)
      assert.match(
        err,
        /error: MILLRACE_CLI: .*(another one than before|used otherwise|got the input|is no output of this)/,
      )
    }
    assert.equal((await cli(['run', cliTasks, 'number.square', ...same], { input: numberLines(1, 50) })).code, 0)
  })

  it('reads standard input and prints the complete output', async (test) => {
    const { journal } = folderOf(test)
    const { code, out } = await cli(['run', cliTasks, 'number.square', '--journal', journal], {
      input: numberLines(1, 300),
    })
    assert.equal(code, 0)
    assertEachOnce(parseOutcomes(out), 300)
  })

  it('replaces the line of a job that was retried', async (test) => {
    const { input, output, journal, files } = folderOf(test)
    writeFileSync(input, numberLines(1, 10))
    const args = ['run', cliTasks, 'number.even', ...files]
    assert.equal((await cli(args)).code, 1)
    assert.equal((await cli(['retry', '--all', '--journal', journal])).out, '5 jobs retried\n')
    assert.equal((await cli(args, { env: { ODD_IS_FINE: 'yes' } })).code, 0)
    const outcomes = readOutcomes(output)
    assertEachOnce(outcomes, 10)
    assert.ok(outcomes.every(({ state }) => state === 'succeeded'))
  })

  it('knows the jobs of lines in a journal that an earlier version has begun, and no others by their form', async (test) => {
    const { input, output, journal, files } = folderOf(test)
    writeFileSync(input, numberLines(1, 10))
    const args = ['run', cliTasks, 'number.even', ...files]
    await cli(args)
    const db = new Database(journal)
    db.exec(`
      UPDATE millrace_jobs SET key = replace(key, 'millrace run, line ', 'line:');
      UPDATE millrace_jobs SET overrides = NULL WHERE key = 'line:9';
      ALTER TABLE millrace_cli_run DROP COLUMN keys`)
    db.close()
    const of = (err: string) => /^1 job that lines have enqueued failed, of number\.even: /m.test(err)
    const again = await cli(args)
    assert.match(again.err, /^10 lines: 5 succeeded, 5 failed; 0 of them now/m)
    assert.ok(of(again.err), again.err)
    assert.equal((await cli(['retry', '--all', '--journal', journal])).out, '5 jobs retried\n')
    assert.match(
      (await cli(args, { env: { ODD_IS_FINE: 'yes' } })).err,
      /^10 lines: 9 succeeded, 1 failed; 4 of them now/m,
    )
    assertEachOnce(readOutcomes(output), 10)
  })

  it('leaves nothing behind when it is used wrongly', async (test) => {
    const { folder, files } = folderOf(test)
    assert.equal((await cli(['run', cliTasks, 'number.square', ...files])).code, 2)
    assert.deepEqual(readdirSync(folder), [])
  })

  it('runs lines again whose outcomes somebody has deleted', async (test) => {
    const { input, output, files } = folderOf(test)
    writeFileSync(input, numberLines(1, 10))
    await cli(['run', cliTasks, 'number.square', ...files])
    writeFileSync(output, readFileSync(output, 'utf8').split('\n').slice(0, 4).join('\n'))
    assert.match((await cli(['run', cliTasks, 'number.square', ...files])).err, /7 of them now/)
    assertEachOnce(readOutcomes(output), 10)
  })
})

describe('outcomes that somebody has deleted', () => {
  it('are written anew and not run again where a job has ended without success, unless it is retried', async (test) => {
    const { input, output, journal, files } = folderOf(test)
    writeFileSync(input, numberLines(1, 4))
    const run = () => cli(['run', cliTasks, 'number.even', ...files], { env: { ODD_IS_FINE: 'yes' } })
    await cli(['run', cliTasks, 'number.even', ...files])
    const before = readOutcomes(output)
    writeFileSync(output, '')
    const again = await run()
    assert.equal(again.code, 1, again.err)
    assert.deepEqual(readOutcomes(output), before)
    writeFileSync(output, '')
    await cli(['retry', '--all', '--journal', journal])
    assert.equal((await run()).code, 0)
    assertEachOnce(readOutcomes(output), 4)
  })
})

describe('handlers of millrace run', () => {
  function setUp(test: TestContext) {
    const { input, output, files } = folderOf(test)
    writeFileSync(input, numberLines(1, 3))
    return { output, files, rest: [...files.slice(0, 2), ...files.slice(4)] }
  }

  it('may print, which never gets between the outcomes', async (test) => {
    const { rest } = setUp(test)
    const { code, out, err } = await cli(['run', cliTasks, 'text.shout', ...rest])
    assert.equal(code, 0, err)
    assertEachOnce(parseOutcomes(out), 3)
    assert.equal(err.match(/^shouted$/gm)?.length, 3)
  })

  it('may enqueue more jobs, of which the run says how many wait for a time', async (test) => {
    const { files } = setUp(test)
    const { code, err } = await cli(['run', cliTasks, 'number.parent', ...files])
    assert.equal(code, 0, err)
    assert.match(err, /^3 jobs that lines have enqueued wait for their time: run the same command again then$/m)
    const journal = files.at(-1) as string
    const { out } = await cli(['jobs', '--journal', journal, '--counts'])
    assert.match(out, /^number\.square +scheduled +3$/m)
    assert.doesNotMatch(out, /number\.even/, 'those without a delay have run')
  })

  it('may enqueue jobs that fail or that the module does not handle, which the run says', async (test) => {
    const { files } = setUp(test)
    const module = tasksModule(
      scratch(test),
      `const stranger = m.defineTask({ name: 'of.others' })
      const retry = { attempts: 1 }
      export const fails = m.defineTask({ name: 'child.fails', retry, run: () => { throw new Error('no') } })
      export const own = m.defineTask({
        name: 'with.children',
        retry,
        async run({ n, child }, context) {
          if (child) throw new Error('no')
          await context.enqueue(stranger, null)
          if (n === 1) await context.enqueue(fails, null)
          if (n === 2) await context.enqueue(own, { child: true })
        },
      })`,
    )
    const args = ['run', module, 'with.children', ...files]
    for (const now of [3, 0]) {
      const { code, err } = await cli(args)
      assert.equal(code, 1, err)
      assert.match(err, new RegExp(`^3 lines: 3 succeeded, 0 failed; ${now} of them now`, 'm'))
      assert.match(
        err,
        /^2 jobs that lines have enqueued failed, of (child.fails|with.children), (child.fails|with.children):/m,
      )
      assert.match(err, /^3 jobs that lines have enqueued wait for what the module does not handle, of.others: /m)
    }
  })

  it('may give their jobs keys of every other form, which are taken for no line', async (test) => {
    const { input, output, files } = folderOf(test)
    writeFileSync(input, numberLines(1, 3))
    const module = tasksModule(
      scratch(test),
      `export const own = m.defineTask({
        name: 'with.keys',
        retry: { attempts: 1 },
        async run({ n, child }, context) {
          if (child) throw new Error('no')
          await context.enqueue(own, { n, child: true }, { key: 'line:' + (n + 3) })
          return n
        },
      })`,
    )
    const args = ['run', module, 'with.keys', ...files]
    for (const [lines, jobs] of [
      [3, 3],
      [6, 6],
    ] as const) {
      if (lines > 3) appendFileSync(input, numberLines(4, lines))
      const { err } = await cli(args)
      assert.match(err, new RegExp(`^${lines} lines: ${lines} succeeded, 0 failed; 3 of them now`, 'm'))
      assert.match(err, new RegExp(`^${jobs} jobs that lines have enqueued failed, of with\\.keys: `, 'm'))
      assertEachOnce(readOutcomes(output), lines)
    }
  })

  it('end no run by process.exit, on a lane neither', async (test) => {
    const { output, files } = setUp(test)
    assert.equal((await cli(['run', cliTasks, 'wait.leave', ...files])).code, 1)
    assert.deepEqual(
      readOutcomes(output).map(({ error }) => error?.code),
      ['MILLRACE_THREAD_EXIT', 'MILLRACE_THREAD_EXIT', 'MILLRACE_THREAD_EXIT'],
    )
  })

  it('end no run by a rejection that nobody handles, and it is told', async (test) => {
    const { output, files } = setUp(test)
    const { code, err } = await cli(['run', cliTasks, 'wait.stray', ...files])
    assert.equal(code, 0, err)
    assertEachOnce(readOutcomes(output), 3)
    assert.match(err, /^nobody handled Error: astray \(job \w+-\w+\)$/m)
  })

  it('go on when nobody reads the progress any more', async (test) => {
    const { output, files } = setUp(test)
    const { child, ended } = startCli(['run', cliTasks, 'text.shout', ...files])
    child.stderr?.destroy()
    assert.equal((await ended).code, 0)
    assertEachOnce(readOutcomes(output), 3)
  })
})
