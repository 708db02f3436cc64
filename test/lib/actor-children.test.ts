import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { spawn, type Behavior, type Child, type Parent } from '../../lib/actor.ts'
import { Hang, noting, someTurns, until } from '../helpers/actors.ts'

describe('children of an actor', () => {
  const boom = new Error('boom')

  async function parentOf(behavior: Partial<Behavior<string>> = {}): Promise<{ actor: Child<string>; parent: Parent }> {
    let parent: Parent | undefined
    const actor = spawn(
      noting([], {
        start(self) {
          parent = self
        },
        ...behavior,
      }),
      { id: 'parent' },
    )
    await actor.started
    assert.ok(parent)
    return { actor, parent }
  }

  const crashing: Behavior<string> = { receive: () => assert.fail(boom) }

  it('report their ends to it, ahead of messages, each once and by itself', async () => {
    const log: unknown[] = []
    const hang = new Hang()
    const { actor, parent } = await parentOf({
      receive: (message) => {
        log.push(message)
        return hang.enter()
      },
      childExited: (child, reason) => void log.push([child, reason]),
    })
    const children = [crashing, crashing].map((behavior) => spawn(behavior, { id: 'same', parent }))
    for (const child of children) parent.adopt(child)
    actor.tell('one')
    actor.tell('two')
    await hang.entered
    children[1]?.tell('crash')
    await children[1]?.exited
    children[0]?.stop()
    await children[0]?.exited
    hang.open()
    await until(() => log.length === 4)
    assert.deepEqual(log, [
      'one',
      [children[1], { type: 'crashed', error: boom }],
      [children[0], { type: 'stopped' }],
      'two',
    ])
    assert.equal((log[1] as unknown[])[0], children[1])
    actor.stop()
    await actor.exited
  })

  it('are no longer of interest once it is to stop', async () => {
    const log: unknown[] = []
    const hang = new Hang()
    const childExited = () => void log.push('child exited')
    const { actor, parent } = await parentOf({ receive: hang.enter, childExited })
    const child = spawn(crashing, { id: 'child', parent })
    actor.tell('one')
    await hang.entered
    child.stop()
    await child.exited
    await someTurns()
    actor.stop()
    hang.open()
    await actor.exited
    assert.deepEqual(log, [])
  })

  it('take it with them if they crash and it does not care for their ends', async () => {
    const { actor, parent } = await parentOf()
    const calm = spawn(crashing, { id: 'calm', parent })
    const child = spawn(crashing, { id: 'child', parent })
    calm.stop()
    await calm.exited
    await someTurns()
    assert.equal(actor.tell('still there'), 'accepted')
    child.tell('crash')
    assert.deepEqual(await actor.exited, { type: 'crashed', error: boom })
  })

  it('are shut down when it ends, however it does, the latest first', async () => {
    for (const end of ['crash', 'stop'] as const) {
      const { actor, parent } = await parentOf({ receive: () => assert.fail(boom) })
      const order: string[] = []
      const children = ['first', 'second'].map((id) => {
        return spawn(noting([], { stop: () => void order.push(id) }), { id, parent })
      })
      await children[1]?.started
      if (end === 'crash') actor.tell('crash')
      else actor.stop()
      for (const child of children) assert.deepEqual(await child.exited, { type: 'shutdown' })
      assert.deepEqual(order, ['second', 'first'])
      const late = spawn(crashing, { id: 'late', parent })
      assert.deepEqual(await late.exited, { type: 'shutdown' })
    }
  })
})
