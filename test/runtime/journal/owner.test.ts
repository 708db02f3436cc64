import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { journalFiles } from '../../../runtime/journal/files.ts'
import { openJournal } from '../../../runtime/journal/open.ts'
import { openDatabase } from '../../../runtime/journal/sqlite.ts'
import { open, openInAnotherProcess, optionsOf } from '../../helpers/opened-journal.ts'
import { scratchFolder } from '../../helpers/scratch.ts'
import { START } from '../../helpers/journal-openers.ts'

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
