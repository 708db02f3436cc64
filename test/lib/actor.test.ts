// needs-quiet: a timer beside a long mailbox
import assert from 'node:assert/strict'
import { createHook } from 'node:async_hooks'
import { describe, it } from 'node:test'
import { Worker } from 'node:worker_threads'
import { EventEmitter } from 'eventemitter3'
import fc from 'fast-check'
import { spawn, type Behavior, type Child, type Parent } from '../../lib/actor.ts'
import { ManualClock } from '../../lib/manual-clock.ts'
import { assertNoLeak, leakCheck, resources } from '../helpers/leak-check.ts'
import { nextEvent } from '../helpers/next-event.ts'
import { stressStartStop } from '../helpers/stress-start-stop.ts'

/** A callback that hangs until it is let go. */
class Hang {
  open!: () => void
  fail!: (error: unknown) => void
  enter!: () => Promise<void>
  readonly entered: Promise<void>

  constructor() {
    const passed = new Promise<void>((resolve, reject) => {
      this.open = resolve
      this.fail = reject
    })
    this.entered = new Promise((resolve) => {
      this.enter = () => {
        resolve()
        return passed
      }
    })
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Long enough for what must not happen, if it would happen. */
async function someTurns(): Promise<void> {
  for (let turns = 0; turns < 10; turns++) await turn()
}

/** Lets the loop turn until it is so; when an actor is run depends on what else the machine does. */
async function until(isSo: () => boolean): Promise<void> {
  for (let turns = 0; turns < 1_000 && !isSo(); turns++) await turn()
  assert.ok(isSo(), `${isSo.toString()} within 1,000 turns of the loop`)
}

/** An actor that notes what it is called with. */
function noting(log: unknown[], behavior: Partial<Behavior<string>> = {}): Behavior<string> {
  return {
    start: () => void log.push('start'),
    receive: (message) => void log.push(message),
    stop: (ending) => void log.push(ending),
    ...behavior,
  }
}

describe('an actor', () => {
  it('starts, receives in order and stops', async () => {
    const log: unknown[] = []
    const actor = spawn(noting(log), { id: 'a' })
    assert.deepEqual(log, [], 'nothing runs before the caller has returned')
    assert.equal(actor.tell('one'), 'accepted')
    assert.equal(actor.tell('two'), 'accepted')
    await until(() => log.length === 3)
    actor.stop()
    assert.deepEqual(await actor.exited, { type: 'stopped' })
    assert.deepEqual(log, ['start', 'one', 'two', { type: 'stopped' }])
    assert.equal(actor.tell('three'), 'closed')
  })

  it('has one callback at a time, promises included', async () => {
    const log: unknown[] = []
    const slow = async (what: unknown) => {
      log.push(what)
      await turn()
      log.push('done')
    }
    const actor = spawn(noting(log, { start: () => slow('start'), receive: slow, stop: slow }), { id: 'a' })
    actor.tell('one')
    actor.tell('two')
    await until(() => log.length === 6)
    actor.stop()
    await actor.exited
    assert.deepEqual(log, ['start', 'done', 'one', 'done', 'two', 'done', { type: 'stopped' }, 'done'])
  })

  it('refuses messages when its mailbox is full, and can still be stopped', async () => {
    const log: unknown[] = []
    const hang = new Hang()
    const actor = spawn(noting(log, { start: hang.enter }), { id: 'a', capacity: 2 })
    await hang.entered
    assert.deepEqual(
      ['1', '2', '3'].map((message) => actor.tell(message)),
      ['accepted', 'accepted', 'full'],
    )
    actor.stop()
    hang.open()
    assert.deepEqual(await actor.exited, { type: 'stopped' })
    assert.deepEqual(log, [{ type: 'stopped' }], 'what was not read is dropped')
  })

  it('never starts if it is stopped before', async () => {
    const log: unknown[] = []
    const actor = spawn(noting(log), { id: 'a' })
    actor.tell('one')
    actor.stop()
    assert.deepEqual(await actor.exited, { type: 'stopped' })
    await actor.started
    assert.deepEqual(log, [])
  })

  it('can be stopped by what it receives', async () => {
    const log: unknown[] = []
    const actor: Child<string> = spawn(noting(log, { receive: () => actor.stop() }), { id: 'a' })
    actor.tell('one')
    actor.tell('two')
    assert.deepEqual(await actor.exited, { type: 'stopped' })
    assert.deepEqual(log, ['start', { type: 'stopped' }])
  })

  it('ends as whoever stopped it first said', async () => {
    const actor = spawn(noting([]), { id: 'a' })
    actor.stop('shutdown')
    actor.stop()
    assert.deepEqual(await actor.exited, { type: 'shutdown' })
  })

  it('is interrupted when it is stopped in the middle of something, and only then', async () => {
    const log: unknown[] = []
    const hang = new Hang()
    const interrupt = () => {
      log.push('interrupt')
      hang.open()
    }
    const idle = spawn(noting(log, { interrupt }), { id: 'idle' })
    await idle.started
    idle.stop()
    await idle.exited
    const busy = spawn(noting(log, { interrupt, receive: hang.enter }), { id: 'busy' })
    busy.tell('one')
    await hang.entered
    busy.stop()
    assert.deepEqual(await busy.exited, { type: 'stopped' })
    assert.deepEqual(log, ['start', { type: 'stopped' }, 'start', 'interrupt', { type: 'stopped' }])
  })

  it('is interrupted when it stops itself and then waits', async () => {
    const hang = new Hang()
    const behavior = noting([], {
      interrupt: hang.open,
      receive() {
        actor.stop()
        return hang.enter()
      },
    })
    const actor: Child<string> = spawn(behavior, { id: 'a' })
    actor.tell('one')
    assert.deepEqual(await actor.exited, { type: 'stopped' })
  })
})

describe('an actor that fails', () => {
  const boom = new Error('boom')

  for (const error of [boom, 'text', undefined, null]) {
    it(`ends as crashed with what it threw, ${String(error)} too`, async () => {
      const log: unknown[] = []
      const receive = (message: string) => {
        log.push(message)
        throw error
      }
      const actor = spawn(noting(log, { receive }), { id: 'a' })
      actor.tell('one')
      actor.tell('two')
      assert.deepEqual(await actor.exited, { type: 'crashed', error })
      assert.deepEqual(log, ['start', 'one', { type: 'crashed', error }])
      assert.equal(actor.tell('three'), 'closed')
    })
  }

  it('ends as crashed when a promise rejects', async () => {
    const actor = spawn(noting([], { receive: () => Promise.reject(boom) }), { id: 'a' })
    actor.tell('one')
    assert.deepEqual(await actor.exited, { type: 'crashed', error: boom })
  })

  it('settles started when its start fails, and does not stop what has not started', async () => {
    for (const start of [() => Promise.reject(boom), () => assert.fail(boom)]) {
      const log: unknown[] = []
      const actor = spawn(noting(log, { start }), { id: 'a' })
      await actor.started
      assert.deepEqual(await actor.exited, { type: 'crashed', error: boom })
      assert.deepEqual(log, [])
    }
  })

  it('ends as crashed when its stop fails', async () => {
    for (const stop of [() => Promise.reject(boom), () => assert.fail(boom)]) {
      const actor = spawn(noting([], { stop }), { id: 'a' })
      await actor.started
      actor.stop()
      assert.deepEqual(await actor.exited, { type: 'crashed', error: boom })
    }
  })

  it('keeps the first error when cleaning up after it fails too', async () => {
    const stop = () => assert.fail('second')
    const actor = spawn(noting([], { receive: () => assert.fail(boom), stop }), { id: 'a' })
    actor.tell('one')
    assert.deepEqual(await actor.exited, { type: 'crashed', error: boom })
  })

  it('ends as crashed when it fails while it is to stop', async () => {
    const hang = new Hang()
    const actor = spawn(noting([], { receive: hang.enter }), { id: 'a' })
    actor.tell('one')
    await hang.entered
    actor.stop()
    hang.fail(boom)
    assert.deepEqual(await actor.exited, { type: 'crashed', error: boom })
  })

  it('ends as crashed when its interrupt fails, after what was interrupted', async () => {
    const log: unknown[] = []
    const hang = new Hang()
    const interrupt = () => assert.fail(boom)
    const actor = spawn(noting(log, { receive: hang.enter, interrupt }), { id: 'a' })
    actor.tell('one')
    await hang.entered
    actor.stop()
    hang.open()
    assert.deepEqual(await actor.exited, { type: 'crashed', error: boom })
    assert.deepEqual(log, ['start', { type: 'crashed', error: boom }])
  })
})

describe('the deadline of an actor', () => {
  const boom = new Error('boom')

  /** Stops an actor that hangs, lets the time pass, and resolves to its end, or to undefined if it does not end. */
  async function endOf(behavior: Partial<Behavior<string>>, hang: Hang, passMs: number, stopDeadlineMs = 5_000) {
    const clock = new ManualClock()
    const actor = spawn(noting([], behavior), { id: 'a', clock, stopDeadlineMs })
    actor.tell('one')
    if (behavior.stop === undefined) await hang.entered
    else await actor.started
    actor.stop()
    await hang.entered
    clock.advance(passMs)
    return Promise.race([actor.exited, someTurns()])
  }

  it('abandons a callback that hangs, and says which', async () => {
    const ending = { type: 'stopped' } as const
    for (const during of ['start', 'receive', 'stop'] as const) {
      const hang = new Hang()
      assert.deepEqual(await endOf({ [during]: hang.enter }, hang, 5_000), { type: 'abandoned', during, ending })
    }
  })

  it('abandons nothing before it is over, and nothing ever if it is infinite', async () => {
    const hangs = [new Hang(), new Hang()] as const
    assert.equal(await endOf({ receive: hangs[0].enter }, hangs[0], 4_999), undefined)
    assert.equal(await endOf({ receive: hangs[1].enter }, hangs[1], 1e12, Number.POSITIVE_INFINITY), undefined)
  })

  it('is for what follows a crash too, and keeps the error', async () => {
    const hang = new Hang()
    const clock = new ManualClock()
    const behavior = noting([], { receive: () => assert.fail(boom), stop: hang.enter })
    const actor = spawn(behavior, { id: 'a', clock })
    actor.tell('one')
    await hang.entered
    clock.advance(5_000)
    const ending = { type: 'crashed', error: boom }
    assert.deepEqual(await actor.exited, { type: 'abandoned', during: 'stop', ending })
  })

  it('makes deaf to what was abandoned', async () => {
    for (const during of ['start', 'receive'] as const) {
      for (const settle of ['open', 'fail'] as const) {
        const log: unknown[] = []
        const hang = new Hang()
        const actor = spawn(noting(log, { [during]: hang.enter }), { id: 'a', stopDeadlineMs: 1 })
        actor.tell('one')
        await hang.entered
        actor.stop()
        assert.equal((await actor.exited).type, 'abandoned')
        hang[settle](boom)
        await someTurns()
        assert.deepEqual(log, during === 'start' ? [] : ['start'], 'no stop, and no unhandled rejection')
      }
    }
  })

  it('is not missed because the loop was blocked', async () => {
    const hang = new Hang()
    const receive = () => {
      void hang.enter()
      return turn()
    }
    const actor = spawn(noting([], { receive }), { id: 'a', stopDeadlineMs: 5 })
    actor.tell('one')
    await hang.entered
    actor.stop()
    for (const endsAt = performance.now() + 20; performance.now() < endsAt; );
    assert.deepEqual(await actor.exited, { type: 'stopped' })
  })
})

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

describe('starting and stopping over and over', () => {
  const slow: Behavior<never> = { start: turn, receive: () => {}, stop: turn }

  it('leaves nothing behind, for actors that are quick and for slow ones', async () => {
    await stressStartStop(() => spawn<never>({ receive: () => {} }, { id: 'quick' }))
    await stressStartStop(() => spawn(slow, { id: 'slow' }), { rounds: 20 })
  })

  it('is told from an actor that does not end', async () => {
    const deaf = { ...slow, stop: () => new Promise<void>(() => {}) }
    const make = () => spawn(deaf, { id: 'deaf', stopDeadlineMs: Number.POSITIVE_INFINITY })
    await assert.rejects(stressStartStop(make, { concurrent: 1, settleWithinMs: 50 }), /deaf, stopped .+, did not end/)
  })

  it('is told from an actor that leaves something alive', async (test) => {
    const timers: NodeJS.Timeout[] = []
    test.after(() => timers.forEach(clearInterval))
    const leaking = { ...slow, start: () => void timers.push(setInterval(() => {}, 1_000)) }
    const make = () => spawn(leaking, { id: 'leaking' })
    await assert.rejects(
      stressStartStop(make, { concurrent: 1, rounds: 5, settleWithinMs: 200 }),
      /alive after 200 ms and not before/,
    )
  })
})

describe('helpers of these tests', () => {
  it('notice a thread and a timer that stay alive', async (test) => {
    leakCheck(test)
    const before = resources()
    const worker = new Worker('setInterval(() => {}, 1_000)', { eval: true })
    const timer = setTimeout(() => {}, 10_000)
    await assert.rejects(assertNoLeak(before, 20), (error: assert.AssertionError) => {
      for (const kind of ['1 × Worker', '1 × Timeout']) assert.ok((error.actual as string[]).includes(kind))
      return true
    })
    clearTimeout(timer)
    await worker.terminate()
    await assertNoLeak(before)
  })

  it('wait for an event, or name the one that did not come', async (test) => {
    leakCheck(test)
    const emitter = new EventEmitter<{ 'job.done': (event: { readonly id: number }) => void }>()
    const second = nextEvent(emitter, 'job.done', { where: ({ id }) => id === 2 })
    emitter.emit('job.done', { id: 1 })
    emitter.emit('job.done', { id: 2 })
    assert.deepEqual(await second, { id: 2 })
    const third = nextEvent(emitter, 'job.done', { where: ({ id }) => id === 3, timeoutMs: 5 })
    emitter.emit('job.done', { id: 1 })
    await assert.rejects(third, { message: "no 'job.done' within 5 ms; 1 came that did not match" })
    assert.equal(emitter.listenerCount('job.done'), 0)
  })
})
