import assert from 'node:assert/strict'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { pathToFileURL } from 'node:url'
import { createRuntime, Database, type RuntimeOptions } from '../../../runtime/index.ts'
import * as tasks from '../../fixtures/cli-tasks.ts'
import { cli, cliTasks, scratch } from '../../helpers/cli.ts'
import { nextEvent } from '../../helpers/next-event.ts'

const JOBS = 3_000

function optionsFor(journal: string): RuntimeOptions {
  return {
    tasks: pathToFileURL(cliTasks),
    journal: { file: journal },
    tiers: { default: { threads: 1 } },
    lanes: { waiting: {} },
  }
}

const FOREIGN = `
  PRAGMA user_version = 7;
  PRAGMA application_id = 4711;
  CREATE TABLE photos (id INTEGER PRIMARY KEY, name TEXT NOT NULL, size REAL, raw BLOB, twice AS (size * 2));
  CREATE TABLE tags (photo INTEGER REFERENCES photos, tag TEXT, PRIMARY KEY (photo, tag)) WITHOUT ROWID;
  CREATE TABLE log (line TEXT);
  CREATE INDEX photos_by_name ON photos (name);
  CREATE VIEW large AS SELECT * FROM photos WHERE size > 10;
  CREATE TRIGGER logged AFTER INSERT ON photos BEGIN INSERT INTO log VALUES (new.name); END;
  CREATE VIRTUAL TABLE words USING fts5(text);
  INSERT INTO photos (name, size, raw) VALUES ('cat', 1.0, x'00ff'), ('dög', 9007199254740993, NULL);
  INSERT INTO tags VALUES (1, 'pet'), (2, 'pet');
  INSERT INTO words VALUES ('the quick brown fox');`

/** A closed journal with waiting jobs, and a service's own tables in it. */
async function journalIn(folder: string, foreign: string = FOREIGN): Promise<string> {
  const journal = join(folder, 'jobs.db')
  const runtime = await createRuntime(optionsFor(journal))
  const padding = 'x'.repeat(200)
  await runtime.enqueueMany(
    tasks.square,
    Array.from({ length: JOBS }, (_, n) => ({ n, padding })),
    { delayMs: 3_600_000 },
  )
  await runtime.stop()
  const db = new Database(journal)
  db.exec(foreign)
  db.pragma('wal_checkpoint(TRUNCATE)')
  db.close()
  return journal
}

/** The files of a journal as a power cut would have left them: its owner runs, and its log is not empty. */
async function crashImage(test: TestContext): Promise<string> {
  const folder = scratch(test)
  const [live, image] = [join(folder, 'live.db'), join(folder, 'image', 'jobs.db')] as const
  const runtime = await createRuntime(optionsFor(live))
  for (let n = 0; n < 20; n++) await runtime.enqueue(tasks.square, { n }, { delayMs: 3_600_000 })
  mkdirSync(join(folder, 'image'))
  for (const suffix of ['', '-wal', '.mark']) copyFileSync(`${live}${suffix}`, `${image}${suffix}`)
  await runtime.stop()
  return image
}

/** The same, with a bit of its log that has flipped: the commits behind it are gone. */
async function lostTail(test: TestContext): Promise<string> {
  const image = await crashImage(test)
  flip(`${image}-wal`, Math.floor(statSync(`${image}-wal`).size * 0.7))
  return image
}

/** Has a mark say that so many commits were acknowledged. */
function setCommits(mark: string, commits: number): void {
  const content = readFileSync(mark)
  content.writeDoubleLE(commits, 16)
  writeFileSync(mark, content)
}

function flip(path: string, at: number): void {
  const content = readFileSync(path)
  content[at] = (content[at] as number) ^ 1
  writeFileSync(path, content)
}

/** Overwrites a leaf page of the jobs' table, found by the text that its rows hold. */
function spoilPage(journal: string, text: string): void {
  const content = readFileSync(journal)
  const page = Math.floor(content.indexOf(text) / 4_096)
  content.fill(0xa5, page * 4_096, page * 4_096 + 200)
  writeFileSync(journal, content)
}

function foreignContent(journal: string): unknown {
  const db = new Database(journal, { readonly: true })
  db.defaultSafeIntegers(true)
  try {
    return {
      version: db.pragma('user_version', { simple: true }),
      application: db.pragma('application_id', { simple: true }),
      photos: db.prepare('SELECT *, typeof(size) FROM photos').all(),
      tags: db.prepare('SELECT * FROM tags').all(),
      log: db.prepare('SELECT rowid, * FROM log').all(),
      large: db.prepare('SELECT * FROM large').all(),
      found: db.prepare("SELECT * FROM words WHERE words MATCH 'quick'").all(),
      schema: db
        .prepare(
          "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'millrace%' AND sql NOT NULL ORDER BY name",
        )
        .all(),
    }
  } finally {
    db.close()
  }
}

describe('millrace doctor', () => {
  it('finds nothing wrong with a whole journal', async (test) => {
    const journal = await journalIn(scratch(test))
    const { code, out } = await cli(['doctor', '--full', '--journal', journal])
    assert.equal(code, 0, out)
    assert.match(out, /^integrity +ok$/m)
    assert.match(out, /^tail +complete$/m)
    assert.match(out, /^other tables +.*photos/m)
    assert.match(out, /number\.square +scheduled +3,000/)
  })

  it('looks at a journal whose owner runs, and names it', async (test) => {
    const journal = join(scratch(test), 'jobs.db')
    const runtime = await createRuntime(optionsFor(journal))
    const { code, out } = await cli(['doctor', '--journal', journal])
    await runtime.stop()
    assert.equal(code, 0, out)
    assert.match(out, new RegExp(`^owner +process ${process.pid} `, 'm'))
  })

  it('finds a damaged page, and a file that was cut off', async (test) => {
    for (const spoil of [
      (journal: string) => spoilPage(journal, '{"n":1500,'),
      (journal: string) => truncateSync(journal, Math.floor(statSync(journal).size / 8_192) * 4_096),
    ]) {
      const journal = await journalIn(scratch(test))
      spoil(journal)
      const { code, out, err } = await cli(['doctor', '--journal', journal])
      assert.equal(code, 1, out + err)
      assert.match(out, /^damage: /m)
      assert.match(out, /--salvage/)
    }
  })

  it('notices a flipped bit in the log, behind which every commit is gone', async (test) => {
    const image = await crashImage(test)
    flip(`${image}-wal`, Math.floor(statSync(`${image}-wal`).size / 2))
    const { code, out } = await cli(['doctor', '--journal', image])
    assert.equal(code, 1, out)
    assert.match(out, /^tail +lost: got commit \d+, expected \d+$/m)
    assert.match(out, /^integrity +ok$/m, 'SQLite itself says that all is well')
    const runtime = await createRuntime(optionsFor(image))
    const { error } = await nextEvent(runtime, 'runtime.error')
    assert.equal((error as { code?: string }).code, 'MILLRACE_JOURNAL_TAIL_LOST')
    await runtime.stop()
  })

  it('says that the tail is complete where no bit was flipped (control)', async (test) => {
    const image = await crashImage(test)
    const { code, out } = await cli(['doctor', '--journal', image])
    assert.equal(code, 0, out)
    assert.match(out, /^tail +complete$/m)
  })
})

describe('a file that is no journal', () => {
  /** An empty file, with a log beside it that must stay, and a database of somebody else. */
  function strangers(test: TestContext): string[] {
    const folder = scratch(test)
    const [empty, foreign] = [join(folder, 'empty.db'), join(folder, 'foreign.db')] as const
    writeFileSync(empty, '')
    writeFileSync(`${empty}-wal`, 'all that is left')
    const db = new Database(foreign)
    db.exec('CREATE TABLE photos (id INTEGER PRIMARY KEY)')
    db.close()
    return [empty, foreign]
  }

  it('is called so by the doctor, and has no damage', async (test) => {
    for (const file of strangers(test)) {
      const { code, out, err } = await cli(['doctor', '--journal', file])
      assert.equal(code, 3, out + err)
      assert.match(err, /^error: MILLRACE_JOURNAL_VERSION: \S+ is no journal of Millrace; got .*; look at the path/)
      assert.equal(out, '')
    }
  })

  it('is not copied by backup', async (test) => {
    for (const file of strangers(test)) {
      const { code, err } = await cli(['backup', `${file}.copy`, '--journal', file])
      assert.equal(code, 3, err)
      assert.match(err, /is no journal of Millrace/)
      assert.deepEqual([existsSync(`${file}.copy`), existsSync(`${file}.copy.part`)], [false, false])
    }
  })

  it('keeps the log that is beside it', async (test) => {
    const [empty = ''] = strangers(test)
    for (const words of [['doctor'], ['jobs'], ['cancel', '--all'], ['backup', `${empty}.copy`]]) {
      assert.equal((await cli([...words, '--journal', empty])).code, 3)
      assert.equal(readFileSync(`${empty}-wal`, 'utf8'), 'all that is left')
    }
  })
})

describe('a journal that has lost its tail', () => {
  it('is not changed by cancel and retry, which tell of the loss', async (test) => {
    const image = await lostTail(test)
    const { out: listed } = await cli(['jobs', '--json', '--limit', '1', '--journal', image])
    const { id } = JSON.parse(listed) as { id: string }
    const [log, mark] = [readFileSync(`${image}-wal`), readFileSync(`${image}.mark`)]
    for (const words of [
      ['cancel', id],
      ['retry', id],
      ['cancel', '--all'],
    ]) {
      const { code, out, err } = await cli([...words, '--journal', image])
      assert.equal(code, 3, out + err)
      assert.match(err, /^error: MILLRACE_JOURNAL_TAIL_LOST: .*got commit \d+, expected \d+; .*start its service/)
    }
    assert.deepEqual([readFileSync(`${image}-wal`), readFileSync(`${image}.mark`)], [log, mark])
    const runtime = await createRuntime(optionsFor(image))
    const { error } = await nextEvent(runtime, 'runtime.error')
    assert.equal((error as { code?: string }).code, 'MILLRACE_JOURNAL_TAIL_LOST')
    // Whoever owns it has told: from then on wishes are carried out.
    const { code, out, err } = await cli(['cancel', id, '--journal', image])
    await runtime.stop()
    assert.equal(code, 0, err)
    assert.equal(out, `${id} cancelled\n`)
  })

  it('can be changed again when its mark was moved away', async (test) => {
    const image = await lostTail(test)
    renameSync(`${image}.mark`, `${image}.mark.kept`)
    const { code, out, err } = await cli(['cancel', '--all', '--journal', image])
    assert.equal(code, 0, err)
    assert.match(out, /^\d+ jobs? cancelled/)
  })

  it('is salvaged with a word on what was lost, and the exit code of a loss', async (test) => {
    const image = await lostTail(test)
    const [lost, whole] = [`${image}.new`, `${image}.whole`]
    const { code, out, err } = await cli(['doctor', '--journal', image, '--salvage', lost])
    assert.equal(code, 1, out + err)
    assert.match(out, /^tail lost: got commit \d+, expected \d+: /m)
    rmSync(`${image}.mark`)
    const control = await cli(['doctor', '--journal', image, '--salvage', whole])
    assert.equal(control.code, 0, control.out + control.err)
    assert.doesNotMatch(control.out, /^tail/m)
  })

  it('is told by a run on it', async (test) => {
    const folder = scratch(test)
    const [input, journal] = [join(folder, 'in'), join(folder, 'jobs.db')] as const
    writeFileSync(input, '{"n":2}\n')
    const run = ['run', cliTasks, 'number.even', '--input', input, '--journal', journal, '--quiet']
    assert.equal((await cli(run)).err, '')
    setCommits(`${journal}.mark`, 1_000_000)
    const { code, err } = await cli(run)
    assert.equal(code, 0, err)
    assert.match(err, /^warning: MILLRACE_JOURNAL_TAIL_LOST: .*expected 1000000/)
  })
})

describe('millrace doctor --salvage', () => {
  it('loses nothing of a whole journal, which goes on as the new one', async (test) => {
    const journal = await journalIn(scratch(test))
    const saved = `${journal}.new`
    const { code, out, err } = await cli(['doctor', '--journal', journal, '--salvage', saved])
    assert.equal(code, 0, out + err)
    assert.deepEqual(foreignContent(saved), foreignContent(journal))
    assert.equal(statSync(saved).mode & 0o777, 0o600)
    assert.equal((await cli(['doctor', '--full', '--journal', saved])).code, 0)
    const runtime = await createRuntime(optionsFor(saved))
    const job = await runtime.enqueue(tasks.square, { n: 12 })
    assert.deepEqual(await job.result(), { square: 144 })
    await runtime.stop()
  })

  it('saves all but the damaged page, keeps tables of others unchanged, and says what was lost', async (test) => {
    const journal = await journalIn(scratch(test))
    const before = foreignContent(journal)
    spoilPage(journal, '{"n":1500,')
    const damaged = readFileSync(journal)
    const saved = `${journal}.new`
    const { code, out, err } = await cli(['doctor', '--journal', journal, '--salvage', saved])
    assert.equal(code, 1, out + err)
    const copied = Number(/^millrace_jobs +millrace +([\d,]+) +\d+ to \d+$/m.exec(out)?.[1]?.replace(',', ''))
    assert.ok(copied < JOBS && copied > JOBS - 50, out)
    assert.deepEqual(foreignContent(saved), before)
    assert.deepEqual(readFileSync(journal), damaged, 'the damaged file stays as it is')
    assert.equal((await cli(['doctor', '--full', '--journal', saved])).code, 0)
    assert.ok(!existsSync(`${saved}.damaged`) && !existsSync(`${saved}.part`))
  })

  it('saves what is left of a file that was cut off', async (test) => {
    const journal = await journalIn(scratch(test), '')
    truncateSync(journal, Math.floor(statSync(journal).size / 8_192) * 4_096)
    const saved = `${journal}.new`
    const { code, out, err } = await cli(['doctor', '--journal', journal, '--salvage', saved])
    assert.equal(code, 1, out + err)
    const copied = Number(/^millrace_jobs +millrace +([\d,]+) /m.exec(out)?.[1]?.replace(',', ''))
    assert.ok(copied > JOBS / 4 && copied < JOBS, out)
    const runtime = await createRuntime(optionsFor(saved))
    assert.deepEqual(await (await runtime.enqueue(tasks.square, { n: 12 })).result(), { square: 144 })
    await runtime.stop()
  })

  it('says so when not even the list of the tables is left', async (test) => {
    const journal = await journalIn(scratch(test))
    // Its first page is the root of the list, whose leaves are behind the first tables.
    truncateSync(journal, 10 * 4_096)
    const { code, err } = await cli(['doctor', '--journal', journal, '--salvage', `${journal}.new`])
    assert.equal(code, 3)
    assert.match(err, /MILLRACE_JOURNAL_CORRUPT: .*go back to a backup/)
    assert.ok(!existsSync(`${journal}.new`))
  })

  it('says of a file that is none of SQLite that it is none', async (test) => {
    const folder = scratch(test)
    const file = join(folder, 'letter')
    for (const lines of [1, 1_000]) {
      writeFileSync(file, 'this is a letter to a friend\n'.repeat(lines))
      const { code, err } = await cli(['doctor', '--journal', file, '--salvage', `${file}.new`])
      assert.equal(code, 3)
      assert.match(err, /^error: MILLRACE_JOURNAL_CORRUPT: .* is no SQLite file.*look at the path/)
      assert.deepEqual(readdirSync(folder), ['letter'])
    }
  })

  it('refuses a file that is there, and a journal that somebody owns', async (test) => {
    const journal = join(scratch(test), 'jobs.db')
    const runtime = await createRuntime(optionsFor(journal))
    const owned = await cli(['doctor', '--journal', journal, '--salvage', `${journal}.new`])
    await runtime.stop()
    assert.equal(owned.code, 3)
    assert.match(owned.err, /MILLRACE_JOURNAL_LOCKED/)
    assert.equal((await cli(['doctor', '--journal', journal, '--salvage', journal])).code, 2)
  })
})

describe('millrace backup', () => {
  it('copies one moment of a journal while its owner writes', async (test) => {
    const folder = scratch(test)
    const journal = await journalIn(folder)
    const runtime = await createRuntime(optionsFor(journal))
    let status: 'writing' | 'over' = 'writing'
    const writing = (async () => {
      while (status === 'writing') await runtime.enqueue(tasks.square, { n: 1 }, { delayMs: 3_600_000 })
    })()
    const copy = join(folder, 'copy.db')
    const { code, err } = await cli(['backup', copy, '--journal', journal])
    status = 'over'
    await writing
    await runtime.stop()
    assert.equal(code, 0, err)
    assert.equal(statSync(copy).mode & 0o777, 0o600)
    assert.deepEqual(foreignContent(copy), foreignContent(journal))
    const { out } = await cli(['doctor', '--full', '--json', '--journal', copy])
    const { damage, counts } = JSON.parse(out) as { damage: string[]; counts: { jobs: number }[] }
    assert.deepEqual(damage, [])
    assert.ok((counts[0]?.jobs ?? 0) >= JOBS)
    const again = await cli(['backup', copy, '--journal', journal])
    assert.equal(again.code, 2)
    assert.match(again.err, /is there already/)
  })
})
