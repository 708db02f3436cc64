import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { journalFiles } from '../../runtime/journal/files/files.ts'

/** Jobs that are written before the log is removed, and as many after it. */
export const JOBS = 20

/** What another process finds there, which closes the journal again. */
export function countElsewhere(file: string, table = 'millrace_jobs'): number {
  const program = `const Database = require('better-sqlite3'); const db = new Database(process.argv[1])
    console.log(db.prepare('SELECT count(*) FROM ' + process.argv[2]).pluck().get()); db.close()`
  return Number(execFileSync(process.execPath, ['-e', program, file, table], { encoding: 'utf8' }))
}

export const optionsFor = (file: string, root: string) => ({
  tasks: pathToFileURL(join(root, 'test/fixtures/tasks.js')),
  journal: { file },
  tiers: { default: { threads: 1 }, small: { threads: 1 } },
  lanes: { network: {} },
})

/** As a backup of its own process does. */
export function dropLocks(file: string): void {
  const { main, shm } = journalFiles(file)
  for (const each of [main, shm]) readFileSync(each)
}

/** What another process writes `JOBS` times. */
export function writeElsewhere(file: string, sql: string): void {
  const program = `const Database = require('better-sqlite3'); const db = new Database(process.argv[1])
    for (let row = 0; row < ${JOBS}; row++) db.exec(process.argv[2]); db.close()`
  execFileSync(process.execPath, ['-e', program, file, sql])
}
