import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { migrate } from '../../../../runtime/journal/schema/migrate.ts'
import { MIGRATIONS } from '../../../../runtime/journal/schema/migrations.ts'
import { openJournal } from '../../../../runtime/journal/open.ts'
import { salvage } from '../../../../runtime/journal/tools/salvage.ts'
import { JOURNAL_VERSION } from '../../../../runtime/journal/schema/schema.ts'
import { type Database, openDatabase } from '../../../../runtime/journal/files/sqlite.ts'
import { SCHEMA_1 } from '../../../fixtures/schema-1.ts'
import { scratchFolder } from '../../../helpers/scratch.ts'
import { START } from '../../../helpers/journal-openers.ts'

function journalOfVersion1(file: string): Database {
  const db = openDatabase(file)
  db.exec(SCHEMA_1)
  db.exec(`
    INSERT INTO millrace_meta VALUES (1, 1, 'abc123', 7, 40, 12, 9, '{}');
    INSERT INTO millrace_tasks VALUES (1, 'mail');
    INSERT INTO millrace_jobs (id, task, state, rank, ord, claim, attempt, created_at, input)
    VALUES (5, 1, 1, 5, 3, 0, 0, 1000, '{"to":"a"}'), (6, 1, 2, 5, 4, 1, 0, 1000, 'null');`)
  return db
}

/** As version 2 left it: a job in every state, with all that may belong to it. */
function journalOfVersion2(file: string): Database {
  const db = journalOfVersion1(file)
  db.exec(MIGRATIONS.get(1) as string)
  db.exec(`
    UPDATE millrace_meta SET version = 2;
    INSERT INTO millrace_jobs VALUES
      (7, 1, 0, 37, 5, 2, 1, 1000, '1', '{"softLimitMs":5}', 'k', 9000, 9999, 2, 1, NULL, NULL, NULL, NULL, NULL, 'p'),
      (8, 1, 3, 5, 6, 1, 1, 1000, '2', NULL, NULL, NULL, NULL, 0, 0, NULL, NULL, 2000, 3000, '"out"', NULL),
      (9, 1, 2, 5, 7, 1, 0, 1000, '3', NULL, NULL, NULL, NULL, 0, 0, 1500, 1600, NULL, NULL, NULL, NULL);
    INSERT INTO millrace_attempts VALUES (7, 1, '{}'), (8, 1, '{}');
    INSERT INTO millrace_keys VALUES (1, 'k', 7, NULL);
    INSERT INTO millrace_settings VALUES ('a', 'b');
    INSERT INTO millrace_rates VALUES ('c', 5);
    INSERT INTO millrace_inbox (task, input, created_at) VALUES ('mail', '1', 1);
    DELETE FROM millrace_inbox;`)
  return db
}

/** Every row that there is, without what is nothing: a step may add columns. */
function contentsOf(db: Database): unknown {
  const tables = db
    .prepare<[], string>("SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'millrace_meta'")
    .pluck()
    .all()
    .sort()
  const rowsOf = (name: string) => db.prepare<[], Record<string, unknown>>(`SELECT * FROM ${name}`).all()
  const values = (row: Record<string, unknown>) => Object.entries(row).filter(([, value]) => value !== null)
  return tables.map((name) => [name, rowsOf(name).map(values)])
}

/** Every table with its columns, every index with what it is of. */
function shapeOf(db: Database): unknown {
  const names = (type: string) =>
    db.prepare<[string], string>('SELECT name FROM sqlite_master WHERE type = ? ORDER BY name').pluck().all(type)
  const indexes = db
    .prepare<[], { name: string; sql: string | null }>("SELECT name, sql FROM sqlite_master WHERE type = 'index'")
    .all()
    .map(({ name, sql }) => `${name}: ${sql?.replace(/\s+/g, ' ')}`)
  const tables = names('table').map((name) => ({
    name,
    columns: db.prepare('SELECT name, type, "notnull", dflt_value, pk FROM pragma_table_info(?)').all(name),
  }))
  return { tables, indexes: indexes.sort() }
}

describe('a journal of an earlier version', () => {
  it('has the tables of a new one once it is brought forward', () => {
    const old = journalOfVersion1(':memory:')
    migrate(old, START)
    const fresh = openDatabase(':memory:')
    migrate(fresh, START)
    assert.deepEqual(shapeOf(old), shapeOf(fresh))
  })

  it('keeps its name, its jobs and its numbers, and goes on', () => {
    const file = join(scratchFolder(), 'jobs.db')
    journalOfVersion1(file).close()
    const { store, opened, close } = openJournal({ file, durability: 'full', keepEndedMs: 1_000 }, START)
    assert.equal(opened.name, 'abc123')
    assert.equal(opened.epoch, 8)
    assert.equal(opened.recovered.available, 1)
    assert.ok(opened.firstNumber >= 9)
    const { db } = store.ledger
    const rows = db.prepare('SELECT id, state, input, part FROM millrace_jobs ORDER BY id').raw().all()
    assert.deepEqual(rows, [
      [5, 1, '{"to":"a"}', null],
      [6, 1, 'null', null],
    ])
    assert.equal(db.prepare('SELECT version FROM millrace_meta').pluck().get(), JOURNAL_VERSION)
    close()
  })

  it('is as it was where a step fails', (test) => {
    const db = journalOfVersion1(':memory:')
    test.after(() => db.close())
    const before = shapeOf(db)
    // The last table of the step is there already.
    db.exec('CREATE TABLE millrace_rates (theirs TEXT)')
    assert.throws(() => migrate(db, START), /millrace_rates/)
    db.exec('DROP TABLE millrace_rates')
    assert.deepEqual(shapeOf(db), before)
    assert.equal(db.prepare('SELECT version FROM millrace_meta').pluck().get(), 1)
  })

  it('has the same constraints on its jobs as a new one', () => {
    const constraints = (db: Database) => {
      migrate(db, START)
      const sql = db.prepare<[], string>("SELECT sql FROM sqlite_master WHERE name = 'millrace_jobs'").pluck().get()
      return sql?.replace(/\s+/g, ' ').match(/CHECK \(.*?\)(?=,| \))/g)
    }
    const expected = constraints(openDatabase(':memory:'))
    assert.equal(expected?.length, 3)
    for (const make of [journalOfVersion1, journalOfVersion2]) {
      const db = make(':memory:')
      assert.deepEqual(constraints(db), expected)
      const put = (state: number, rank: number, dueAt: number | null) =>
        db
          .prepare(
            "INSERT INTO millrace_jobs (task, state, rank, ord, claim, attempt, created_at, input, due_at) VALUES (1, ?, ?, 1, 1, 1, 1, '', ?)",
          )
          .run(state, rank, dueAt)
      for (const [state, rank, dueAt] of [
        [8, 53, null],
        [1, 53, 5],
        [2, 53, 5],
        [0, 5, 5],
      ] as const) {
        put(state, rank, dueAt)
      }
      for (const [state, rank, dueAt] of [
        [9, 5, null],
        [8, 53, 5],
        [1, 5, 5],
        [0, 53, null],
        [3, 5, null],
      ] as const) {
        assert.throws(() => put(state, rank, dueAt), { code: 'SQLITE_CONSTRAINT_CHECK' }, `${state} ${rank} ${dueAt}`)
      }
    }
  })

  it('has every row that it had, and what others look at them with', () => {
    const db = journalOfVersion2(':memory:')
    db.exec(`
      CREATE VIEW theirs AS SELECT count(*) AS jobs FROM millrace_jobs;
      CREATE TABLE seen (job INTEGER);
      CREATE TRIGGER theirs_too AFTER DELETE ON millrace_jobs BEGIN INSERT INTO seen VALUES (old.id); END;`)
    const before = contentsOf(db)
    migrate(db, START)
    const added = new Set(['millrace_homeward', 'millrace_taken', 'millrace_unwanted'])
    const after = (contentsOf(db) as [string, unknown][]).filter(([name]) => !added.has(name))
    assert.deepEqual(after, before)
    assert.equal(db.prepare('SELECT jobs FROM theirs').pluck().get(), 5)
    db.exec('DELETE FROM millrace_jobs WHERE id = 5')
    assert.equal(db.prepare('SELECT job FROM seen').pluck().get(), 5)
    assert.equal(db.pragma('integrity_check', { simple: true }), 'ok')
  })

  it('of version 2 is as it was where the step fails, and goes through when it is tried again', (test) => {
    const db = journalOfVersion2(':memory:')
    test.after(() => db.close())
    const before = contentsOf(db)
    db.exec('CREATE TABLE millrace_unwanted (theirs TEXT)')
    assert.throws(() => migrate(db, START), /millrace_unwanted/)
    db.exec('DROP TABLE millrace_unwanted')
    assert.deepEqual(contentsOf(db), before)
    migrate(db, START)
    assert.equal(db.prepare('SELECT version FROM millrace_meta').pluck().get(), JOURNAL_VERSION)
  })

  it('can be salvaged, and is of this version then', () => {
    const folder = scratchFolder()
    journalOfVersion1(join(folder, 'old.db')).close()
    salvage(join(folder, 'old.db'), join(folder, 'new.db'))
    const options = { file: join(folder, 'new.db'), durability: 'full', keepEndedMs: 1_000 } as const
    const { opened, close } = openJournal(options, START)
    assert.equal(opened.name, 'abc123')
    assert.equal(opened.recovered.available, 1)
    close()
  })

  it('can be of any version before this one', () => {
    assert.deepEqual(
      [...MIGRATIONS.keys()],
      Array.from({ length: JOURNAL_VERSION - 1 }, (_, at) => at + 1),
    )
  })
})
