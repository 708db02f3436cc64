import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { examine } from '../../../runtime/journal/doctor.ts'
import { scratchFolder } from '../../helpers/scratch.ts'

const JOBS = 1_000_000
/** Less than half of what their inputs take. */
const HEAP_MB = 64

function enqueueAll(journal: string, from: 'generator' | 'array') {
  const fixture = fileURLToPath(new URL('../../fixtures/many-jobs.js', import.meta.url))
  const args = [`--max-old-space-size=${HEAP_MB}`, fixture, journal, String(JOBS), from]
  return spawnSync(process.execPath, args, { encoding: 'utf8' })
}

describe('enqueueMany', () => {
  it(`takes ${JOBS} jobs of a generator in a heap of ${HEAP_MB} MB`, { timeout: 120_000 }, () => {
    const journal = join(scratchFolder(), 'jobs.db')
    const { status, stdout, stderr } = enqueueAll(journal, 'generator')
    assert.deepEqual([status, stdout], [0, `${JOBS}\n`], stderr)
    const { counts, damage } = examine(journal, 'quick')
    assert.deepEqual([counts, damage], [[{ task: 'waiting', state: 'available', jobs: JOBS }], []])
  })

  it('does not find the room there for all of their inputs (control)', () => {
    const { status, stderr } = enqueueAll(join(scratchFolder(), 'jobs.db'), 'array')
    assert.notEqual(status, 0)
    assert.match(stderr, /heap out of memory/)
  })
})
