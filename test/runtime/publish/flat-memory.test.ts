import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { examine } from '../../../runtime/journal/tools/doctor.ts'
import { scratchFolder } from '../../helpers/scratch.ts'

const JOBS = 1_000_000
/** Less than half of what their inputs take. */
const HEAP_MB = 64

const LIMIT_MS = 240_000

function enqueueAll(folder: string, from: 'generator' | 'array') {
  const fixture = fileURLToPath(new URL('../../fixtures/many-jobs.js', import.meta.url))
  const args = [`--max-old-space-size=${HEAP_MB}`, fixture, join(folder, 'jobs.db'), String(JOBS), from]
  // What runs out of memory may leave a core where it stands.
  return spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8', timeout: LIMIT_MS, killSignal: 'SIGKILL' })
}

describe('enqueueMany', () => {
  it(`takes ${JOBS} jobs of a generator in a heap of ${HEAP_MB} MB`, { timeout: LIMIT_MS }, () => {
    const folder = scratchFolder()
    const { status, stdout, stderr } = enqueueAll(folder, 'generator')
    assert.deepEqual([status, stdout], [0, `${JOBS}\n`], stderr)
    const { counts, damage } = examine(join(folder, 'jobs.db'), 'quick')
    assert.deepEqual([counts, damage], [[{ task: 'waiting', state: 'available', jobs: JOBS }], []])
  })

  it('does not find the room there for all of their inputs (control)', () => {
    const { status, stderr } = enqueueAll(scratchFolder(), 'array')
    assert.notEqual(status, 0)
    assert.match(stderr, /heap out of memory/)
  })
})
