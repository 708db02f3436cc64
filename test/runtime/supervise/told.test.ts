import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { EventEmitter } from 'eventemitter3'
import { spawn } from '../../../lib/actor.ts'
import type { RuntimeEvents } from '../../../lib/events.ts'
import { supervise } from '../../../lib/supervision.ts'
import { createEmit } from '../../../runtime/emit.ts'
import { supervisionListener } from '../../../runtime/listeners.ts'

/** What is told of a child that crashes at its first message, whose stop does this. */
async function toldOf(stop: () => Promise<void> | undefined): Promise<string> {
  const emitter = new EventEmitter<RuntimeEvents>()
  const told = once(emitter as never, 'runtime.error') as unknown as Promise<[{ error: Error }]>
  const start = () => {
    const child = spawn<'work'>(
      { receive: () => Promise.reject(new Error('boom')), stop },
      { id: 'child', stopDeadlineMs: 20 },
    )
    child.tell('work')
    return child
  }
  const onEvent = supervisionListener({ emit: createEmit(emitter) })
  const limit = { strategy: 'one-for-one', restarts: 0, withinMs: 1_000 } as const
  const supervisor = supervise([{ id: 'child', restart: 'permanent', start }], { id: 'all', ...limit, onEvent })
  const [{ error }] = await told
  await supervisor.exited
  return error.message
}

describe('a part of the runtime that has crashed', () => {
  it('is told with its error', async () => {
    assert.equal(await toldOf(() => undefined), 'boom')
  })

  it('is told too when its stop hangs, and it is given up', { timeout: 10_000 }, async () => {
    assert.equal(await toldOf(() => new Promise(() => {})), 'boom')
  })
})
