import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { journalFiles } from '../../../../runtime/journal/files/files.ts'
import { echo, parked } from '../../../fixtures/tasks.ts'
import { built, loadBuild, mutant } from '../../../helpers/mutant.ts'
import { countElsewhere, dropLocks, JOBS, optionsFor, writeElsewhere } from '../../../helpers/removed-log.ts'
import { scratchFolder } from '../../../helpers/scratch.ts'
import { until } from '../../../helpers/until.ts'

interface Written {
  /** Jobs of transactions that have returned. */
  readonly acknowledged: number
  readonly found: number
  readonly errors: string[]
  /** Whether the journal was opened again in the time that a caller may have. */
  readonly reopened: 'yes' | 'no'
}

/** A service that reads its journal's files while it has a connection of its own, which goes on with transactions and then others do. */
async function transactWhileRead(test: TestContext, root: string): Promise<Written> {
  const { createRuntime, Database } = await loadBuild(root)
  const file = join(scratchFolder(), 'jobs.db')
  const runtime = await createRuntime(optionsFor(file, root))
  test.after(() => runtime.stop({ graceMs: 0 }))
  await runtime.pause({ place: 'default' })
  const connect = () => {
    const db = new Database(file)
    test.after(() => db.close())
    return db
  }
  let db = connect()
  const errors: string[] = []
  let acknowledged = 0
  for (let value = 0; value < 2 * JOBS; value++) {
    if (value === JOBS) {
      dropLocks(file)
      assert.equal(countElsewhere(file, 'millrace_inbox') + countElsewhere(file), JOBS)
      assert.ok(!existsSync(journalFiles(file).wal), 'the other process has removed the log')
    }
    try {
      runtime.transaction(db, (transaction) => transaction.enqueue(echo, { value }))
      acknowledged++
    } catch (error) {
      errors.push((error as Error).message)
      if (!db.open) db = connect()
      // Until the owner has left the log as well.
      await setTimeout(100)
    }
  }
  const written = runtime.enqueue(echo, { value: -1 }).then(
    () => 'yes' as const,
    () => 'no' as const,
  )
  const reopened = await Promise.race([written, setTimeout(5_000, 'no' as const)])
  const found = countElsewhere(file, 'millrace_inbox') + countElsewhere(file)
  return { acknowledged, found: found - (reopened === 'yes' ? 1 : 0), errors, reopened }
}

/**
 * A service that reads its journal's files while a connection that no transaction had is on the log, and writes to it. Another
 * process writes `JOBS` rows then; returns how many of them are there once that connection was closed.
 */
async function leaveStranger(test: TestContext, root: string) {
  const { createRuntime, Database } = await loadBuild(root)
  const file = join(scratchFolder(), 'jobs.db')
  const runtime = await createRuntime(optionsFor(file, root))
  test.after(() => runtime.stop({ graceMs: 0 }))
  const events: [string, string | undefined][] = []
  runtime.on('journal.degraded', ({ error }) => events.push(['degraded', error.message]))
  runtime.on('journal.healthy', () => events.push(['healthy', undefined]))
  const stranger = new Database(file)
  test.after(() => stranger.close())
  stranger.exec('CREATE TABLE photos (id INTEGER PRIMARY KEY) STRICT')
  dropLocks(file)
  assert.equal(countElsewhere(file, 'photos'), 0)
  stranger.exec('INSERT INTO photos (id) VALUES (1000)')
  await assert.rejects(runtime.enqueue(echo, { value: 1 }))
  await until(
    'the journal cannot be opened',
    () => events.length,
    (length) => length > 0,
  )
  writeElsewhere(file, 'INSERT INTO photos DEFAULT VALUES')
  stranger.close()
  const found = countElsewhere(file, 'photos')
  await until(
    'the journal is opened',
    () => events.at(-1)?.[0],
    (name) => name === 'healthy',
  )
  assert.deepEqual(await (await runtime.enqueue(echo, { value: 2 })).result({ timeoutMs: 10_000 }), { value: 2 })
  return { found, events }
}

/** A log that is removed while a transaction is under way: what it says, and whether its job is there. */
async function removeMeanwhile(test: TestContext, root: string) {
  const { createRuntime, Database } = await loadBuild(root)
  const file = join(scratchFolder(), 'jobs.db')
  const runtime = await createRuntime(optionsFor(file, root))
  test.after(() => runtime.stop({ graceMs: 0 }))
  const db = new Database(file)
  test.after(() => db.close())
  let code: unknown
  try {
    runtime.transaction(db, (transaction) => {
      dropLocks(file)
      countElsewhere(file)
      transaction.enqueue(parked, null)
    })
  } catch (error) {
    code = (error as { code?: unknown }).code
  }
  return { code, isOpen: db.open, found: countElsewhere(file, 'millrace_inbox') + countElsewhere(file) }
}

describe('a connection of a caller, in whose process the files are read', () => {
  it('is closed before a transaction goes into a log that was removed, and the owner opens its journal again', async (test) => {
    const { acknowledged, found, errors, reopened } = await transactWhileRead(test, built)
    assert.match(errors.join('\n'), /the log of .* was removed while it was open/)
    assert.deepEqual([acknowledged + errors.length, found, reopened], [2 * JOBS, acknowledged, 'yes'])
    assert.ok(errors.length < 5, errors.join('\n'))
  })

  it('would go on there, if it were not asked before and after (control)', async (test) => {
    const file = 'runtime/journal/owner/callers.js'
    using copy = mutant(
      { file, from: 'log.check(() => this.#unwritten());', to: '' },
      { file, from: 'this.#log?.check(', to: '(' },
    )
    const { acknowledged, found, errors } = await transactWhileRead(test, copy.folder)
    assert.deepEqual([acknowledged, found, errors], [2 * JOBS, JOBS, []])
  })

  it('does not say that a transaction is written during which the log was removed', async (test) => {
    assert.deepEqual(await removeMeanwhile(test, built), { code: 'MILLRACE_OUTCOME_UNKNOWN', isOpen: false, found: 0 })
    using copy = mutant({ file: 'runtime/publish/transaction.js', from: 'callers.checkCommitted();', to: '' })
    const without = await removeMeanwhile(test, copy.folder)
    assert.deepEqual(without, { code: undefined, isOpen: true, found: 0 }, 'the control')
  })

  it('that no transaction had keeps the journal closed until it is closed itself, and writes over nothing then', async (test) => {
    const { found, events } = await leaveStranger(test, built)
    assert.equal(found, JOBS)
    assert.match(String(events), /a connection of this process is still on it: close that one/)
  })

  it('would write over what others have, if none stood in for the owner (control)', async (test) => {
    using copy = mutant({ file: 'runtime/journal/owner/callers.js', from: 'stayOpen(this.#file)', to: 'undefined' })
    assert.equal((await leaveStranger(test, copy.folder)).found, 1)
  })
})
