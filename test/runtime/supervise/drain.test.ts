import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { ManualClock } from '../../../lib/manual-clock.ts'
import type { MillraceError } from '../../../lib/errors.ts'
import { drain } from '../../../runtime/supervise/drain.ts'
import type { Wires } from '../../../runtime/wires.ts'

describe('the end of the grace', () => {
  it('does not wait for ever until a journal has written what is stuck', async () => {
    const clock = new ManualClock()
    const heard: string[] = []
    const wires = {
      clock,
      router: { tell: () => 'accepted' },
      places: [{ stop: async () => [{ number: 7 }] }],
      emit: { emit: (event: string, { error }: { error: MillraceError }) => heard.push(`${event} ${error.code}`) },
      journal: { hurry: () => heard.push('hurry'), request: () => new Promise(() => {}) },
    } as unknown as Wires
    const drained = drain(wires, 100)
    await turn()
    clock.advance(5_000)
    assert.deepEqual(await drained, [7])
    assert.deepEqual(heard, ['hurry', 'runtime.error MILLRACE_JOURNAL_IO'])
  })
})
