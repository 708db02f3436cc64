import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { describe, it, mock } from 'node:test'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { systemClock } from '../../lib/clock.ts'
import { ManualClock } from '../../lib/manual-clock.ts'

const clockUrl = JSON.stringify(new URL('../../lib/clock.js', import.meta.url).href)

function fired(delayMs: number): Promise<void> {
  return new Promise((resolve) => systemClock.setTimer(delayMs, resolve))
}

describe('the clock of the machine', () => {
  it('fires a timer not earlier than its delay, fractions included', async () => {
    await Promise.all(
      Array.from({ length: 50 }, async (_, at) => {
        const delayMs = at / 4
        const setAt = systemClock.monotonicMs()
        await fired(delayMs)
        const afterMs = systemClock.monotonicMs() - setAt
        assert.ok(afterMs >= delayMs, `${delayMs} ms fired after ${afterMs} ms`)
      }),
    )
  })

  it('never asks Node for a time that is over, of which late lines warn on stderr', async (test) => {
    const set = test.mock.method(globalThis, 'setTimeout')
    await fired(-5)
    await new Promise<void>((resolve) => systemClock.setAlarm(Date.now() - 60_000, resolve))
    const delays = set.mock.calls.map(({ arguments: [, delayMs] }) => delayMs)
    assert.deepEqual(delays, [0, 0])
  })

  it('does not fire a cancelled timer', async () => {
    let fires = 0
    systemClock.setTimer(1, () => fires++).cancel()
    await fired(5)
    assert.equal(fires, 0)
  })

  it('waits for the whole of a delay that is longer than Node can set', (test) => {
    const days = 24 * 60 * 60 * 1_000
    let at = 0
    test.mock.method(process, 'hrtime', () => [Math.floor(at / 1_000), (at % 1_000) * 1e6])
    mock.timers.enable({ apis: ['setTimeout'] })
    test.after(() => mock.timers.reset())
    const pass = (ms: number) => {
      at += ms
      mock.timers.tick(ms)
    }
    let fires = 0
    systemClock.setTimer(60 * days, () => fires++)
    for (let day = 0; day < 59; day++) pass(days)
    pass(days - 1)
    assert.equal(fires, 0)
    pass(1)
    assert.equal(fires, 1)
    pass(60 * days)
    assert.equal(fires, 1)
  })

  it('does not fire a very long timer at once, as Node would', async (test) => {
    let overflows = 0
    const warned = ({ name }: Error) => {
      if (name === 'TimeoutOverflowWarning') overflows++
    }
    process.on('warning', warned)
    test.after(() => process.off('warning', warned))
    let fires = 0
    let nodeFires = 0
    const timer = systemClock.setTimer(2 ** 31, () => fires++)
    const forEver = systemClock.setTimer(Number.POSITIVE_INFINITY, () => fires++)
    setTimeout(() => nodeFires++, 2 ** 31)
    await fired(10)
    timer.cancel()
    forEver.cancel()
    assert.equal(fires, 0)
    assert.equal(nodeFires, 1, 'the control')
    assert.equal(overflows, 1, 'the control overflows, the clock does not')
  })

  it('lets the process end before a timer that holds nothing', async () => {
    const outputOf = async (lines: string) => {
      const code = `const { systemClock } = await import(${clockUrl})
        const { hrtime } = process
        const timer = systemClock.setTimer(100, () => process.stdout.write('fired'))
        ${lines}`
      const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code])
      return stdout
    }
    // By such a clock the timer is early time and again, and has to wait for what is left.
    const slowClock = 'const [s0, n0] = hrtime(); process.hrtime = () => [s0, n0 + Number(hrtime([s0, n0])[1]) / 10]'
    const outputs = await Promise.all([
      outputOf(''),
      outputOf('timer.unref()'),
      outputOf(slowClock),
      outputOf(`${slowClock}; timer.unref(); setTimeout(() => {}, 300)`),
    ])
    assert.deepEqual(outputs, ['fired', '', 'fired', ''])
  })

  it('has one origin of monotonic time in all threads', async () => {
    const code = `import(${clockUrl}).then(({ systemClock }) =>
      require('node:worker_threads').parentPort.postMessage(systemClock.monotonicMs()))`
    const before = systemClock.monotonicMs()
    const worker = new Worker(code, { eval: true })
    const there = await new Promise<number>((resolve, reject) => worker.once('message', resolve).once('error', reject))
    const after = systemClock.monotonicMs()
    assert.ok(before < there && there < after, `${before} < ${there} < ${after}`)
  })

  it('tells instants in epoch milliseconds', () => {
    const before = Date.now()
    const now = systemClock.now()
    assert.ok(before <= now && now <= Date.now())
  })
})

interface Plan {
  readonly delayMs: number
  readonly next: readonly Plan[]
}

const { plans } = fc.letrec<{ plan: Plan; plans: readonly Plan[] }>((tie) => ({
  plan: fc.record({ delayMs: fc.nat(20), next: tie('plans') }),
  plans: fc.oneof({ maxDepth: 4 }, fc.constant([]), fc.array(tie('plan'), { maxLength: 5 })),
}))

/** Sets the timers of the plans, and those that follow when they fire; what it returns fills up as they do. */
function set(clock: ManualClock, planned: readonly Plan[]): number[][] {
  const log: number[][] = []
  let timers = 0
  const setAll = (each: readonly Plan[]) => {
    for (const { delayMs, next } of each) {
      const timer = timers++
      const dueAt = clock.now() + delayMs
      clock.setTimer(delayMs, () => {
        log.push([clock.now(), dueAt, timer])
        setAll(next)
      })
    }
  }
  setAll(planned)
  return log
}

function countOf(planned: readonly Plan[]): number {
  return planned.reduce((sum, { next }) => sum + 1 + countOf(next), 0)
}

describe('a manual clock', () => {
  it('stands still until it is advanced', () => {
    const clock = new ManualClock(1_000)
    assert.deepEqual([clock.now(), clock.monotonicMs()], [1_000, 0])
    clock.advance(250)
    assert.deepEqual([clock.now(), clock.monotonicMs()], [1_250, 250])
  })

  it('fires every timer at its own instant and in order, those set meanwhile included', () => {
    fc.assert(
      fc.property(plans, (planned) => {
        const clock = new ManualClock()
        const log = set(clock, planned)
        clock.advance(1_000)
        assert.equal(log.length, countOf(planned))
        for (const [now, dueAt] of log) assert.equal(now, dueAt)
        const inOrder = [...log].sort(([a = 0, , first = 0], [b = 0, , second = 0]) => a - b || first - second)
        assert.deepEqual(log, inOrder)
      }),
    )
  })

  it('fires the same whether it is advanced in one step or in several', () => {
    fc.assert(
      fc.property(plans, fc.array(fc.nat(30), { minLength: 1 }), (planned, steps) => {
        const inSteps = new ManualClock()
        const atOnce = new ManualClock()
        const logs = [set(inSteps, planned), set(atOnce, planned)]
        for (const ms of steps) inSteps.advance(ms)
        atOnce.advance(steps.reduce((sum, ms) => sum + ms, 0))
        assert.deepEqual(logs[0], logs[1])
        assert.deepEqual([inSteps.now(), inSteps.nextTimerAt], [atOnce.now(), atOnce.nextTimerAt])
      }),
    )
  })

  it('knows when its next timer is due', () => {
    const clock = new ManualClock(100)
    assert.equal(clock.nextTimerAt, undefined)
    clock.setTimer(20, () => {})
    const timer = clock.setTimer(10, () => {})
    assert.equal(clock.nextTimerAt, 110)
    timer.cancel()
    assert.equal(clock.nextTimerAt, 120)
  })

  it('does not fire a timer that another one cancels at the same instant', () => {
    const clock = new ManualClock()
    let fires = 0
    clock.setTimer(1, () => second.cancel())
    const second = clock.setTimer(1, () => fires++)
    clock.advance(1)
    assert.equal(fires, 0)
  })

  it('never runs backwards when a callback advances it', () => {
    const clock = new ManualClock()
    const seen: number[] = []
    clock.setTimer(1, () => clock.advance(10))
    clock.setTimer(5, () => seen.push(clock.now()))
    clock.advance(2)
    assert.deepEqual(seen, [5])
    assert.equal(clock.now(), 11)
  })

  it('refuses to go back', () => {
    const clock = new ManualClock()
    for (const ms of [-1, Number.NaN]) assert.throws(() => clock.advance(ms), { code: 'MILLRACE_INVALID_OPTION' })
    assert.equal(clock.now(), 0)
  })

  it('goes on after a callback that threw', () => {
    const clock = new ManualClock()
    let fires = 0
    clock.setTimer(1, () => {
      throw new Error('boom')
    })
    clock.setTimer(2, () => fires++)
    assert.throws(() => clock.advance(5), /boom/)
    assert.deepEqual([clock.now(), fires], [1, 0])
    clock.advance(4)
    assert.deepEqual([clock.now(), fires], [5, 1])
  })

  it('calls back real immediates without being advanced', async () => {
    await new Promise<void>((resolve) => new ManualClock().setImmediate(resolve))
  })
})
