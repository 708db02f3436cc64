// needs-quiet: how long a transaction waits for its turn
import assert from 'node:assert/strict'
import { cpSync, existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { describe, it } from 'node:test'
import { Database, type Job, type Runtime, type Transaction } from '../../../runtime/index.ts'
import { echo, kept, parked } from '../../fixtures/tasks.ts'
import { scratchFolder } from '../../helpers/scratch.ts'
import { startRuntime } from '../../helpers/start-runtime.ts'

async function withDatabase(test: { after(clean: () => unknown): unknown }) {
  const file = join(scratchFolder(), 'jobs.db')
  const runtime = await startRuntime(test, { journal: { file } })
  const db = new Database(file)
  db.exec('CREATE TABLE photos (id INTEGER PRIMARY KEY, name TEXT) STRICT')
  test.after(() => db.close())
  return { runtime, db, file }
}

function photos(db: InstanceType<typeof Database>): number {
  return db.prepare<[], number>('SELECT count(*) FROM photos').pluck().get() as number
}

async function waiting(runtime: Runtime): Promise<number> {
  // The inbox is emptied by the owner's next commit.
  await runtime.idle()
  return (await runtime.tasks()).find(({ task }) => task === 'parked')?.jobs.available ?? 0
}

describe('runtime.transaction', () => {
  it("commits the caller's writes and its jobs together", async (test) => {
    const { runtime, db } = await withDatabase(test)
    const insert = db.prepare<[string]>('INSERT INTO photos (name) VALUES (?)')
    const job = runtime.transaction(db, (transaction) => {
      insert.run('cat')
      return transaction.enqueue(kept, { value: 7 })
    })
    assert.equal(await job.result({ timeoutMs: 20_000 }), 7)
    assert.equal((await job.record()).id, job.id)
    assert.equal(photos(db), 1)
  })

  it('enqueues jobs whose results can be asked for after a restart', async (test) => {
    const { runtime, db, file } = await withDatabase(test)
    const [keeping, dropping] = runtime.transaction(db, (transaction) => [
      transaction.enqueue(kept, { value: 7 }),
      transaction.enqueue(echo, { value: 8 }),
    ])
    await Promise.all([keeping.result({ timeoutMs: 20_000 }), dropping.result({ timeoutMs: 20_000 })])
    await runtime.stop()
    const next = await startRuntime(test, { journal: { file } })
    assert.equal(await next.job(keeping.id).result({ timeoutMs: 20_000 }), 7)
    await assert.rejects(next.job(dropping.id).result({ timeoutMs: 20_000 }), { code: 'MILLRACE_RESULT_NOT_KEPT' })
  })

  it('leaves nothing behind when its function throws, or enqueues what cannot be', async (test) => {
    const { runtime, db } = await withDatabase(test)
    const insert = db.prepare<[string]>('INSERT INTO photos (name) VALUES (?)')
    const attempts: [() => unknown, object | RegExp][] = [
      [
        () =>
          runtime.transaction(db, (transaction) => {
            insert.run('cat')
            transaction.enqueue(parked, null)
            throw new Error('changed my mind')
          }),
        /changed my mind/,
      ],
      [
        () =>
          runtime.transaction(db, (transaction) => {
            insert.run('cat')
            transaction.enqueue(echo, { value: () => 1 } as never)
          }),
        { code: 'MILLRACE_OPAQUE_INPUT', path: 'input.value' },
      ],
      [
        () =>
          runtime.transaction(db, async (transaction) => {
            insert.run('cat')
            transaction.enqueue(parked, null)
          }),
        { code: 'MILLRACE_INVALID_OPTION', path: 'run' },
      ],
    ]
    for (const [attempt, expected] of attempts) assert.throws(attempt, expected)
    assert.equal(photos(db), 0)
    assert.equal(await waiting(runtime), 0)
  })

  it('refuses a connection of another SQLite, of another file, or in a transaction', async (test) => {
    const { runtime, db } = await withDatabase(test)
    const foreign = foreignSqlite()
    const other = new foreign(db.name)
    test.after(() => other.close())
    assert.throws(() => runtime.transaction(other, () => {}), { code: 'MILLRACE_FOREIGN_SQLITE' })
    const elsewhere = new Database(':memory:')
    test.after(() => elsewhere.close())
    assert.throws(() => runtime.transaction(elsewhere, () => {}), { code: 'MILLRACE_INVALID_OPTION', path: 'db' })
    db.exec('BEGIN')
    assert.throws(() => runtime.transaction(db, () => {}), { code: 'MILLRACE_INVALID_OPTION', path: 'db' })
    db.exec('ROLLBACK')
  })

  it('takes a connection that gives big integers', async (test) => {
    const { runtime, db } = await withDatabase(test)
    db.defaultSafeIntegers(true)
    const job = runtime.transaction(db, (transaction) => transaction.enqueue(kept, { value: 7 }))
    assert.equal(await job.result({ timeoutMs: 20_000 }), 7)
  })

  it('refuses a connection that cannot write, and what is none', async (test) => {
    const { runtime, db } = await withDatabase(test)
    const [closed, readOnly] = [new Database(db.name), new Database(db.name, { readonly: true })]
    closed.close()
    test.after(() => readOnly.close())
    for (const connection of [closed, readOnly, undefined, null, 'jobs.db'] as never[]) {
      assert.throws(() => runtime.transaction(connection, () => {}), { code: 'MILLRACE_INVALID_OPTION', path: 'db' })
    }
    assert.throws(() => runtime.transaction(db, 5 as never), { code: 'MILLRACE_INVALID_OPTION', path: 'run' })
  })

  it('refuses the connection of another runtime, also if that has used it before', async (test) => {
    const [one, other] = [await withDatabase(test), await withDatabase(test)]
    one.runtime.transaction(one.db, (transaction) => transaction.enqueue(parked, null))
    assert.throws(() => other.runtime.transaction(one.db, (transaction) => transaction.enqueue(parked, null)), {
      code: 'MILLRACE_INVALID_OPTION',
      path: 'db',
    })
    assert.deepEqual([await waiting(one.runtime), await waiting(other.runtime)], [1, 0])
  })

  it('takes no job outside of its function, nor after that has ended it', async (test) => {
    const { runtime, db } = await withDatabase(test)
    const over = { code: 'MILLRACE_INVALID_OPTION', path: 'run' }
    const kept: Transaction[] = []
    runtime.transaction(db, (transaction) => void kept.push(transaction))
    assert.throws(() =>
      runtime.transaction(db, (transaction) => {
        kept.push(transaction)
        throw new Error('undone')
      }),
    )
    for (const transaction of kept) assert.throws(() => transaction.enqueue(parked, null), over)
    for (const end of ['COMMIT', 'ROLLBACK']) {
      assert.throws(() => runtime.transaction(db, () => void db.exec(end)), over)
      assert.throws(
        () =>
          runtime.transaction(db, (transaction) => {
            db.exec(end)
            transaction.enqueue(parked, null)
          }),
        over,
      )
    }
    assert.equal(await waiting(runtime), 0)
  })

  it('notices that its function has ended it and begun another, and keeps nothing of that one', async (test) => {
    const { runtime, db } = await withDatabase(test)
    const insert = db.prepare<[string]>('INSERT INTO photos (name) VALUES (?)')
    for (const [end, kept] of [
      ['ROLLBACK', 0],
      ['COMMIT', 1],
    ] as const) {
      for (const again of ['BEGIN', 'SAVEPOINT theirs']) {
        db.exec('DELETE FROM photos')
        const attempt = () =>
          runtime.transaction(db, (transaction) => {
            insert.run('before')
            db.exec(`${end}; ${again}`)
            insert.run('after')
            transaction.enqueue(parked, null)
          })
        assert.throws(attempt, { code: 'MILLRACE_INVALID_OPTION', path: 'run', message: /what .* committed stays/ })
        assert.equal(photos(db), kept)
      }
    }
    assert.equal(await waiting(runtime), 0)
  })

  it('may have savepoints and transactions of better-sqlite3 in it', async (test) => {
    const { runtime, db } = await withDatabase(test)
    const insert = db.prepare<[string]>('INSERT INTO photos (name) VALUES (?)')
    runtime.transaction(db, () => {
      db.transaction(() => insert.run('kept'))()
      db.exec('SAVEPOINT theirs')
      insert.run('undone')
      db.exec('ROLLBACK TO theirs')
      insert.run('kept, under a savepoint that is left open')
    })
    assert.ok(!db.inTransaction)
    assert.equal(photos(db), 2)
  })

  it('keeps all others from writing from its beginning on', async (test) => {
    const { runtime, db } = await withDatabase(test)
    const other = new Database(db.name, { timeout: 0 })
    test.after(() => other.close())
    runtime.transaction(db, () => {
      assert.throws(() => other.exec("INSERT INTO photos (name) VALUES ('dog')"), { code: 'SQLITE_BUSY' })
    })
    other.exec("INSERT INTO photos (name) VALUES ('dog')")
    assert.equal(photos(db), 1)
  })

  it('gives handles that are of no job when it was undone, whoever has their id then', async (test) => {
    const { runtime, db } = await withDatabase(test)
    const undone: Job[] = []
    const asked: Promise<unknown>[] = []
    assert.throws(() =>
      runtime.transaction(db, (transaction) => {
        const job = transaction.enqueue(kept, { value: 1 })
        undone.push(job)
        asked.push(job.result())
        throw new Error('undone')
      }),
    )
    const next = runtime.transaction(db, (transaction) => transaction.enqueue(kept, { value: 2 }))
    const [job] = undone as [Job]
    assert.equal(next.id, job.id, 'the control: the id is given again')
    const calls = [
      job.record(),
      job.result(),
      job.cancel(),
      job.retry(),
      job.reschedule({ priority: 1 }),
      job.remove(),
      ...asked,
    ]
    for (const call of calls) await assert.rejects(call, { code: 'MILLRACE_JOB_NOT_FOUND', message: /undone/ })
    assert.equal(await next.result({ timeoutMs: 20_000 }), 2)
  })

  it('is refused once the runtime stops, and after that', async (test) => {
    const { runtime, db } = await withDatabase(test)
    const attempt = () => runtime.transaction(db, (transaction) => transaction.enqueue(parked, null))
    attempt()
    const stopped = runtime.stop()
    assert.throws(attempt, { code: 'MILLRACE_STOPPING' })
    await stopped
    assert.throws(attempt, { code: 'MILLRACE_STOPPING' })
    assert.equal(db.prepare('SELECT count(*) FROM millrace_inbox').pluck().get(), 0)
  })

  it('is refused inside of another one, and on a connection that was closed since', async (test) => {
    const { runtime, db } = await withDatabase(test)
    const second = new Database(db.name)
    test.after(() => second.close())
    const within = (connection: typeof db) => () =>
      runtime.transaction(connection, () => runtime.transaction(second, () => {}))
    const refused = { code: 'MILLRACE_INVALID_OPTION', path: 'db' }
    assert.throws(within(db), refused)
    assert.throws(within(second), refused)
    runtime.transaction(db, () => {})
    db.close()
    assert.throws(() => runtime.transaction(db, () => {}), refused)
  })

  it('says who is in the way when it gets no turn, and leaves errors of the caller as they are', async (test) => {
    const { runtime, db } = await withDatabase(test)
    const writer = new Database(db.name)
    test.after(() => writer.close())
    writer.exec('BEGIN IMMEDIATE')
    db.pragma('busy_timeout = 20')
    const attempt = () => runtime.transaction(db, () => db.exec('INSERT INTO nothing VALUES (1)'))
    assert.throws(attempt, { code: 'MILLRACE_JOURNAL_IO', message: /another connection/ })
    writer.exec('ROLLBACK')
    assert.throws(attempt, { code: 'SQLITE_ERROR' })
  })

  it('says that the journal cannot grow where its statements find that', async (test) => {
    const { runtime, db } = await withDatabase(test)
    const pages = db.pragma('page_count', { simple: true }) as number
    db.pragma(`max_page_count = ${pages + 2}`)
    const insert = db.prepare<[string]>('INSERT INTO photos (name) VALUES (?)')
    assert.throws(() => runtime.transaction(db, () => insert.run('x'.repeat(100_000))), {
      code: 'MILLRACE_DISK_FULL',
    })
    assert.equal(photos(db), 0)
  })

  it('is let through between the commits of a busy journal', async (test) => {
    const { runtime, db } = await withDatabase(test)
    let status: 'busy' | 'over' = 'busy'
    const load = Promise.all(
      Array.from({ length: 200 }, async () => {
        while (status === 'busy') await runtime.enqueue(parked, null)
      }),
    )
    const tookMs: number[] = []
    for (let at = 0; at < 40; at++) {
      await new Promise((resolve) => setTimeout(resolve, 5))
      const begunAt = performance.now()
      runtime.transaction(db, (transaction) => void transaction.enqueue(echo, { value: at }))
      tookMs.push(performance.now() - begunAt)
    }
    status = 'over'
    await load
    const sorted = tookMs.sort((a, b) => a - b)
    test.diagnostic(`median ${sorted[20]?.toFixed(2)} ms, longest ${sorted.at(-1)?.toFixed(2)} ms`)
    assert.ok((sorted[20] as number) < 50, `median ${sorted[20]} ms: it waits behind back-to-back commits`)
  })
})

/** A second copy of the driver, as another version of it in somebody's node_modules would be. */
function foreignSqlite(): typeof Database {
  const require = createRequire(import.meta.url)
  const original = dirname(require.resolve('better-sqlite3/package.json'))
  const copy = join(scratchFolder(), 'node_modules', 'better-sqlite3')
  const sources = ['deps', 'src', join('build', 'Release', 'obj'), join('build', 'Release', 'obj.target')]
  cpSync(original, copy, {
    recursive: true,
    filter: (path) => !sources.includes(relative(original, path)),
  })
  // Versions that are built where they are installed find their binary by these.
  for (const helper of ['bindings', 'file-uri-to-path']) {
    const installed = join(dirname(original), helper)
    if (existsSync(installed)) cpSync(installed, join(dirname(copy), helper), { recursive: true })
  }
  return createRequire(join(copy, 'package.json'))(copy) as typeof Database
}
