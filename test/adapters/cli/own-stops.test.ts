import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { giveGraceToOwnStops } from '../../../adapters/cli/own-stops.ts'
import { laneHang } from '../../fixtures/tasks.ts'
import { nextEvent } from '../../helpers/next-event.ts'
import { RuntimeNodes } from '../../helpers/runtime-nodes.ts'

/** Below the grace of 10 s that a stop has by itself: nobody may wait for that here. */
const SOON = { timeout: 8_000 }

/** A runtime with a job that never ends, so that a stop takes the whole grace. */
async function runningNode(test: TestContext) {
  const node = await new RuntimeNodes(test).start('one')
  const begun = nextEvent(node.runtime, 'job.progress')
  await node.runtime.enqueue(laneHang, null, { softLimitMs: 60_000, hardLimitMs: 60_000 })
  await begun
  return { ...node, stopped: nextEvent(node.runtime, 'runtime.stopped') }
}

describe('a stop that the runtime of a command begins by itself', () => {
  for (const [why, event] of [
    ['another node drains it', 'node.drain'],
    ['too many of its threads hang', 'runtime.unfit'],
  ] as const) {
    it(`has the grace of the command where ${why}`, SOON, async (test) => {
      const { runtime, wires, stopped } = await runningNode(test)
      giveGraceToOwnStops(runtime, 0)
      wires.emit.emit(
        event,
        event === 'node.drain' ? { graceMs: undefined } : ({ error: new Error('they hang') } as never),
      )
      await stopped
    })
  }

  it('has the grace that the other node has named', SOON, async (test) => {
    const { runtime, wires, stopped } = await runningNode(test)
    giveGraceToOwnStops(runtime, 60_000)
    wires.emit.emit('node.drain', { graceMs: 0 })
    assert.deepEqual(await stopped, { stuck: [] })
  })
})
