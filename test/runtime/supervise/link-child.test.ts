import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { ManualClock } from '../../../lib/manual-clock.ts'
import type { Across } from '../../../runtime/across.ts'
import { LinkChild } from '../../../runtime/supervise/link-child.ts'
import type { Wires } from '../../../runtime/wires.ts'

describe('a link that stops', () => {
  it('gives everything back to the broker, and leaves it, also where the journal cannot write any more', async () => {
    const clock = new ManualClock()
    const heard: string[] = []
    const hears = (what: string) => async () => void heard.push(what)
    const journal = { hurry: hears('hurry'), barrier: () => new Promise(() => {}) }
    const across = {
      config: { broker: { supports: {}, close: hears('left') } },
      deliveries: { releaseAll: () => ['delivery'] },
      inlet: { arrived: [] },
      verdicts: { tell: (all: string[]) => heard.push(...all), told: async () => {}, stop() {} },
      homecoming: { taken: async () => {} },
      homeward: { sentAll: async () => {}, close() {} },
    }
    const link = new LinkChild({ clock, journal } as unknown as Wires, across as unknown as Across)
    const stopped = link.stop()
    await turn()
    // It has half a minute for all of it.
    clock.advance(25_000)
    await stopped
    assert.deepEqual(heard, ['hurry', 'delivery', 'left'])
  })
})
