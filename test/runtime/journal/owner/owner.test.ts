import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { parseJobId } from '../../../../lib/job.ts'
import { stateCodes } from '../../../../lib/job-state.ts'
import { journalFiles } from '../../../../runtime/journal/files/files.ts'
import { openJournal } from '../../../../runtime/journal/open.ts'
import { openDatabase } from '../../../../runtime/journal/files/sqlite.ts'
import { open, openInAnotherProcess, optionsOf } from '../../../helpers/opened-journal.ts'
import { ledgerLines, ledgerOf, scratchFolder } from '../../../helpers/scratch.ts'
import { START } from '../../../helpers/journal-openers.ts'
import { startNode } from '../../../helpers/node-process.ts'
import { until } from '../../../helpers/until.ts'

describe('the owner of a journal', () => {
  it('is one process: another one is told who it is', (test) => {
    const file = join(scratchFolder(), 'jobs.db')
    open(test, file)
    const { code, message = '', details } = openInAnotherProcess(file)
    assert.equal(code, 'MILLRACE_JOURNAL_LOCKED')
    assert.ok(message.includes(`process ${process.pid} on ${hostname()}`), message)
    assert.deepEqual(details, { pid: process.pid, host: hostname(), since: START })
  })

  it('stays the owner after its own process has read the files', (test) => {
    const file = join(scratchFolder(), 'jobs.db')
    open(test, file)
    readFileSync(file)
    readFileSync(journalFiles(file).wal)
    assert.equal(openInAnotherProcess(file).code, 'MILLRACE_JOURNAL_LOCKED')
  })

  it('would not, if the lock was on the journal itself (control)', (test) => {
    const file = join(scratchFolder(), 'plain.db')
    const first = openDatabase(file, { timeout: 0 })
    test.after(() => first.close())
    first.exec('CREATE TABLE t (x)')
    first.exec('BEGIN EXCLUSIVE')
    const lock = `const Database = require('better-sqlite3'); const db = new Database(process.argv[1], { timeout: 0 })
      try { db.exec('BEGIN EXCLUSIVE'); console.log('got it') } catch (error) { console.log(error.code) }`
    const attempt = () => execFileSync(process.execPath, ['-e', lock, file], { encoding: 'utf8' }).trim()
    assert.equal(attempt(), 'SQLITE_BUSY')
    readFileSync(file)
    assert.equal(attempt(), 'got it')
  })

  it('may be another process once it has closed the journal', () => {
    const file = join(scratchFolder(), 'jobs.db')
    const first = openJournal(optionsOf(file), START)
    first.close()
    assert.equal(openInAnotherProcess(file).epoch, first.opened.epoch + 1)
  })

  it('does not go on after the death of its thread while nothing can be written', () => {
    const file = join(scratchFolder(), 'jobs.db')
    const { opened, close } = openJournal(optionsOf(file), START)
    close()
    const db = openDatabase(file)
    db.exec("CREATE TRIGGER failing BEFORE UPDATE ON millrace_meta BEGIN SELECT RAISE(ABORT, 'no write'); END")
    assert.throws(() => openJournal(optionsOf(file), START, opened.epoch), { code: 'MILLRACE_JOURNAL_IO' })
    db.exec('DROP TRIGGER failing')
    db.close()
    const again = openJournal(optionsOf(file), START, opened.epoch)
    again.close()
    assert.deepEqual([again.opened.epoch, again.opened.commits], [opened.epoch, opened.commits])
    assert.ok(again.opened.numbersUntil > opened.numbersUntil)
  })

  it('goes on under the same epoch when only its thread has died, and not when it was replaced', () => {
    const file = join(scratchFolder(), 'jobs.db')
    const { opened, close } = openJournal(optionsOf(file), START)
    close()
    const again = openJournal(optionsOf(file), START, opened.epoch)
    assert.equal(again.opened.epoch, opened.epoch)
    again.close()
    openInAnotherProcess(file)
    assert.throws(() => openJournal(optionsOf(file), START, opened.epoch), { code: 'MILLRACE_JOURNAL_LOST' })
  })
})

/** Long enough that it is stopped before the end. */
const JOB_MS = 2_000

/** A process that owns a journal and is stopped while it runs a job. */
async function stoppedOwner(test: TestContext) {
  const file = join(scratchFolder(), 'jobs.db')
  const ledger = join(scratchFolder(), 'ledger')
  const owner = startNode(test, new URL('../../../fixtures/commanded-service.js', import.meta.url), file, ledger)
  await owner.line('open')
  const enqueue = async (ms: number) => {
    owner.child.stdin?.write(`${ms}\n`)
    return JSON.parse((await owner.line('acknowledged')).slice('acknowledged '.length)) as string
  }
  const job = await enqueue(JOB_MS)
  await ledgerOf(ledger, 1, 'start')
  owner.child.kill('SIGSTOP')
  const stat = () => readFileSync(`/proc/${owner.child.pid}/stat`, 'utf8')
  await until('it is stopped', stat, (text) => text.includes(') T '))
  return { file, ledger, owner, enqueue, job }
}

describe('an owner that is stopped, but not ended, and goes on later', () => {
  it('is the owner all the time, and loses nothing of what it was about', async (test) => {
    const { file, ledger, owner, enqueue, job } = await stoppedOwner(test)
    const { code, details } = openInAnotherProcess(file)
    assert.deepEqual([code, (details as { pid: number }).pid], ['MILLRACE_JOURNAL_LOCKED', owner.child.pid])
    owner.child.kill('SIGCONT')
    assert.equal(await owner.line('job.'), `job.succeeded "${job}"`)
    const next = await enqueue(1)
    assert.equal(await owner.line('job.'), `job.succeeded "${next}"`)
    assert.deepEqual(
      ledgerLines(ledger),
      [job, next].flatMap((id) => [
        ['start', id, '1'],
        ['end', id, '1'],
      ]),
    )
    owner.child.stdin?.end()
    await assert.rejects(owner.line(''), 'it says nothing more')
    const { code: exitCode, errors } = await owner.exited
    assert.deepEqual([exitCode, errors], [0, ''])
  })

  it('writes nothing any more once its lock was removed and another process has taken over', async (test) => {
    const { file, ledger, owner, job } = await stoppedOwner(test)
    rmSync(journalFiles(file).lock)
    assert.equal(openInAnotherProcess(file).epoch, 2)
    owner.child.kill('SIGCONT')
    await ledgerOf(ledger, 1, 'end')
    assert.equal(
      await owner.line('failed'),
      'failed "MILLRACE_JOURNAL_LOST"',
      'it hears of it by what it has to settle',
    )
    owner.child.stdin?.write('1\n')
    assert.equal(await owner.line('refused'), 'refused "MILLRACE_JOURNAL_LOST"')
    owner.child.stdin?.end()
    await assert.rejects(owner.line(''), 'it says nothing more')
    const db = openDatabase(file, { readonly: true })
    const rows = db.prepare('SELECT id, state, attempt FROM millrace_jobs').all()
    db.close()
    const { number } = parseJobId(job) as { number: number }
    assert.deepEqual(rows, [{ id: number, state: stateCodes.available, attempt: 0 }])
  })
})
