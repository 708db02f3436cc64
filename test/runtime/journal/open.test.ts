import assert from 'node:assert/strict'
import fs, {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { MillraceError } from '../../../lib/errors.ts'
import { createRuntime } from '../../../runtime/index.ts'
import { journalFiles } from '../../../runtime/journal/files/files.ts'
import { openJournal } from '../../../runtime/journal/open.ts'
import { JOURNAL_VERSION } from '../../../runtime/journal/schema/schema.ts'
import { openDatabase } from '../../../runtime/journal/files/sqlite.ts'
import { START } from '../../helpers/journal-openers.ts'
import { open, openInAnotherProcess, optionsOf } from '../../helpers/opened-journal.ts'
import { scratchFolder } from '../../helpers/scratch.ts'
import { refuseToLeaveOut } from '../../helpers/without-root.ts'

describe('opening a journal', () => {
  it('makes its files for nobody else to read', (test) => {
    const folder = join(scratchFolder(), 'data', 'jobs')
    const file = join(folder, 'jobs.db')
    open(test, file)
    assert.equal(statSync(folder).mode & 0o777, 0o700)
    const names = readdirSync(folder)
    assert.ok(names.includes('jobs.db-wal') && names.includes('jobs.db.lock'))
    for (const name of names) assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600, name)
  })

  it("gives what root makes to the journal's owner", async (test) => {
    if (process.getuid?.() !== 0) {
      refuseToLeaveOut('only root gives files away')
      return test.skip('not root')
    }
    const file = join(scratchFolder(), 'jobs.db')
    openJournal(optionsOf(file), START).close()
    const { lock, starts, mark, reserve, wal, shm } = journalFiles(file)
    for (const path of [lock, mark]) rmSync(path)
    chownSync(file, 4_711, 4_712)
    const tasks = new URL('../../fixtures/quick-tasks.js', import.meta.url)
    const runtime = await createRuntime({ tasks, journal: { file } })
    const paths = [lock, starts, mark, reserve, wal, shm]
    const owners = paths.map((path) => statSync(path))
    await runtime.stop()
    assert.deepEqual(
      owners.map(({ uid, gid, mode }) => [uid, gid, mode & 0o777]),
      paths.map(() => [4_711, 4_712, 0o600]),
    )
  })

  it('leaves the modes of what is there alone', () => {
    const folder = scratchFolder()
    const file = join(folder, 'jobs.db')
    openJournal(optionsOf(file), START).close()
    chmodSync(folder, 0o750)
    openJournal(optionsOf(file), START).close()
    assert.equal(statSync(folder).mode & 0o777, 0o750)
  })

  it('refuses links in the place of its files, and does not make what they point to', () => {
    for (const name of Object.keys(journalFiles('')) as (keyof ReturnType<typeof journalFiles>)[]) {
      const folder = scratchFolder()
      const file = join(folder, 'jobs.db')
      symlinkSync(join(folder, 'elsewhere'), journalFiles(file)[name])
      assert.throws(() => openJournal(optionsOf(file), START), { code: 'MILLRACE_JOURNAL_UNSAFE_FILE' }, name)
      assert.ok(!existsSync(join(folder, 'elsewhere')), name)
    }
  })

  it('says in words what the file system has against it', () => {
    const folder = scratchFolder()
    assert.throws(() => openJournal(optionsOf(folder), START), {
      code: 'MILLRACE_INVALID_OPTION',
      path: 'journal.file',
      message: /got the directory/,
    })
    writeFileSync(join(folder, 'text'), '')
    assert.throws(() => openJournal(optionsOf(join(folder, 'text', 'jobs.db')), START), {
      code: 'MILLRACE_JOURNAL_IO',
      path: 'journal.file',
      message: /text.jobs\.db cannot be used as a journal; got E(?:EXIST|NOTDIR)/,
    })
    assert.deepEqual(readdirSync(folder), ['text'])
  })

  it('is one journal with one owner, whichever links lead to its folder', (test) => {
    const folder = scratchFolder()
    mkdirSync(join(folder, 'real'))
    symlinkSync(join(folder, 'real'), join(folder, 'link'))
    open(test, join(folder, 'link', 'data', 'jobs.db'))
    symlinkSync(join(folder, 'real', 'data'), join(folder, 'other'))
    assert.deepEqual(readdirSync(join(folder, 'other')), readdirSync(join(folder, 'real', 'data')))
    for (const path of ['real/data', 'other']) {
      assert.equal(openInAnotherProcess(join(folder, path, 'jobs.db')).code, 'MILLRACE_JOURNAL_LOCKED')
    }
  })

  it('has one name: a hard link would have a lock and a log of its own', () => {
    const folder = scratchFolder()
    const file = join(folder, 'jobs.db')
    openJournal(optionsOf(file), START).close()
    linkSync(file, join(folder, 'other.db'))
    for (const name of ['jobs.db', 'other.db']) {
      const { code, message = '' } = openInAnotherProcess(join(folder, name))
      assert.equal(code, 'MILLRACE_JOURNAL_UNSAFE_FILE')
      assert.match(message, /got 2 names of one file, expected one/)
    }
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.startsWith('other')),
      ['other.db'],
    )
    rmSync(join(folder, 'other.db'))
    assert.equal(openInAnotherProcess(file).code, undefined)
  })

  it('is opened again by its owner also where somebody has linked it for a copy meanwhile', () => {
    const folder = scratchFolder()
    const file = join(folder, 'jobs.db')
    const first = openJournal(optionsOf(file), START)
    const { epoch } = first.opened
    first.close()
    linkSync(file, join(folder, 'copy.db'))
    openJournal(optionsOf(file), START, epoch).close()
  })

  it('is refused where the system makes no directories, and not tried without end', {
    skip: !existsSync('/proc/self'),
  }, () => {
    const { code, message = '' } = openInAnotherProcess('/proc/none/of/these/jobs.db')
    assert.equal(code, 'MILLRACE_JOURNAL_IO')
    assert.match(message, /got ENOENT/)
  })

  it('says which file it was that cannot be one', () => {
    const folder = scratchFolder()
    writeFileSync(join(folder, 'file'), '')
    for (const [file, code] of [
      [join(folder, 'file', 'jobs.db'), 'MILLRACE_JOURNAL_IO'],
      [folder, 'MILLRACE_INVALID_OPTION'],
    ] as const) {
      assert.throws(
        () => openJournal(optionsOf(file), START),
        (error: MillraceError) => {
          assert.deepEqual([error.code, error.path], [code, 'journal.file'])
          assert.ok(error.message.includes(file))
          return true
        },
      )
    }
  })

  it('refuses file systems of a network, whose locks hold nobody off', (test) => {
    const type = test.mock.fn<(path: string) => number>(() => 0)
    test.mock.method(fs, 'statfsSync', (path: string) => ({ type: type(path) }))
    syncBuiltinESMExports()
    test.after(() => {
      test.mock.restoreAll()
      syncBuiltinESMExports()
    })
    const folder = scratchFolder()
    const file = join(folder, 'jobs.db')
    // As statfs(2) has them.
    const magic = {
      nfs: 0x6969,
      cifs: 0xff534d42,
      smb2: 0xfe534d42,
      smb: 0x517b,
      fuse: 0x65735546,
      ceph: 0x00c36400,
      afs: 0x5346414f,
      lustre: 0x0bd00bd0,
    }
    for (const [name, number] of Object.entries(magic)) {
      type.mock.mockImplementation((path) => (path === folder ? number : 0))
      assert.throws(() => openJournal(optionsOf(file), START), {
        code: 'MILLRACE_JOURNAL_FILESYSTEM',
        message: `MILLRACE_JOURNAL_FILESYSTEM: ${folder} is on ${name}, whose locks SQLite cannot rely on; put the journal on a local disk`,
      })
      assert.deepEqual(readdirSync(folder), [], 'nothing is left there')
    }
    for (const local of [0xef53, 0x58465342, 0x01021994]) {
      type.mock.mockImplementation(() => local)
      openJournal(optionsOf(file), START).close()
    }
  })

  it('refuses what is no database, and leaves it as it is', (test) => {
    const file = join(scratchFolder(), 'jobs.db')
    const text = 'this is no database, it is a letter to a friend of mine\n'.repeat(100)
    writeFileSync(file, text)
    assert.throws(() => openJournal(optionsOf(file), START), {
      code: 'MILLRACE_JOURNAL_CORRUPT',
      path: 'journal.file',
    })
    assert.equal(readFileSync(file, 'utf8'), text)
    rmSync(file)
    open(test, file)
  })

  it('refuses a database whose pages are damaged', () => {
    const file = join(scratchFolder(), 'jobs.db')
    const { store, close } = openJournal(optionsOf(file), START)
    store.ledger.db.exec("INSERT INTO millrace_tasks (name) VALUES ('a')")
    close()
    const bytes = readFileSync(file)
    bytes.fill(0xff, 100, bytes.length)
    writeFileSync(file, bytes)
    assert.throws(() => openJournal(optionsOf(file), START), { code: 'MILLRACE_JOURNAL_CORRUPT' })
    assert.deepEqual(readFileSync(file), bytes)
  })

  it('refuses a journal of a later version, and leaves it as it is', (test) => {
    const file = join(scratchFolder(), 'jobs.db')
    const { store, opened, close } = openJournal(optionsOf(file), START)
    store.ledger.db.prepare('UPDATE millrace_meta SET version = ?').run(JOURNAL_VERSION + 1)
    close()
    assert.throws(() => openJournal(optionsOf(file), START), { code: 'MILLRACE_JOURNAL_VERSION' })
    const db = openDatabase(file)
    const epoch = db.prepare('SELECT epoch FROM millrace_meta').pluck().get()
    db.prepare('UPDATE millrace_meta SET version = ?').run(JOURNAL_VERSION)
    db.close()
    assert.equal(epoch, opened.epoch)
    assert.equal(open(test, file).opened.epoch, opened.epoch + 1, 'the refusal has let go of the lock')
  })

  it('refuses a journal of a version that is none, in words', () => {
    for (const [column, version, got] of [
      ['INTEGER', 0, /got 0, expected 1 to \d/],
      ['INTEGER', -1, /got -1/],
      ['TEXT', 'three', /got "three"/],
      ['REAL', 1.5, /got 1\.5/],
      ['INTEGER', null, /got null/],
    ] as const) {
      const file = join(scratchFolder(), 'jobs.db')
      const db = openDatabase(file)
      db.exec(`CREATE TABLE millrace_meta (one INTEGER, version ${column}); INSERT INTO millrace_meta (one) VALUES (1)`)
      db.prepare('UPDATE millrace_meta SET version = ?').run(version)
      db.close()
      assert.throws(() => openJournal(optionsOf(file), START), { code: 'MILLRACE_JOURNAL_VERSION', message: got })
    }
  })

  it('leaves the tables and the version of others in the same file alone', (test) => {
    const file = join(scratchFolder(), 'jobs.db')
    const theirs = openDatabase(file)
    theirs.exec('CREATE TABLE orders (id INTEGER); INSERT INTO orders VALUES (7); PRAGMA user_version = 42')
    theirs.close()
    const { db } = open(test, file).store.ledger
    assert.deepEqual(db.prepare('SELECT id FROM orders').pluck().all(), [7])
    assert.equal(db.pragma('user_version', { simple: true }), 42)
  })

  it('syncs each commit to the disk, or only where that was given up', (test) => {
    for (const [durability, synchronous] of [
      ['full', 2],
      ['relaxed', 1],
    ] as const) {
      const file = join(scratchFolder(), 'jobs.db')
      const journal = openJournal(optionsOf(file, durability), START)
      test.after(() => journal.close())
      const { db } = journal.store.ledger
      assert.equal(db.pragma('synchronous', { simple: true }), synchronous)
      assert.equal(db.pragma('journal_mode', { simple: true }), 'wal')
      // What bounds the log: when it is moved into the file, and what is left of it then.
      assert.equal(db.pragma('wal_autocheckpoint', { simple: true }), 4_000)
      assert.equal(db.pragma('journal_size_limit', { simple: true }), 64 * 1024 * 1024)
    }
  })
})
