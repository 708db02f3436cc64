import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { pathToFileURL } from 'node:url'
import type { MillraceError, Runtime } from '../../../../runtime/index.ts'
import { echo, native, parked, traced } from '../../../fixtures/tasks.ts'
import { built, loadBuild, mutant } from '../../../helpers/mutant.ts'
import { nextEvent } from '../../../helpers/next-event.ts'
import { ledgerOf, scratchFolder } from '../../../helpers/scratch.ts'
import { processesOf } from '../../../helpers/start-process-tier.ts'

const WAIT = { timeoutMs: 30_000 }

/** While a file of this name is beside the journal, no commit goes through: what it holds is the code that SQLite says. */
const FAILING = {
  file: 'runtime/journal/store/store.js',
  from: 'ledger.commit.run();',
  to: `const fs = process.getBuiltinModule('node:fs')
    if (fs.existsSync(ledger.db.name + '.fails'))
      throw Object.assign(new Error('disk I/O error'), { code: fs.readFileSync(ledger.db.name + '.fails', 'utf8') });
    ledger.commit.run();`,
}

async function startOf(test: TestContext, root: string, file: string): Promise<Runtime> {
  const { createRuntime } = await loadBuild(root)
  const runtime = await createRuntime({
    tasks: pathToFileURL(join(root, 'test/fixtures/tasks.js')),
    journal: { file },
    tiers: { default: { threads: 1 }, small: { threads: 1 } },
    lanes: { network: {} },
  })
  test.after(() => runtime.stop({ graceMs: 0 }))
  return runtime
}

async function failingRuntime(test: TestContext) {
  const copy = mutant(FAILING)
  test.after(() => copy[Symbol.dispose]())
  const file = join(scratchFolder(), 'jobs.db')
  const runtime = await startOf(test, copy.folder, file)
  const fails = `${file}.fails`
  return { runtime, fail: (code: string) => writeFileSync(fails, code), heal: () => rmSync(fails) }
}

describe('a disk that fails', () => {
  it('once costs nobody anything', async (test) => {
    const { runtime, fail, heal } = await failingRuntime(test)
    runtime.once('journal.down', heal)
    fail('SQLITE_IOERR_FSYNC')
    const jobs = await Promise.all(Array.from({ length: 20 }, () => runtime.enqueue(parked, null)))
    assert.equal(new Set(jobs.map(({ id }) => id)).size, 20)
    const { jobs: found } = (await runtime.tasks()).find(({ task }) => task === 'parked') ?? {}
    assert.equal(found?.available, 20)
  })

  it('for longer has new jobs refused until it is back, while what runs goes on', async (test) => {
    const { runtime, fail, heal } = await failingRuntime(test)
    const failed: unknown[] = []
    runtime.on('runtime.failed', ({ error }) => failed.push(error))
    const running = await runtime.enqueue(traced, { ledger: join(scratchFolder(), 'ledger'), ms: 200 })
    const ended = running.result({ timeoutMs: 60_000 })
    const degraded = nextEvent(runtime, 'journal.degraded', WAIT)
    fail('SQLITE_IOERR_FSYNC')
    const asked = assert.rejects(runtime.enqueue(parked, null), ({ code }: MillraceError) =>
      // Of one that was on its way nobody can say whether it arrived.
      ['MILLRACE_OUTCOME_UNKNOWN', 'MILLRACE_JOURNAL_IO'].includes(code),
    )
    await degraded
    await asked
    await assert.rejects(runtime.enqueue(parked, null), { code: 'MILLRACE_JOURNAL_IO' })
    // Longer than a journal whose thread only dies is opened again.
    for (let down = 0; down < 4; down++) await nextEvent(runtime, 'journal.down', WAIT)
    const healthy = nextEvent(runtime, 'journal.healthy', WAIT)
    heal()
    await healthy
    await ended
    const { id } = await runtime.enqueue(parked, null)
    assert.equal((await runtime.job(id).record()).state, 'available')
    assert.deepEqual(failed, [])
  })

  it('keeps no service from stopping', async (test) => {
    const { runtime, fail } = await failingRuntime(test)
    const degraded = nextEvent(runtime, 'journal.degraded', WAIT)
    fail('SQLITE_IOERR_FSYNC')
    const refused = assert.rejects(runtime.enqueue(parked, null))
    await degraded
    await runtime.stop({ graceMs: 0 })
    await refused
  })

  for (const [disk, code] of Object.entries({ gone: 'SQLITE_IOERR_FSYNC', full: 'SQLITE_FULL' })) {
    it(`keeps none from stopping that has a job which is stuck, where it is ${disk}`, async (test) => {
      const { runtime, fail } = await failingRuntime(test)
      const ledger = join(scratchFolder(), 'ledger')
      // By these seconds the test knows its own command again.
      const seconds = 6 + process.pid / 1e9
      const job = await runtime.enqueue(native, { ledger, seconds, how: 'exec' })
      await ledgerOf(ledger, 1, 'start')
      const degraded = nextEvent(runtime, 'journal.degraded', WAIT)
      fail(code)
      const refused = assert.rejects(runtime.enqueue(parked, null))
      await degraded
      const beganAt = performance.now()
      assert.deepEqual(await runtime.stop({ graceMs: 0 }), { stuck: [job.id] })
      assert.ok(performance.now() - beganAt < 4_500, 'the thread is still in its call')
      await refused
      // Else the thread would be there for longer than one may be left behind.
      for (const pid of processesOf(`sleep ${seconds}`)) process.kill(pid)
    })
  }
})

/** From another process: one that closes the files here drops the locks on them. */
const DAMAGE = `
  const Database = require('better-sqlite3'); const fs = require('node:fs'); const file = process.argv[1]
  const db = new Database(file)
  db.pragma('wal_checkpoint(PASSIVE)')
  const pages = db.pragma('page_count', { simple: true })
  const opened = fs.openSync(file, 'r+')
  for (let page = 1; page < pages; page++) fs.writeSync(opened, Buffer.alloc(4096, 0xa5), 0, 4096, page * 4096)
  // With a commit of another the owner reads its pages anew.
  db.pragma('user_version = 7')
  process.exit()`

describe('a journal whose pages are damaged under its owner', () => {
  it('is told as damaged to who waits and who asks, and is left alone', async (test) => {
    const file = join(scratchFolder(), 'jobs.db')
    const runtime = await startOf(test, built, file)
    const waiting = (await runtime.enqueue(parked, null)).result()
    const heard = assert.rejects(waiting, { code: 'MILLRACE_JOURNAL_CORRUPT' })
    const failed = nextEvent(runtime, 'runtime.failed', WAIT)
    execFileSync(process.execPath, ['-e', DAMAGE, file])
    const asked = assert.rejects(
      runtime.enqueue(echo, { value: 1 }),
      ({ code, cause }: MillraceError) =>
        code === 'MILLRACE_OUTCOME_UNKNOWN' && (cause as { code?: string }).code === 'MILLRACE_JOURNAL_CORRUPT',
    )
    assert.equal(((await failed).error as { code?: string }).code, 'MILLRACE_JOURNAL_CORRUPT')
    await Promise.all([heard, asked])
    await assert.rejects(runtime.enqueue(echo, { value: 2 }), { code: 'MILLRACE_JOURNAL_CORRUPT' })
  })
})
