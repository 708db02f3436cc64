import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { built, mutant } from '../helpers/mutant.ts'
import { scratchFolder } from '../helpers/scratch.ts'

const run = promisify(execFile)
const LIMIT_MS = 30_000
const CONTROL_MS = 5_000

/** What a service says that does nothing before `createRuntime`; rejects where its process does not end by itself. */
async function startCold(folder: string, file: string, threads: string, timeout = LIMIT_MS): Promise<string> {
  const service = join(folder, 'test/fixtures/cold-service.js')
  const { stdout } = await run(process.execPath, [service, file, threads], { timeout })
  return stdout.trim()
}

describe('a runtime that is asked for before all of it is loaded', () => {
  it('starts', async () => {
    assert.equal(await startCold(built, join(scratchFolder(), 'jobs.db'), '1'), 'started')
  })

  it('is refused with the way out, and leaves no thread behind', async () => {
    assert.equal(await startCold(built, join(scratchFolder(), 'jobs.db'), 'many'), 'MILLRACE_INVALID_OPTION')
    assert.equal(await startCold(built, '/dev/null/jobs.db', '1'), 'MILLRACE_JOURNAL_IO')
  })

  it('would leave the thread of its journal behind (control)', async () => {
    using copy = mutant({ file: 'runtime/create.js', from: 'await (head ?? journal).end();', to: '' })
    const file = join(scratchFolder(), 'jobs.db')
    await assert.rejects(startCold(copy.folder, file, 'many', CONTROL_MS), { signal: 'SIGTERM' })
  })

  it('says why the thread of its journal does not start, though that is known before anybody asks it', async () => {
    using copy = mutant({
      file: 'runtime/journal/files/lock.js',
      from: /^/,
      to: "throw Object.assign(new Error('planted'), { code: 'PLANTED' });\n",
    })
    assert.equal(await startCold(copy.folder, join(scratchFolder(), 'jobs.db'), '1'), 'PLANTED')
  })
})
