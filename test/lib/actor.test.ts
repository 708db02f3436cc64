import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { spawn, type Behavior, type Child } from '../../lib/actor.ts'
import { ManualClock } from '../../lib/manual-clock.ts'
import { Hang, noting, someTurns, until } from '../helpers/actors.ts'
import { stressStartStop } from '../helpers/stress-start-stop.ts'

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

describe('starting and stopping over and over', () => {
  const slow: Behavior<never> = { start: () => turn(), receive: () => {}, stop: () => turn() }

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
