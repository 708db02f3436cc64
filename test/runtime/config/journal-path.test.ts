import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { openDatabase } from '../../../runtime/journal/files/sqlite.ts'
import { createPublisher, createRuntime } from '../../../runtime/index.ts'
import { echo } from '../../fixtures/tasks.ts'
import { scratchFolder } from '../../helpers/scratch.ts'
import { fixtureTasks as tasks, startRuntime } from '../../helpers/start-runtime.ts'

const ENDS = [' ', '\r', '\n', '\t', '\u00a0', '\ufeff']

describe('the path of a journal that ends in white space, which the driver leaves out', () => {
  it('is refused, and nothing is made for it', async () => {
    const folder = scratchFolder()
    for (const end of ENDS) {
      const file = join(folder, `jobs.db${end}`)
      const refused = {
        code: 'MILLRACE_INVALID_OPTION',
        path: 'journal.file',
        message: /without white space at its end/,
      }
      await assert.rejects(createRuntime({ journal: { file }, tasks }), refused)
      await assert.rejects(createPublisher({ journal: file }), { ...refused, path: 'journal' })
      assert.throws(() => openDatabase(file), /would be opened without the white space/)
    }
    assert.deepEqual(readdirSync(folder), [])
  })

  it('takes the journal of that name from nobody', async (test) => {
    const file = join(scratchFolder(), 'jobs.db')
    const runtime = await startRuntime(test, { journal: { file } })
    await assert.rejects(createRuntime({ journal: { file: `${file}\r` }, tasks }), { path: 'journal.file' })
    await (await runtime.enqueue(echo, { value: 1 })).result({ timeoutMs: 10_000 })
  })
})
