import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { pathToFileURL } from 'node:url'
import { journalFiles } from '../../../runtime/journal/files.ts'
import { echo } from '../../fixtures/tasks.ts'
import { built, mutant } from '../../helpers/mutant.ts'
import { scratchFolder } from '../../helpers/scratch.ts'

const JOBS = 20

type Index = typeof import('../../../runtime/index.ts')

/** What another process finds there, which closes the journal again. */
function countElsewhere(file: string): number {
  const program = `const Database = require('better-sqlite3'); const db = new Database(process.argv[1])
    console.log(db.prepare('SELECT count(*) FROM millrace_jobs').pluck().get()); db.close()`
  return Number(execFileSync(process.execPath, ['-e', program, file], { encoding: 'utf8' }))
}

/** A service that reads its journal's files, as a backup does; returns how many of twice `JOBS` are in them, and what it told. */
async function readWhileOpen(test: TestContext, root: string): Promise<{ found: number; told: string[] }> {
  const { createRuntime } = (await import(pathToFileURL(join(root, 'runtime/index.js')).href)) as Index
  const file = join(scratchFolder(), 'jobs.db')
  const runtime = await createRuntime({
    tasks: pathToFileURL(join(root, 'test/fixtures/tasks.js')),
    journal: { file },
    tiers: { default: { threads: 1 }, small: { threads: 1 } },
    lanes: { network: {} },
  })
  test.after(() => runtime.stop({ graceMs: 0 }))
  await runtime.pause({ place: 'default' })
  const told: string[] = []
  runtime.on('journal.down', ({ error }) => told.push(error.message))
  for (let value = 0; value < JOBS; value++) await runtime.enqueue(echo, { value })
  const { main, wal, shm } = journalFiles(file)
  for (const each of [main, shm]) readFileSync(each)
  assert.equal(countElsewhere(file), JOBS)
  assert.ok(!existsSync(wal), 'the other process has removed the log')
  for (let value = 0; value < JOBS; value++) await runtime.enqueue(echo, { value })
  return { found: countElsewhere(file), told }
}

describe('a journal whose files its own process reads', () => {
  it('loses nothing that it acknowledges when another process removes its log', async (test) => {
    const { found, told } = await readWhileOpen(test, built)
    assert.equal(found, 2 * JOBS)
    assert.match(told.join(), /the log of .* was removed while it was open/)
  })

  it('would lose all of it from then on, if commits were not looked after (control)', async (test) => {
    using copy = mutant({ file: 'runtime/journal/open.js', from: 'log.check();', to: '' })
    const { found, told } = await readWhileOpen(test, copy.folder)
    assert.deepEqual([found, told], [JOBS, []])
  })
})
