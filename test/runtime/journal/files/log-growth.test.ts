import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { pathToFileURL } from 'node:url'
import { ManualClock } from '../../../../lib/manual-clock.ts'
import { defineTask } from '../../../../lib/task.ts'
import { Database } from '../../../../runtime/index.ts'
import { journalFiles } from '../../../../runtime/journal/files/files.ts'
import { LogGrowth, logBytesOf } from '../../../../runtime/journal/files/log-growth.ts'
import { openDatabase } from '../../../../runtime/journal/files/sqlite.ts'
import { quick } from '../../../fixtures/quick-tasks.ts'
import { built, loadBuild, mutant } from '../../../helpers/mutant.ts'
import { nextEvent } from '../../../helpers/next-event.ts'
import { scratchFolder } from '../../../helpers/scratch.ts'
import { startRuntime } from '../../../helpers/start-runtime.ts'

const MIB = 1024 * 1024
const LIMIT = 64 * MIB

describe('the growth of the log', () => {
  const sizes = (...mib: number[]) => {
    const clock = new ManualClock()
    let size = 0
    const growth = new LogGrowth(() => size, clock)
    return mib.map((each) => {
      size = each * MIB
      const told = growth.look()
      clock.advance(1_000)
      return told === undefined ? '-' : told / MIB
    })
  }

  it('is told once beyond twice its limit, and once at each doubling', () => {
    assert.deepEqual(sizes(64, 128, 129, 130, 256, 257, 1_500, 2_000, 2_100), [
      '-',
      '-',
      129,
      '-',
      '-',
      257,
      1_500,
      '-',
      2_100,
    ])
  })

  it('is told anew when the log was within its limit, and not when it was somewhat smaller', () => {
    assert.deepEqual(sizes(130, 100, 140, 64, 130), [130, '-', '-', '-', 130])
  })

  it('is looked at once a second', () => {
    const clock = new ManualClock()
    let looks = 0
    const growth = new LogGrowth(() => ++looks, clock)
    for (let at = 0; at < 2_000; at += 20) {
      growth.look()
      clock.advance(20)
    }
    assert.equal(looks, 2)
  })
})

describe('the size of the log', () => {
  it('is that of what is in it, as its connection knows it', (test) => {
    const file = join(scratchFolder(), 'jobs.db')
    const db = openDatabase(file)
    test.after(() => db.close())
    db.exec('PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE texts (text)')
    const size = logBytesOf(db)
    const write = (text: string) => db.prepare('INSERT INTO texts VALUES (?)').run(text)
    write('x'.repeat(MIB))
    const head = 32
    assert.equal(size(), statSync(journalFiles(file).wal).size - head)
    const other = openDatabase(file)
    other.exec("INSERT INTO texts VALUES ('from elsewhere')")
    other.close()
    assert.equal(size(), statSync(journalFiles(file).wal).size - head, 'also of what others write')
    db.exec('PRAGMA wal_checkpoint(PASSIVE)')
    write('behind what was moved')
    assert.ok(size() < MIB, `${size()}`)
  })
})

/** A contract of which nothing here is the handler, so that its jobs stay. */
const heavy = defineTask<{ text: string }, void>({ name: 'heavy' })
const input = { text: 'x'.repeat(500_000) }

/** As a backup or a shell that somebody has forgotten. */
function readWithoutEnd(test: TestContext, file: string) {
  const db = new Database(file, { readonly: true })
  test.after(() => db.close())
  db.exec('BEGIN')
  db.prepare('SELECT count(*) FROM sqlite_master').get()
  return db
}

describe('a journal that somebody reads in a transaction that does not end', () => {
  it('is told as overgrown, and its log is cut when the reader has gone', async (test) => {
    const file = join(scratchFolder(), 'jobs.db')
    const runtime = await startRuntime(test, { journal: { file } })
    const reader = readWithoutEnd(test, file)
    const overgrown = nextEvent(runtime, 'journal.overgrown', { timeoutMs: 60_000 })
    const logSize = () => statSync(journalFiles(file).wal).size
    while (logSize() <= 2 * LIMIT + MIB) await runtime.enqueue(heavy, input)
    const { logBytes } = await overgrown
    assert.ok(logBytes > 2 * LIMIT && logBytes <= logSize(), `${logBytes}`)
    reader.close()
    // The first commit moves the log, the second begins it anew and cuts the file.
    for (let commits = 0; commits < 2; commits++) await runtime.enqueue(heavy, input)
    assert.equal(logSize(), LIMIT)
  })
})

describe('the log of an owner', () => {
  const JOBS = 200_000
  const BURST = 5_000
  /** It is moved at about half of this. */
  const MOST = 32 * MIB

  /** How large it gets while so many jobs are enqueued and run. */
  async function largestLog(test: TestContext, root: string): Promise<number> {
    const { createRuntime } = await loadBuild(root)
    const file = join(scratchFolder(), 'jobs.db')
    const tasks = pathToFileURL(join(root, 'test/fixtures/quick-tasks.js'))
    const journal = { file, durability: 'relaxed' } as const
    const runtime = await createRuntime({ tasks, journal, tiers: { fast: { threads: 1 } } })
    test.after(() => runtime.stop({ graceMs: 0 }))
    let largest = 0
    for (let left = JOBS; left > 0; left -= BURST) {
      await Promise.all(Array.from({ length: BURST }, () => runtime.enqueue(quick)))
      largest = Math.max(largest, statSync(journalFiles(file).wal).size)
    }
    await runtime.idle()
    return Math.max(largest, statSync(journalFiles(file).wal).size)
  }

  it(`stays small while ${JOBS} jobs are enqueued and run`, async (test) => {
    const largest = await largestLog(test, built)
    test.diagnostic(`${largest} bytes`)
    assert.ok(largest <= MOST, `${largest}`)
  })

  it('would grow with them if nobody moved it (control)', async (test) => {
    using copy = mutant({
      file: 'runtime/journal/files/log-bounds.js',
      from: 'CHECKPOINT_PAGES = 4_000',
      to: 'CHECKPOINT_PAGES = 0',
    })
    const largest = await largestLog(test, copy.folder)
    test.diagnostic(`${largest} bytes`)
    assert.ok(largest > MOST, `${largest}`)
  })
})
