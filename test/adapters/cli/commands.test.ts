import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { pathToFileURL } from 'node:url'
import { createPublisher, createRuntime, type Runtime } from '../../../runtime/index.ts'
import * as tasks from '../../fixtures/cli-tasks.ts'
import { cli, cliTasks, millrace, scratch } from '../../helpers/cli.ts'
import { nextEvent } from '../../helpers/next-event.ts'

async function ownerOf(test: TestContext): Promise<{ runtime: Runtime; journal: string }> {
  const journal = join(scratch(test), 'jobs.db')
  const runtime = await createRuntime({
    tasks: pathToFileURL(cliTasks),
    journal: { file: journal },
    tiers: { default: { threads: 1 } },
    lanes: { waiting: {} },
  })
  test.after(() => runtime.stop({ graceMs: 0 }))
  return { runtime, journal }
}

/** A journal without an owner, with dead jobs in it. */
async function journalWithDead(test: TestContext): Promise<string> {
  const folder = scratch(test)
  const [input, journal] = [join(folder, 'in'), join(folder, 'jobs.db')] as const
  writeFileSync(input, '{"n":1}\n{"n":3}\n{"n":5}\n')
  await cli(['run', cliTasks, 'number.even', '--input', input, '--journal', journal, '--quiet'])
  return journal
}

async function idsOf(journal: string, ...filter: readonly string[]): Promise<string[]> {
  const { out } = await cli(['jobs', '--json', '--journal', journal, ...filter])
  return out.split('\n').flatMap((line) => (line === '' ? [] : [(JSON.parse(line) as { id: string }).id]))
}

describe('the command line', () => {
  it('has its version for every command', async () => {
    const { out } = await cli(['--version'])
    assert.match(out, /^\d+\.\d+\.\d+\n$/)
    assert.equal((await cli(['jobs', '--version'])).out, out)
  })

  it('refuses what it does not know, with what was probably meant, and exits with 2', async (test) => {
    const journal = await journalWithDead(test)
    const folder = scratch(test)
    const inCommonJs = join(folder, 'tasks.js')
    writeFileSync(join(folder, 'package.json'), '{"type":"commonjs"}')
    writeFileSync(inCommonJs, "import { defineTask } from 'millrace'\nexport const a = 1\n")
    const wrong: [readonly string[], RegExp][] = [
      [[], /^$/],
      [['jbos'], /did you mean jobs\?/],
      [['help', 'jbos'], /did you mean jobs\?/],
      [['run', cliTasks, 'number.square', '--grace-ms', '-5'], /^error: .*'--grace-ms' argument is ambiguous; .*\n$/],
      [['jobs', '--journall', journal], /did you mean --journal\?/],
      [['jobs'], /expected --journal FILE/],
      [['jobs', '--journal', journal, '--state', 'daed'], /did you mean dead\?/],
      [['jobs', '--journal', journal, '--limit', '0'], /--limit.*expected an integer from 1 to 200/],
      [['jobs', '--journal', journal, '--counts', '--limit', '3'], /got --limit, expected none beside --counts/],
      [['retry', '--journal', journal], /either IDs or --all/],
      [['retry', 'a-1', '--task', 'a', '--journal', journal], /got --task, expected none beside IDs/],
      [['cancel', 'a-1', '--state', 'dead', '--journal', journal], /got --state, expected none beside IDs/],
      [
        ['retry', '--all', '--state', 'dead,available', '--journal', journal],
        /retry can do nothing for jobs that are available; expected dead, cancelled, discarded, expired \(--state\)/,
      ],
      [
        ['cancel', '--all', '--state', 'expired', '--journal', journal],
        /jobs that are expired; expected scheduled, available, running, away/,
      ],
      [['doctor', '--journal', journal, '--salvage', 'new', '--json'], /got --json, expected none beside --salvage/],
      [['doctor', '--journal', journal, '--salvage', 'new', '--full'], /got --full, expected none beside --salvage/],
      [['run', cliTasks], /got no TASK/],
      [['run', cliTasks, 'number.sqare'], /did you mean number.square\?/],
      [['run', 'nowhere.js', 'number.square'], /there is no such file/],
      [['run', folder, 'number.square'], /it is a directory/],
      [['run', inCommonJs, 'number.square'], /put "type": "module" into its package\.json/],
      [['run', cliTasks, 'number.square', '--concurrency', '3'], /use --threads/],
      [
        ['run', cliTasks, 'number.square', '--threads', 'two'],
        /--threads cannot be used; got "two", expected an integer/,
      ],
      [
        ['run', cliTasks, 'number.square', '--input', 'nowhere.ndjson'],
        /--input nowhere.ndjson cannot be used; got no file/,
      ],
    ]
    for (const [args, message] of wrong) {
      const { code, err } = await cli(args)
      assert.equal(code, 2, `${args.join(' ')}: ${err}`)
      assert.match(err, message)
      assert.doesNotMatch(err, /\n\s+at /, 'no stack')
    }
    assert.match((await cli(['jobs', '--verbose'])).err, /\n\s+at /)
  })

  it('says that its answer could not be written', {
    skip: !existsSync('/dev/full') && 'no /dev/full',
  }, async (test) => {
    const journal = await journalWithDead(test)
    const folder = scratch(test)
    const input = join(folder, 'in')
    writeFileSync(input, '{"n":2}\n')
    const run = ['run', cliTasks, 'number.even', '--input', input, '--journal', join(folder, 'jobs.db'), '--quiet']
    for (const args of [['--help'], ['jobs', '--journal', journal], run]) {
      const full = openSync('/dev/full', 'w')
      const { status, stderr } = spawnSync(process.execPath, [millrace, ...args], {
        stdio: ['ignore', full, 'pipe'],
        encoding: 'utf8',
      })
      closeSync(full)
      assert.equal(status, 2, stderr)
      assert.match(stderr, /^error: MILLRACE_CLI: the answer cannot be written to standard output; got ENOSPC.*\n$/)
    }
    const { code, out } = await cli(run)
    assert.deepEqual([code, out], [0, '{"line":1,"state":"succeeded","result":2}\n'])
  })

  it('exits with 3 where there is no journal', async (test) => {
    const folder = scratch(test)
    const notOne = join(folder, 'text.db')
    writeFileSync(notOne, 'this is a text and no database at all'.repeat(100))
    assert.equal((await cli(['jobs', '--journal', join(folder, 'none.db')])).code, 3)
    const { code, err } = await cli(['jobs', '--journal', notOne])
    assert.equal(code, 3)
    assert.match(err, /MILLRACE_JOURNAL_CORRUPT/)
  })
})

describe('millrace jobs and job', () => {
  it('list and show jobs of a journal that nobody owns', async (test) => {
    const journal = await journalWithDead(test)
    const ids = await idsOf(journal, '--state', 'dead', '--task', 'number.even')
    assert.equal(ids.length, 3)
    assert.match((await cli(['jobs', '--counts', '--journal', journal])).out, /number\.even +dead +3/)
    assert.match(
      (await cli(['jobs', '--counts', '--state', 'dead', '--journal', journal])).out,
      /number\.even +dead +3/,
    )
    for (const other of [
      ['--task', 'nosuch'],
      ['--state', 'cancelled'],
    ]) {
      assert.equal((await cli(['jobs', '--counts', ...other, '--journal', journal])).out, 'no jobs\n')
      assert.equal((await cli(['jobs', '--counts', '--json', ...other, '--journal', journal])).out, '')
    }
    const first = await cli(['jobs', '--limit', '2', '--journal', journal])
    const after = /--after '(.*)'/.exec(first.err)?.[1] as string
    assert.deepEqual(await idsOf(journal, '--limit', '2', '--after', after), ids.slice(2))
    const { out } = await cli(['job', ids[0] as string, '--journal', journal])
    assert.match(out, /^state +dead$/m)
    assert.match(out, /PermanentError: \d is odd/)
    const missing = await cli(['job', 'aaaaaa-1', '--journal', journal])
    assert.equal(missing.code, 1)
    assert.match(missing.err, /MILLRACE_JOB_NOT_FOUND/)
  })

  it('take a state that is named twice once', async (test) => {
    const journal = await journalWithDead(test)
    const twice = ['--state', 'dead,dead']
    assert.equal(new Set(await idsOf(journal, ...twice)).size, 3)
    assert.equal((await idsOf(journal, ...twice)).length, 3)
    assert.equal((await cli(['retry', '--all', '--journal', journal, ...twice])).out, '3 jobs retried\n')
    const available = ['--state', 'available, available']
    assert.match((await cli(['cancel', '--all', '--journal', journal, ...available])).out, /^3 jobs cancelled/)
  })

  it('read a journal whose owner runs', async (test) => {
    const { runtime, journal } = await ownerOf(test)
    const job = await runtime.enqueue(tasks.square, { n: 1 }, { delayMs: 60_000 })
    assert.deepEqual(await idsOf(journal, '--state', 'scheduled'), [job.id])
  })
})

describe('jobs in the inbox of a journal that nobody owns', () => {
  /** Two that wait and one for later, of two tasks. */
  async function journalWithInbox(test: TestContext): Promise<{ journal: string; ids: readonly string[] }> {
    const journal = await journalWithDead(test)
    await using publisher = await createPublisher({ journal })
    const jobs = [
      await publisher.enqueue(tasks.square, { n: 1 }),
      await publisher.enqueue(tasks.square, { n: 2 }, { delayMs: 3_600_000 }),
      await publisher.enqueue(tasks.echo, 'three'),
    ]
    return { journal, ids: jobs.map(({ id }) => id) }
  }

  it('are counted by what lists jobs', async (test) => {
    const { journal, ids } = await journalWithInbox(test)
    const noteOf = async (...words: readonly string[]) => (await cli(['jobs', '--journal', journal, ...words])).err
    assert.match(await noteOf(), /^in the inbox: 3 jobs more, /)
    assert.match(await noteOf('--task', 'text.echo', '--state', 'available'), /^in the inbox: 1 job more, /)
    assert.match(await noteOf('--counts'), /^in the inbox: 3 jobs more, /)
    assert.equal(await noteOf('--state', 'dead'), '')
    const { code, err } = await cli(['job', ids[0] as string, '--journal', journal])
    assert.equal(code, 1)
    assert.match(err, /MILLRACE_JOB_NOT_FOUND: .* it is in the inbox/)
  })

  it('can be cancelled by id', async (test) => {
    const { journal, ids } = await journalWithInbox(test)
    const [first = '', second = ''] = ids
    const { code, out, err } = await cli(['cancel', first, second, '--journal', journal])
    assert.equal(code, 0, err)
    assert.equal(out, `${first} cancelled\n${second} cancelled\n`)
    assert.deepEqual(await idsOf(journal, '--state', 'available,scheduled'), ids.slice(2))
  })

  it('are among all that are cancelled', async (test) => {
    const { journal, ids } = await journalWithInbox(test)
    const scheduled = await cli(['cancel', '--all', '--state', 'scheduled', '--journal', journal])
    assert.equal(scheduled.out, '1 job cancelled or asked to end\n', scheduled.err)
    const rest = await cli(['cancel', '--all', '--journal', journal])
    assert.equal(rest.out, '2 jobs cancelled or asked to end\n', rest.err)
    assert.deepEqual((await idsOf(journal, '--state', 'cancelled')).sort(), [...ids].sort())
  })
})

describe('millrace retry and cancel', () => {
  it('change jobs of a journal that nobody owns', async (test) => {
    const journal = await journalWithDead(test)
    const [first = '', second = ''] = await idsOf(journal)
    const retried = await cli(['retry', first, '--journal', journal])
    assert.equal(retried.code, 0, retried.err)
    assert.equal(retried.out, `${first} retried: it is available\n`)
    assert.equal((await cli(['retry', first, '--journal', journal])).code, 1)
    assert.equal((await cli(['cancel', first, '--journal', journal])).out, `${first} cancelled\n`)
    assert.equal((await cli(['cancel', second, '--journal', journal])).out, `${second} is dead already\n`)
    assert.equal((await cli(['retry', '--all', '--journal', journal])).out, '2 jobs retried\n')
    assert.deepEqual(await idsOf(journal, '--state', 'cancelled'), [first])
  })

  it('change the jobs that are there, and tell which are not', async (test) => {
    const journal = await journalWithDead(test)
    const [first = '', second = '', third = ''] = await idsOf(journal)
    const missing = `${first.slice(0, first.indexOf('-'))}-zzzz`
    for (const [verb, ids, text] of [
      ['retry', [missing, first, 'aaaaaa-1', second], 'retried: it is available'],
      ['cancel', [first, missing, second], 'cancelled'],
    ] as const) {
      const { code, out, err } = await cli([verb, ...ids, '--journal', journal])
      assert.equal(code, 1, err)
      assert.equal(out, `${first} ${text}\n${second} ${text}\n`)
      assert.match(err, new RegExp(`^error: MILLRACE_JOB_NOT_FOUND: ${missing} has no row in .*$`, 'm'))
      assert.equal(err.includes('"aaaaaa-1" is no job of'), verb === 'retry')
    }
    const none = await cli(['cancel', missing, '--journal', journal])
    assert.deepEqual([none.code, none.out], [1, ''])
    assert.doesNotMatch(none.err, /\n\s+at /)
    assert.match((await cli(['cancel', missing, '--journal', journal, '--verbose'])).err, /\n\s+at /)
    assert.deepEqual(await idsOf(journal, '--state', 'dead'), [third])
  })

  it('say why the jobs that match were not changed, up to twenty of them', async (test) => {
    const { runtime, journal } = await ownerOf(test)
    const end = async (key: string) => {
      const job = await runtime.enqueue(tasks.even, { n: 1 }, { key })
      await assert.rejects(job.result())
      return job.id
    }
    const retryAll = () => cli(['retry', '--all', '--journal', journal])
    const take = (from: number, to: number) =>
      Promise.all(
        Array.from({ length: to - from }, async (_, at) => {
          const key = `key ${from + at}`
          const id = await end(key)
          await runtime.enqueue(tasks.even, { n: 2 }, { key, delayMs: 3_600_000 })
          return `${id} is still dead: another job has its key now`
        }),
      )
    const first = await take(0, 3)
    const few = await retryAll()
    assert.deepEqual([few.code, few.out], [1, '0 jobs retried\n'])
    assert.deepEqual(few.err.split('\n').sort(), ['', ...first].sort())
    await take(3, 23)
    const free = await end('free')
    const { code, out, err } = await retryAll()
    assert.deepEqual([code, out], [1, '1 job retried\n'])
    const told = err.trimEnd().split('\n')
    assert.equal(told.length, 21, err)
    assert.equal(told.at(-1), 'and 3 jobs more were not retried')
    assert.ok(!err.includes(free))
  })

  it('have the owner retry a job, which its handles follow', async (test) => {
    const { runtime, journal } = await ownerOf(test)
    const job = await runtime.enqueue(tasks.even, { n: 1 })
    await assert.rejects(job.result())
    const deadAgain = nextEvent(runtime, 'job.dead')
    const { code, err } = await cli(['retry', job.id, '--journal', journal])
    assert.equal(code, 0, err)
    assert.equal((await deadAgain).id, job.id)
    assert.ok((await job.record()).claim > 1)
  })

  it('have the owner cancel a waiting job, which its handles follow', async (test) => {
    const { runtime, journal } = await ownerOf(test)
    const job = await runtime.enqueue(tasks.square, { n: 1 }, { delayMs: 60_000 })
    const result = assert.rejects(job.result(), { code: 'MILLRACE_JOB_CANCELLED' })
    assert.equal((await cli(['cancel', job.id, '--journal', journal])).out, `${job.id} cancelled\n`)
    await result
  })

  it('have the owner ask a running job to end', async (test) => {
    const { runtime, journal } = await ownerOf(test)
    const job = await runtime.enqueue(tasks.linger, { n: 1 })
    const cancelled = nextEvent(runtime, 'job.cancelled', { timeoutMs: 20_000 })
    const { code, out, err } = await cli(['cancel', job.id, '--journal', journal])
    assert.equal(code, 0, err)
    assert.match(out, /cancelled|asked to end/)
    assert.equal((await cancelled).id, job.id)
  })
})
