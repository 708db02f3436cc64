import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { ManualClock } from '../../../lib/manual-clock.ts'
import type { Across } from '../../../runtime/across.ts'
import { LinkChild } from '../../../runtime/supervise/link-child.ts'
import type { Wires } from '../../../runtime/wires.ts'

describe('a link that stops', () => {
  it('gives everything back to the broker once the journal has written, and leaves it, also where it does not answer', async () => {
    const clock = new ManualClock()
    const heard: string[] = []
    const hears = (what: string) => async () => void heard.push(what)
    const journal = { written: hears('written') }
    const across = {
      config: { broker: { supports: {}, close: hears('left') } },
      deliveries: { releaseAll: () => ['delivery'] },
      inlet: { arrived: [] },
      verdicts: { tell: (all: string[]) => heard.push(...all), told: () => new Promise(() => {}), stop() {} },
      homecoming: { taken: async () => {} },
      homeward: { sentAll: async () => {}, close() {} },
    }
    const link = new LinkChild({ clock, journal } as unknown as Wires, across as unknown as Across)
    const stopped = link.stop()
    await turn()
    clock.advance(1_000)
    await stopped
    assert.deepEqual(heard, ['written', 'delivery', 'left'])
  })
})
