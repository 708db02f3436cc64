import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createPublisher, Database, type MillraceError } from '../../runtime/index.ts'
import { defineTask } from '../../lib/task.ts'
import { kept, weighty } from '../fixtures/tasks.ts'
import { nextEvent } from '../helpers/next-event.ts'
import { ledgerOf, scratchFolder } from '../helpers/scratch.ts'
import { smallDisk } from '../helpers/small-disk.ts'
import { startRuntime } from '../helpers/start-runtime.ts'

/** A contract of which nothing here is the handler, so that its jobs pile up. */
const heavy = defineTask<{ text: string }, void>({ name: 'heavy' })
const INPUT = { text: 'x'.repeat(10_000) }
/** More than what a group that finds the disk full leaves behind in the log, which would be room enough for a small outcome. */
const OUTCOME_BYTES = 900_000

describe('a full disk', () => {
  it('refuses new jobs, settles what runs, loses nothing, and is over when there is room', async (test) => {
    const disk = smallDisk(test, 40)
    if (disk === undefined) return test.skip('only root may mount a file system')
    const file = join(disk, 'jobs.db')
    const runtime = await startRuntime(test, { journal: { file } })
    const ledger = join(scratchFolder(), 'ledger')
    const degraded = nextEvent(runtime, 'journal.degraded', { timeoutMs: 30_000 })
    const running = await runtime.enqueue(weighty, { ledger, ms: 1_500, bytes: OUTCOME_BYTES })
    await ledgerOf(ledger)

    let acknowledged = 0
    const error = await fill(
      () => runtime.enqueue(heavy, INPUT),
      () => acknowledged++,
    )
    assert.equal(error.code, 'MILLRACE_DISK_FULL')
    await degraded
    // What was freed is for outcomes: also a small job is refused, and goes on being refused.
    for (let asked = 0; asked < 10; asked++) {
      await assert.rejects(runtime.enqueue(kept, { value: 1 }), { code: 'MILLRACE_DISK_FULL' })
      await sleep(30)
    }
    await assert.rejects(runtime.enqueueMany(kept, [{ value: 1 }]), (many: MillraceError) => {
      assert.equal((many.cause as MillraceError).code, 'MILLRACE_DISK_FULL')
      return true
    })
    // Who writes past the owner would use up what outcomes are written with.
    const db = new Database(file)
    assert.throws(() => runtime.transaction(db, (transaction) => transaction.enqueue(heavy, INPUT)), {
      code: 'MILLRACE_DISK_FULL',
    })
    db.close()
    const publisher = await createPublisher({ journal: file })
    await assert.rejects(publisher.enqueue(heavy, INPUT), { code: 'MILLRACE_DISK_FULL' })
    const outcome = await running.result({ timeoutMs: 8_000 })
    assert.equal(outcome.length, OUTCOME_BYTES, 'what ran is settled all the same')

    const healthy = nextEvent(runtime, 'journal.healthy', { timeoutMs: 10_000 })
    execFileSync('mount', ['-o', 'remount,size=200m', disk])
    await healthy
    await publisher.enqueue(heavy, INPUT)
    acknowledged++
    await publisher.close()
    assert.equal(await (await runtime.enqueue(kept, { value: 2 })).result({ timeoutMs: 10_000 }), 2)
    const summary = (await runtime.tasks()).find(({ task }) => task === 'heavy')
    assert.equal(summary?.jobs.available, acknowledged)
    await runtime.stop()

    const after = new Database(file, { readonly: true })
    assert.deepEqual(after.pragma('integrity_check'), [{ integrity_check: 'ok' }])
    after.close()
  })
})

/** Repeats until it is refused; says with what. */
async function fill(once: () => Promise<unknown>, done: () => void): Promise<MillraceError> {
  for (;;) {
    const results = await Promise.allSettled(Array.from({ length: 50 }, once))
    for (const result of results) if (result.status === 'fulfilled') done()
    const refused = results.find((result) => result.status === 'rejected')
    if (refused !== undefined) return refused.reason as MillraceError
  }
}
