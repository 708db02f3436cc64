import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import type { Parent } from '../../lib/actor.ts'
import { ManualClock } from '../../lib/manual-clock.ts'
import {
  addRestart,
  affected,
  supervise,
  type ChildSpec,
  type SuperviseOptions,
  type SupervisionEvent,
  type Supervisor,
} from '../../lib/supervision.ts'
import { becomes, boom, Family, stop, strategies } from '../helpers/family.ts'
import { leakCheck } from '../helpers/leak-check.ts'
import { stressStartStop } from '../helpers/stress-start-stop.ts'

describe('addRestart', () => {
  it('counts the restarts of the window, and says when there is one too many', () => {
    const limit = { restarts: 2, withinMs: 100 }
    assert.deepEqual(addRestart([], 0, limit), [0])
    assert.deepEqual(addRestart([0], 99, limit), [0, 99])
    assert.equal(addRestart([0, 50], 99, limit), undefined)
    assert.deepEqual(addRestart([0, 50], 100, limit), [50, 100])
    assert.equal(addRestart([], 0, { restarts: 0, withinMs: 100 }), undefined)
  })

  it('never lets more happen within any window, and never refuses less', () => {
    const gaps = fc.array(fc.nat(50), { maxLength: 50 })
    fc.assert(
      fc.property(gaps, fc.nat(5), fc.integer({ min: 1, max: 100 }), (gapsMs, restarts, withinMs) => {
        let times: readonly number[] = []
        const all: number[] = []
        let now = 0
        for (const gapMs of gapsMs) {
          now += gapMs
          const recent = all.filter((at) => at > now - withinMs).length
          const next = addRestart(times, now, { restarts, withinMs })
          assert.equal(next === undefined, recent + 1 > restarts)
          if (next === undefined) return
          times = next
          all.push(now)
        }
      }),
    )
  })
})

describe('affected', () => {
  const ids = ['a', 'b', 'c']

  it('is the one, the one and those after it, or all', () => {
    assert.deepEqual(
      strategies.map((strategy) => affected(strategy, ids, 'b')),
      [['b'], ['b', 'c'], ['a', 'b', 'c']],
    )
  })

  it('is nobody if the one is none of them', () => {
    for (const strategy of strategies) assert.deepEqual(affected(strategy, ids, 'd'), [])
  })
})

const options: SuperviseOptions = { id: 'supervisor', strategy: 'one-for-one', restarts: 3, withinMs: 5_000 }

describe('a supervisor', () => {
  it('starts its children one after another and stops them in reverse', async () => {
    const family = new Family()
    const supervisor = supervise(family.specs(['a', 'b', 'c']), options)
    await supervisor.started
    assert.deepEqual(family.news(), ['a starts', 'a started', 'b starts', 'b started', 'c starts', 'c started'])
    assert.deepEqual([...supervisor.children()], [...family.children])
    assert.deepEqual(await stop(supervisor), { type: 'stopped' })
    assert.deepEqual(family.news(), ['c shutdown', 'b shutdown', 'a shutdown'])
    assert.equal(supervisor.children().size, 0)
  })

  for (const [strategy, expected] of [
    ['one-for-one', ['b crashed', 'b starts', 'b started']],
    ['rest-for-one', ['b crashed', 'c shutdown', 'b starts', 'b started', 'c starts', 'c started']],
    [
      'one-for-all',
      ['b crashed', 'c shutdown', 'a shutdown']
        .concat(['a starts', 'a started', 'b starts', 'b started'])
        .concat(['c starts', 'c started']),
    ],
  ] as const) {
    it(`starts anew whom ${strategy} says, in order`, async () => {
      const family = new Family()
      const supervisor = supervise(family.specs(['a', 'b', 'c']), { ...options, strategy })
      await supervisor.started
      family.news()
      const before = supervisor.children()
      family.crash('b')
      await becomes(() => family.log, [...expected])
      const after = supervisor.children()
      assert.equal(before.get('a') === after.get('a'), strategy !== 'one-for-all')
      assert.notEqual(before.get('b'), after.get('b'))
      await stop(supervisor)
    })
  }

  it('starts the permanent always anew, the transient after a crash, the temporary never', async () => {
    for (const end of ['crash', 'stop'] as const) {
      const family = new Family()
      const specs = (['permanent', 'transient', 'temporary'] as const).map((restart) => family.spec(restart, restart))
      const supervisor = supervise(specs, options)
      await supervisor.started
      const before = new Map(family.children)
      for (const [id, child] of before) {
        if (end === 'crash') family.crash(id)
        else child.stop()
      }
      const alive = end === 'crash' ? ['permanent', 'transient'] : ['permanent']
      await becomes(() => [...supervisor.children().keys()].sort(), alive)
      for (const id of alive) assert.notEqual(supervisor.children().get(id), before.get(id))
      await stop(supervisor)
    }
  })

  it('ends with the last error when its children end too often, and stops the others', async () => {
    const family = new Family()
    const events: SupervisionEvent[] = []
    const supervisor = supervise(family.specs(['a', 'b', 'c']), {
      ...options,
      restarts: 1,
      onEvent: (event) => events.push(event),
    })
    await supervisor.started
    family.crash('b')
    await becomes(() => family.log.at(-1), 'b started')
    family.news()
    family.crash('b')
    assert.deepEqual(await supervisor.exited, { type: 'crashed', error: boom })
    assert.deepEqual(family.news(), ['b crashed', 'c shutdown', 'a shutdown'])
    const crashed = { type: 'crashed', error: boom }
    const shutdown = { type: 'shutdown' }
    assert.deepEqual(
      events.map(({ supervisor: of, ...event }) => (assert.equal(of, 'supervisor'), event)),
      [
        { type: 'child-started', child: 'a' },
        { type: 'child-started', child: 'b' },
        { type: 'child-started', child: 'c' },
        { type: 'child-exited', child: 'b', reason: crashed },
        { type: 'child-restarted', child: 'b' },
        { type: 'child-exited', child: 'b', reason: crashed },
        { type: 'gave-up', child: 'b', reason: crashed },
        { type: 'child-exited', child: 'c', reason: shutdown },
        { type: 'child-exited', child: 'a', reason: shutdown },
      ],
    )
  })

  it('says which child it gave up for if that child did not crash', async () => {
    const family = new Family()
    const supervisor = supervise(family.specs(['a']), { ...options, restarts: 0 })
    await supervisor.started
    family.children.get('a')?.stop()
    const reason = await supervisor.exited
    assert.ok(reason.type === 'crashed' && reason.error instanceof Error)
    assert.match(reason.error.message, /supervisor gave up: a ended as stopped; .* 0 restarts within 5000 ms/)
  })

  it('forgets restarts that are longer ago than its window', async () => {
    const family = new Family()
    const clock = new ManualClock()
    const supervisor = supervise(family.specs(['a']), { ...options, restarts: 1, withinMs: 100, clock })
    await supervisor.started
    for (let time = 0; time < 5; time++) {
      family.news()
      family.crash('a')
      await becomes(() => family.log, ['a crashed', 'a starts', 'a started'])
      clock.advance(100)
    }
    await stop(supervisor)
  })

  it('takes no notice of an incarnation that ends after its successor has started', async () => {
    const family = new Family()
    const clock = new ManualClock()
    let letGo: (error: unknown) => void = () => {}
    const gone = new Promise<void>((_, reject) => {
      letGo = reject
    })
    const specs = [family.spec('a'), { ...family.spec('b', 'permanent', { stop: () => gone }), stopDeadlineMs: 50 }]
    const supervisor = supervise(specs, { ...options, strategy: 'rest-for-one', clock })
    await supervisor.started
    const first = supervisor.children().get('b')
    family.crash('a')
    await becomes(() => clock.nextTimerAt, 50)
    clock.advance(50)
    await becomes(() => family.log.filter((line) => line === 'b started').length, 2)
    const second = supervisor.children().get('b')
    letGo(boom)
    assert.deepEqual(await first?.exited, { type: 'crashed', error: boom })
    await becomes(() => family.log.filter((line) => line === 'b started').length, 2)
    assert.ok(second !== undefined && second !== first)
    assert.equal(supervisor.children().get('b'), second)
    await stop(supervisor)
  })

  it('refuses two children of one id', () => {
    assert.throws(() => supervise(new Family().specs(['a', 'b', 'a']), options), /two children named a/)
  })

  it('survives what a listener of its events throws, which is not lost', async (test) => {
    leakCheck(test)
    const url = (path: string) => JSON.stringify(new URL(path, import.meta.url).href)
    const code = `
      const { parentPort } = require('node:worker_threads')
      process.on('uncaughtException', (error) => parentPort.postMessage(error.message))
      Promise.all([import(${url('../../lib/supervision.js')}), import(${url('../../lib/actor.js')})]).then(
        async ([{ supervise }, { spawn }]) => {
          const spec = { id: 'a', restart: 'permanent', start: () => spawn({ receive() {} }, { id: 'a' }) }
          const supervisor = supervise([spec], {
            id: 's', strategy: 'one-for-one', restarts: 0, withinMs: 1,
            onEvent: ({ type }) => { throw new Error(type) },
          })
          await supervisor.started
          supervisor.stop()
          parentPort.postMessage(await supervisor.exited)
        })`
    const worker = new Worker(code, { eval: true })
    const messages: unknown[] = []
    worker.on('message', (message) => messages.push(message))
    await new Promise((resolve) => worker.once('exit', resolve))
    assert.deepEqual(messages, ['child-started', 'child-exited', { type: 'stopped' }])
  })
})

describe('a start that fails', () => {
  /** Fails so many times and then starts. */
  function failing(family: Family, id: string, times: number, how: 'throws' | 'rejects'): ChildSpec {
    let starts = 0
    const well = family.spec(id)
    const ill = family.spec(id, 'permanent', { start: () => Promise.reject(boom) })
    return {
      ...well,
      start(supervisor) {
        if (starts++ >= times) return well.start(supervisor)
        if (how === 'throws') throw boom
        return ill.start(supervisor)
      },
    }
  }

  for (const how of ['throws', 'rejects'] as const) {
    it(`counts as a crash when it ${how}, and those that come after it are started all the same`, async () => {
      for (const strategy of strategies) {
        const family = new Family()
        const specs = [family.spec('a'), failing(family, 'b', 3, how), family.spec('c')]
        const supervisor = supervise(specs, { ...options, strategy })
        await supervisor.started
        assert.deepEqual([...supervisor.children().keys()], ['a', 'b', 'c'])
        assert.equal(family.news().at(-1), 'c started')
        await stop(supervisor)
      }
    })

    it(`ends the supervisor when it ${how} too often, and stops what has started`, async () => {
      const family = new Family()
      const specs = [family.spec('a'), failing(family, 'b', 4, how), family.spec('c')]
      const supervisor = supervise(specs, options)
      await supervisor.started
      assert.deepEqual(await supervisor.exited, { type: 'crashed', error: boom })
      assert.deepEqual(family.news(), ['a starts', 'a started', 'a shutdown'])
    })
  }
})

describe('a supervisor that is stopped', () => {
  const never = () => new Promise<void>(() => {})

  it('stops a child that hangs in its start, and does not wait for that start', async () => {
    for (const moment of ['at first', 'anew'] as const) {
      const family = new Family()
      let starts = 0
      let hangs = 0
      const hanging: ChildSpec = {
        id: 'b',
        restart: 'permanent',
        start(supervisor) {
          if (moment === 'anew' && starts++ === 0) return family.spec('b').start(supervisor)
          let interrupt = () => {}
          const start = () => {
            hangs++
            return new Promise<void>((resolve) => {
              interrupt = resolve
            })
          }
          return family.spec('b', 'permanent', { start, interrupt: () => interrupt() }).start(supervisor)
        },
      }
      const supervisor = supervise([family.spec('a'), hanging, family.spec('c')], options)
      if (moment === 'anew') {
        await supervisor.started
        family.crash('b')
      }
      await becomes(() => hangs, 1)
      supervisor.stop()
      assert.deepEqual(await supervisor.exited, { type: 'stopped' })
      assert.equal(family.log.at(-1), 'a shutdown')
      assert.equal(supervisor.children().size, 0)
    }
  })

  it('waits for each child no longer than its deadline, and goes on with the others', async () => {
    const family = new Family()
    const clock = new ManualClock()
    const events: SupervisionEvent[] = []
    const specs = [family.spec('a'), { ...family.spec('b', 'permanent', { stop: never }), stopDeadlineMs: 50 }]
    const supervisor = supervise(specs, { ...options, clock, onEvent: (event) => events.push(event) })
    await supervisor.started
    supervisor.stop()
    await becomes(() => clock.nextTimerAt, 50)
    clock.advance(49)
    await becomes(() => family.log.includes('a shutdown'), false)
    clock.advance(1)
    assert.deepEqual(await supervisor.exited, { type: 'stopped' })
    assert.ok(family.log.includes('a shutdown'))
    const reason = { type: 'abandoned', during: 'stop', ending: { type: 'shutdown' } } as const
    assert.deepEqual(events.at(-2), { supervisor: 'supervisor', child: 'b', type: 'child-exited', reason })
  })

  it('has a deadline of its own if it is given one', async () => {
    const family = new Family()
    const clock = new ManualClock()
    const specs = [family.spec('a', 'permanent', { stop: () => (family.log.push('a hangs'), never()) })]
    const supervisor = supervise(specs, { ...options, clock, stopDeadlineMs: 10 })
    await supervisor.started
    supervisor.stop()
    await becomes(() => family.log.at(-1), 'a hangs')
    clock.advance(10)
    assert.deepEqual(await supervisor.exited, { type: 'abandoned', during: 'stop', ending: { type: 'stopped' } })
  })
})

describe('a tree of supervisors', () => {
  it('starts a subtree anew that gave up, and stops the whole from the leaves', async () => {
    const family = new Family()
    const inner = (parent: Parent): Supervisor =>
      supervise(family.specs(['x', 'y']), { ...options, id: 'inner', restarts: 0, parent })
    const specs: ChildSpec[] = [family.spec('a'), { id: 'inner', restart: 'permanent', start: inner }, family.spec('z')]
    const outer = supervise(specs, { ...options, strategy: 'rest-for-one' })
    await outer.started
    family.news()
    family.crash('x')
    await becomes(
      () => family.log,
      ['x crashed', 'y shutdown', 'z shutdown']
        .concat(['x starts', 'x started', 'y starts', 'y started'])
        .concat(['z starts', 'z started']),
    )
    family.news()
    assert.deepEqual(await stop(outer), { type: 'stopped' })
    assert.deepEqual(family.news(), ['z shutdown', 'y shutdown', 'x shutdown', 'a shutdown'])
  })
})

describe('supervision', () => {
  it('can be started and stopped over and over', async () => {
    await stressStartStop(() => supervise(new Family().specs(['a', 'b', 'c']), options), { rounds: 20 })
    const nested = (): Supervisor => supervise(new Family().specs(['x', 'y']), { ...options, id: 'inner' })
    const spec: ChildSpec = { id: 'inner', restart: 'permanent', start: nested }
    await stressStartStop(() => supervise([spec], options), { rounds: 10 })
  })

  it('can be stopped while its children crash', async () => {
    const make = () => {
      const family = new Family()
      const supervisor = supervise(family.specs(['a', 'b', 'c']), {
        ...options,
        strategy: 'one-for-all',
        restarts: 1e6,
      })
      const crashes = setInterval(() => {
        for (const child of family.children.values()) child.tell('crash')
      }, 1)
      void supervisor.exited.then(() => clearInterval(crashes))
      return supervisor
    }
    await stressStartStop(make, { rounds: 20 })
  })
})
