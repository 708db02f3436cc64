// needs-quiet: a timer beside a long mailbox
import assert from 'node:assert/strict'
import { createHook } from 'node:async_hooks'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { spawn, type Behavior } from '../../lib/actor.ts'
import { Hang, until } from '../helpers/actors.ts'

type Pace = 'sync' | 'microtask' | 'turn'

/** What the teller does: it tells something that takes so long to receive, lets the loop turn, or stops the actor. */
type Step = Pace | 'let turn' | 'stop'

const step = fc.oneof(
  { weight: 10, arbitrary: fc.constantFrom<Step>('sync', 'sync', 'microtask', 'turn') },
  { weight: 4, arbitrary: fc.constant<Step>('let turn') },
  { weight: 1, arbitrary: fc.constant<Step>('stop') },
)

interface Letter {
  readonly number: number
  readonly pace: Pace
}

class Postman implements Behavior<Letter> {
  readonly received: number[] = []
  #busy = 0

  receive({ number, pace }: Letter): void | Promise<void> {
    assert.equal(this.#busy, 0, 'one at a time')
    this.received.push(number)
    if (pace === 'sync') return undefined
    this.#busy++
    return (pace === 'turn' ? turn() : Promise.resolve()).then(() => {
      this.#busy--
    })
  }
}

describe('messages of an actor', () => {
  it('are received in the order they were told, until it is stopped and no further', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.integer({ min: 1, max: 4 }), async (steps, capacity) => {
        const postman = new Postman()
        const actor = spawn(postman, { id: 'postman', capacity })
        const accepted: number[] = []
        let stopped: number | undefined
        for (const [number, each] of steps.entries()) {
          if (each === 'let turn') await turn()
          else if (each === 'stop') {
            actor.stop()
            stopped ??= postman.received.length
          } else {
            const waiting = accepted.length - postman.received.length
            const told = actor.tell({ number, pace: each })
            assert.equal(told, stopped !== undefined ? 'closed' : waiting === capacity ? 'full' : 'accepted')
            if (told === 'accepted') accepted.push(number)
          }
        }
        if (stopped === undefined) await until(() => postman.received.length === accepted.length)
        actor.stop()
        assert.deepEqual(await actor.exited, { type: 'stopped' })
        assert.deepEqual(postman.received, accepted.slice(0, stopped ?? accepted.length))
      }),
      { numRuns: 300 },
    )
  })

  it('cost no promise if they are received synchronously', async () => {
    const counts: number[] = []
    for (const receive of [() => {}, async () => {}]) {
      const hang = new Hang()
      const actor = spawn<number>(
        { start: hang.enter, receive: (message) => (message === 999 ? done() : receive()) },
        { id: 'a' },
      )
      let done = () => {}
      const over = new Promise<void>((resolve) => {
        done = resolve
      })
      for (let message = 0; message < 1_000; message++) actor.tell(message)
      let promises = 0
      const hook = createHook({ init: (_, type) => void (type === 'PROMISE' && promises++) })
      hook.enable()
      hang.open()
      await over
      hook.disable()
      counts.push(promises)
      actor.stop()
      await actor.exited
    }
    const [whenSync = 0, whenAsync = 0] = counts
    assert.ok(whenSync < 200, `${whenSync} promises for 1,000 messages`)
    assert.ok(whenAsync >= 1_000, 'the control')
  })

  it('do not keep the loop, however many there are and however long each takes', async () => {
    for (const [messages, busyMs] of [
      [100_000, 0],
      [400, 1],
    ] as const) {
      let received = 0
      const receive = () => {
        received++
        for (const endsAt = performance.now() + busyMs; performance.now() < endsAt; );
      }
      const actor = spawn<undefined>({ receive }, { id: 'a', capacity: messages })
      for (let message = 0; message < messages; message++) actor.tell(undefined)
      const toldAt = performance.now()
      await new Promise((resolve) => setTimeout(resolve, 1))
      const ms = performance.now() - toldAt
      assert.ok(received < messages, 'it went on')
      assert.ok(ms < 100, `timer after ${ms} ms`)
      actor.stop()
      await actor.exited
    }
  })
})
