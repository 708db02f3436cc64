// needs-program: gcc
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { scratchFolder } from '../../../helpers/scratch.ts'
import { type Recorded, syncRecorder } from '../../../helpers/sync-recorder.ts'

const JOBS = 50
const LIMIT = { timeout: 60_000 }
const program = fileURLToPath(new URL('../../../fixtures/marked-publisher.js', import.meta.url))

/** Acknowledged jobs; how many of them were in the log by then, and how many in a log that was synced after that. */
function ofAcknowledged(recorded: readonly Recorded[]) {
  const written = new Set<string>()
  const synced = new Set<string>()
  const counts = { acknowledged: 0, written: 0, synced: 0 }
  for (const { type, file, marks } of recorded) {
    if (file === 'jobs.db-wal' && type === 'sync') for (const mark of written) synced.add(mark)
    if (file === 'jobs.db-wal' && type === 'write') for (const mark of marks) written.add(mark)
    if (file !== 'acknowledged') continue
    for (const mark of marks) {
      counts.acknowledged++
      if (written.has(mark)) counts.written++
      if (synced.has(mark)) counts.synced++
    }
  }
  return counts
}

/** Of a process of its own that publishes. */
function published(how: 'full' | 'relaxed' | 'publisher') {
  const folder = scratchFolder()
  const { env, recorded } = syncRecorder(scratchFolder(), folder)
  execFileSync(process.execPath, [program, folder, how, String(JOBS)], { env })
  return ofAcknowledged(recorded())
}

describe('a job that was acknowledged', () => {
  it('is in the log, and the log is synced after that', LIMIT, () => {
    assert.deepEqual(published('full'), { acknowledged: JOBS, written: JOBS, synced: JOBS })
  })

  it('is in a synced log where another process than the owner has put it in', LIMIT, () => {
    assert.deepEqual(published('publisher'), { acknowledged: JOBS, written: JOBS, synced: JOBS })
  })

  it('is only written where syncing was given up (control)', LIMIT, () => {
    const { synced, ...counts } = published('relaxed')
    assert.deepEqual(counts, { acknowledged: JOBS, written: JOBS })
    assert.ok(synced < JOBS / 2, `${synced} of ${JOBS} were synced all the same`)
  })
})
