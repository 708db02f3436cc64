import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { boot, systemGround } from '../../../runtime/boot.ts'
import { resolveConfig } from '../../../runtime/config.ts'
import { heldBy } from '../../../runtime/held.ts'
import type { Wires } from '../../../runtime/wires.ts'
import { parked } from '../../fixtures/tasks.ts'
import { claimOf, numbersOf } from '../../helpers/claims.ts'
import { leakCheck } from '../../helpers/leak-check.ts'
import { fixtureTasks } from '../../helpers/start-runtime.ts'
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

const turn = () => new Promise<void>((resolve) => void setImmediate(resolve))

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
})
