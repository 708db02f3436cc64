import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { journalFiles } from '../../../../runtime/journal/files/files.ts'
import { echo } from '../../../fixtures/tasks.ts'
import { built, loadBuild, mutant } from '../../../helpers/mutant.ts'
import { countElsewhere, dropLocks, JOBS, optionsFor } from '../../../helpers/removed-log.ts'
import { scratchFolder } from '../../../helpers/scratch.ts'

/** A publisher in a process that reads the journal's files; another one is made when it has ended. */
async function publishWhileRead(root: string): Promise<{ acknowledged: number; found: number; codes: string[] }> {
  const { createPublisher, createRuntime } = await loadBuild(root)
  const journal = join(scratchFolder(), 'jobs.db')
  await (await createRuntime(optionsFor(journal, root))).stop()
  let publisher = await createPublisher({ journal })
  const codes: string[] = []
  let acknowledged = 0
  for (let value = 0; value < 2 * JOBS; value++) {
    if (value === JOBS) {
      dropLocks(journal)
      assert.equal(countElsewhere(journal, 'millrace_inbox'), JOBS)
      assert.ok(!existsSync(journalFiles(journal).wal), 'the other process has removed the log')
    }
    try {
      await publisher.enqueue(echo, { value })
      acknowledged++
    } catch (error) {
      codes.push((error as { code: string }).code)
      publisher = await createPublisher({ journal })
    }
  }
  const found = countElsewhere(journal, 'millrace_inbox')
  await publisher.close()
  return { acknowledged, found, codes }
}

/** A service that reads its journal's files, as a backup does; returns how many of twice `JOBS` are in them, and what it told. */
async function readWhileOpen(test: TestContext, root: string): Promise<{ found: number; told: string[] }> {
  const { createRuntime } = await loadBuild(root)
  const file = join(scratchFolder(), 'jobs.db')
  const runtime = await createRuntime(optionsFor(file, root))
  test.after(() => runtime.stop({ graceMs: 0 }))
  await runtime.pause({ place: 'default' })
  const told: string[] = []
  runtime.on('journal.down', ({ error }) => told.push(error.message))
  for (let value = 0; value < JOBS; value++) await runtime.enqueue(echo, { value })
  dropLocks(file)
  assert.equal(countElsewhere(file), JOBS)
  assert.ok(!existsSync(journalFiles(file).wal), 'the other process has removed the log')
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

describe('a publisher in whose process the files are read', () => {
  it('acknowledges nothing that goes into a log which was removed', async () => {
    const { acknowledged, found, codes } = await publishWhileRead(built)
    assert.deepEqual(codes, ['MILLRACE_OUTCOME_UNKNOWN'])
    assert.deepEqual([acknowledged, found], [2 * JOBS - 1, 2 * JOBS - 1])
  })

  it('would acknowledge all of it, if commits were not looked after (control)', async () => {
    using copy = mutant({ file: 'runtime/journal/inbox/inbox-thread-main.js', from: 'log.check();', to: '' })
    const { acknowledged, found, codes } = await publishWhileRead(copy.folder)
    assert.deepEqual([acknowledged, found, codes], [2 * JOBS, JOBS, []])
  })
})
