import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { boot, systemGround } from '../../../runtime/boot.ts'
import { resolveConfig } from '../../../runtime/config/config.ts'
import { stateCodes } from '../../../lib/job-state.ts'
import { heldBy } from '../../../runtime/held.ts'
import { Database } from '../../../runtime/index.ts'
import type { Wires } from '../../../runtime/wires.ts'
import { misbehave, parked } from '../../fixtures/tasks.ts'
import { claimOf, numbersOf } from '../../helpers/claims.ts'
import { leakCheck } from '../../helpers/leak-check.ts'
import { nextEvent } from '../../helpers/next-event.ts'
import { scratchFolder } from '../../helpers/scratch.ts'
import { fixtureTasks, startRuntime } from '../../helpers/start-runtime.ts'
import { journalListener, placeListener } from '../../../runtime/listeners.ts'

leakCheck({ after }, { withinMs: 5_000 })

async function running(test: { after(clean: () => unknown): unknown }): Promise<Wires> {
  const tiers = { default: { threads: 1 }, small: { threads: 1 } }
  const config = resolveConfig({ tasks: fixtureTasks, journal: { file: ':memory:' }, tiers, lanes: { network: {} } })
  const { root, wires } = await boot(config, systemGround())
  test.after(async () => {
    root.stop()
    await root.exited
  })
  return wires
}

describe('what this process holds', () => {
  it('contains a claim from the commit that gave it until the commit that ends it', async (test) => {
    const wires = await running(test)
    const held = () => numbersOf(heldBy(wires))
    // Of a task without a place: the dispatcher drops it as soon as it has read of it.
    await wires.publisher.enqueue(parked, null, undefined)
    const task = wires.journal.taskIndex('parked') as number
    journalListener(wires, () => {}).claimed([claimOf({ number: 7, task })])
    assert.deepEqual(held(), [7], 'told, and not read: a reroute in this moment must not give it back')
    await turn()
    assert.deepEqual(held(), [])
    wires.stopped.set(0, new Error('it takes nothing'))
    placeListener(wires).putBack(0, [claimOf({ number: 8, task })])
    assert.deepEqual(held(), [8])
    assert.equal(wires.desk.isQuiet(), false)
  })

  it('contains a claim whose outcome can never be written, so that it runs again at the next start only', async (test) => {
    const file = join(scratchFolder(), 'jobs.db')
    const options = { journal: { file } }
    const runtime = await startRuntime(test, options)
    const db = new Database(file)
    test.after(() => db.close())
    db.exec(`CREATE TRIGGER no_dead BEFORE UPDATE ON millrace_jobs WHEN new.state = ${stateCodes.dead}
      BEGIN SELECT raise(ABORT, 'not this one'); END`)
    const told: string[] = []
    runtime.on('job.unsettled', ({ id }) => told.push(id))
    const unsettled = nextEvent(runtime, 'job.unsettled')
    const job = await runtime.enqueue(misbehave, { how: 'throw null' })
    const refused = assert.rejects(job.result(), /not this one/)
    await unsettled
    await refused
    // Each of these has the journal compare what runs with what is held.
    await runtime.pause({ task: 'echo' })
    await runtime.resume({ task: 'echo' })
    await runtime.idle()
    const { state, claim } = await job.record()
    assert.deepEqual([state, claim, told], ['running', 1, [job.id]])
    assert.equal((await runtime.explain(job.id)).reason.type, 'not-written')
    await runtime.stop()
    db.exec('DROP TRIGGER no_dead')
    const next = await startRuntime(test, options)
    await assert.rejects(next.job(job.id).result({ timeoutMs: 5_000 }), { code: 'MILLRACE_JOB_FAILED' })
  })
})
