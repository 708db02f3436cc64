import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Context } from '../../../../lib/context.ts'
import { ManualClock } from '../../../../lib/manual-clock.ts'
import { collectTasks } from '../../../../lib/collect-tasks.ts'
import { defineTask, taskManifest } from '../../../../lib/task.ts'
import { Catalog } from '../../../../runtime/catalog.ts'
import type { Ended, JobSource, PlaceListener } from '../../../../runtime/messages.ts'
import { Handlers } from '../../../../runtime/places/attempt/handlers.ts'
import { HandlerCalls } from '../../../../runtime/places/loop/handler-calls.ts'
import { ABORT_MS } from '../../../../runtime/places/grace.ts'
import { LoopLane } from '../../../../runtime/places/loop/loop-lane.ts'
import { claimOf, claimsOf, numbersOf } from '../../../helpers/claims.ts'

const START = 1_000_000
const SOFT_MS = 50
const HARD_MS = 80

interface Attempt {
  readonly context: Context
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/** Until what has ended by now is told, which is a turn later. */
async function turn(): Promise<void> {
  for (let turns = 0; turns < 2; turns++) await new Promise<void>((resolve) => void setImmediate(resolve))
}

/** A lane whose jobs run until the test ends them; `during` is called when one begins. */
function laneOf(
  concurrency: number,
  during: (number: number, context: Context) => unknown = () => undefined,
  note: (number: number) => void = () => {},
) {
  const clock = new ManualClock(START)
  const attempts: Attempt[] = []
  const work = defineTask({
    name: 'work',
    lane: 'network',
    softLimitMs: SOFT_MS,
    hardLimitMs: HARD_MS,
    run: (input: number, context) =>
      during(input, context) === 'sync'
        ? (null as never)
        : new Promise<null>((resolve, reject) => {
            attempts.push({ context, resolve: resolve as Attempt['resolve'], reject })
          }),
  })
  const catalog = new Catalog()
  catalog.add([taskManifest(work)])
  catalog.bind(0, 'work', 0)
  const told = {
    ended: [] as Ended[],
    rooms: 0,
    zombies: [] as number[],
    begun: [] as (readonly number[])[],
    enqueued: [] as number[],
    progressed: [] as string[],
  }
  const listener = {
    ended: (_place, ended) => void told.ended.push(...ended),
    room: () => void told.rooms++,
    progress: (_number, _task, value) => void told.progressed.push(value),
    recycled: () => {},
    resized: () => {},
    zombies: (_place, count) => void told.zombies.push(count),
  } satisfies Partial<PlaceListener> as unknown as PlaceListener
  const lane = new LoopLane(
    { name: 'network', kind: 'lane', index: 0, concurrency, handJobs: 10, handBytes: 1_000 },
    {
      clock,
      catalog,
      listener,
      children: {
        takeNumbers: () => 1,
        enqueue: async (_task, number) => {
          told.enqueued.push(number)
          return number
        },
      },
      calls: new HandlerCalls(),
      takeSlots: () => 1_000,
      handlers: new Handlers(collectTasks([{ url: 'file:tasks', exports: { work } }])),
      journal: 'test00',
      turn: undefined,
      starts: {
        begin(slot, number, claim) {
          note(number)
          told.begun.push([slot, number, claim])
        },
      },
    },
  )
  const hand = claimsOf(20).map((job) => ({ ...job, input: String(job.number) }))
  const source: JobSource = {
    get size() {
      return hand.length
    },
    take: () => hand.shift(),
  }
  return { clock, lane, attempts, told, hand, source, pull: () => lane.pull(source) }
}

const outcomes = (ended: readonly Ended[]) => ended.map(({ job, outcome }) => [job.number, outcome.type])
const codeOf = ({ outcome }: Ended) => (outcome.type === 'failed' ? outcome.error.code : outcome.type)

describe('a lane on the loop', () => {
  it('takes as many jobs as it has slots, and each of them starts at once', () => {
    const { lane, attempts, told, hand, pull } = laneOf(3)
    pull()
    assert.deepEqual([attempts.length, numbersOf(lane.claims()), hand.length], [3, [1, 2, 3], 17])
    assert.deepEqual(told.begun, [
      [0, 1, 1],
      [1, 2, 1],
      [2, 3, 1],
    ])
    assert.equal(lane.capacity.jobs, 13)
    pull()
    assert.equal(attempts.length, 3)
  })

  it('tells once a turn what has ended, with its times, and that there is room', async () => {
    const { clock, attempts, told, pull } = laneOf(3)
    pull()
    clock.advance(7)
    attempts[0]?.resolve(null)
    attempts[2]?.reject(new Error('no luck'))
    await turn()
    assert.deepEqual(outcomes(told.ended), [
      [1, 'succeeded'],
      [3, 'failed'],
    ])
    assert.deepEqual([told.ended[0]?.startedAt, told.ended[0]?.endedAt, told.rooms], [START, START + 7, 1])
  })

  it('counts what has ended as held until it is told', async () => {
    const { lane, attempts, told, pull } = laneOf(1)
    pull()
    attempts[0]?.resolve(null)
    for (let step = 0; step < 10 && told.ended.length === 0; step++) {
      assert.deepEqual(numbersOf(lane.claims()), [1], `not held after ${step} microtasks`)
      await Promise.resolve()
    }
    await turn()
    assert.deepEqual([outcomes(told.ended), lane.claims()], [[[1, 'succeeded']], []])
  })

  it('gives the loop back after 2 ms of starting jobs, and goes on in the next turn', async () => {
    const parts = laneOf(10, (number) => {
      if (number === 3) parts.clock.advance(3)
    })
    parts.pull()
    assert.equal(parts.attempts.length, 3 + 1, 'the job that was first late has begun')
    parts.pull()
    assert.equal(parts.attempts.length, 4, 'a hint does not start another round meanwhile')
    await turn()
    assert.equal(parts.attempts.length, 10)
  })

  it('runs a handler without a promise to its end, and needs a slot for no longer', async () => {
    const { attempts, told, hand, pull } = laneOf(1, () => 'sync')
    pull()
    await turn()
    assert.deepEqual([hand.length, told.ended.length, attempts.length], [0, 20, 0])
  })

  it('ends a job as failed whose start cannot be noted, and goes on with the next one', async () => {
    const full = (number: number) => assert.notEqual(number, 2, 'ENOSPC: no space left on device, write')
    const { attempts, told, pull } = laneOf(1, () => 'sync', full)
    pull()
    await turn()
    assert.deepEqual(outcomes(told.ended.slice(0, 3)), [
      [1, 'succeeded'],
      [2, 'failed'],
      [3, 'succeeded'],
    ])
    assert.deepEqual([told.ended.length, attempts.length], [20, 0])
  })

  it('aborts the attempt that somebody wants cancelled, and knows no other', async () => {
    const { lane, attempts, told, pull } = laneOf(2)
    pull()
    const signals = attempts.map(({ context }) => context.signal)
    assert.deepEqual([lane.cancel(2), lane.cancel(9)], ['aborted', 'absent'])
    assert.deepEqual(
      signals.map(({ aborted }) => aborted),
      [false, true],
    )
    attempts[1]?.reject(signals[1]?.reason)
    await turn()
    assert.deepEqual(outcomes(told.ended), [[2, 'cancelled']])
    assert.equal(lane.cancel(2), 'absent')
  })

  it('gives the attempt up that shall be terminated: its promise goes on, and another has its slot', async () => {
    const { lane, attempts, told, pull } = laneOf(1)
    pull()
    assert.equal(lane.cancel(1, 'terminate'), 'aborted')
    assert.equal(attempts[0]?.context.signal.aborted, true)
    await turn()
    pull()
    attempts[0]?.resolve('too late')
    await turn()
    assert.deepEqual([outcomes(told.ended), told.zombies, attempts.length], [[[1, 'cancelled']], [1, 0], 2])
  })
})

describe('the limits of a lane', () => {
  it('are kept by one timer, whoever is next', () => {
    const { clock, pull, hand } = laneOf(3)
    hand.splice(1)
    pull()
    assert.equal(clock.nextTimerAt, START + SOFT_MS)
    clock.advance(20)
    hand.push(claimOf({ number: 2 }), claimOf({ number: 3, extra: { overrides: '{"softLimitMs":5}' } }))
    pull()
    assert.equal(clock.nextTimerAt, START + 25, 'the shortest, which began last')
    clock.advance(5)
    assert.equal(clock.nextTimerAt, START + SOFT_MS)
    clock.advance(SOFT_MS - 25)
    assert.equal(clock.nextTimerAt, START + 20 + SOFT_MS)
  })

  it('abort at the soft one, and the attempt may still end by itself', async () => {
    const { clock, attempts, told, pull } = laneOf(1)
    pull()
    const { signal } = (attempts[0] as Attempt).context
    clock.advance(SOFT_MS - 1)
    assert.equal(signal.aborted, false)
    clock.advance(1)
    assert.deepEqual([signal.aborted, (signal.reason as { code: string }).code], [true, 'MILLRACE_SOFT_LIMIT'])
    attempts[0]?.resolve('in time')
    await turn()
    assert.deepEqual(outcomes(told.ended), [[1, 'succeeded']])
  })

  it('give an attempt up at the hard one: another takes its slot, and it commits nothing later', async () => {
    const { clock, lane, attempts, told, pull } = laneOf(1)
    pull()
    clock.advance(HARD_MS)
    assert.deepEqual([numbersOf(lane.claims()), told.zombies], [[1], [1]], 'held until it is told')
    await turn()
    assert.deepEqual([told.ended.map(codeOf), lane.claims()], [['MILLRACE_HARD_LIMIT'], []])
    pull()
    assert.deepEqual(
      told.begun.map(([slot]) => slot),
      [0, 0],
    )
    attempts[0]?.resolve('too late')
    await turn()
    assert.deepEqual([told.ended.length, numbersOf(lane.claims())], [1, [2]])
  })

  it('give the slot of each attempt that was given up to another, however many they are', async () => {
    const { clock, lane, attempts, told, hand, pull } = laneOf(1)
    for (let given = 0; given < 5; given++) {
      pull()
      clock.advance(HARD_MS)
    }
    await turn()
    assert.deepEqual([attempts.length, told.zombies, told.ended.length], [5, [1, 2, 3, 4, 5], 5])
    attempts[0]?.resolve(null)
    await turn()
    assert.equal(told.zombies.at(-1), 4, 'told as well when one of them ends')
    const { zombies, threads } = await lane.report()
    assert.deepEqual([zombies, threads[0]?.running, hand.length, told.ended.length], [4, 0, 15, 5])
  })

  it('let an attempt that was given up enqueue nothing and tell nothing', async () => {
    const { clock, attempts, told, pull } = laneOf(1)
    pull()
    const { context } = attempts[0] as Attempt
    const work = defineTask<number, null>({ name: 'work' })
    clock.advance(HARD_MS)
    for (const options of [{ now: true as const }, {}]) {
      await assert.rejects(context.enqueue(work, 1, options), { code: 'MILLRACE_WRONG_STATE', message: /given up/ })
    }
    context.progress(0.5)
    assert.deepEqual([told.enqueued, told.progressed], [[], []])
  })

  it('are told at a checkpoint to a handler that holds the loop, so that no timer can tell it', () => {
    const seen: unknown[] = []
    const parts = laneOf(1, (_number, context) => {
      for (const ms of [SOFT_MS - 1, 1]) {
        parts.clock.advance(ms)
        seen.push(context.signal.aborted)
      }
      assert.throws(() => context.checkpoint(), { code: 'MILLRACE_SOFT_LIMIT' })
      return 'sync'
    })
    parts.hand.splice(1)
    parts.pull()
    assert.deepEqual(seen, [false, true])
  })
})

describe('a lane that is resized', () => {
  it('has no more slots and no fewer than jobs at once, also with attempts that were given up', async () => {
    const { clock, lane, attempts, told, pull } = laneOf(2)
    for (let round = 0; round < 2; round++) {
      pull()
      clock.advance(HARD_MS)
    }
    await turn()
    for (const concurrency of [2, 1, 3]) {
      assert.equal(lane.resize({ type: 'concurrency', concurrency }), 'resized')
      const before = attempts.length
      pull()
      assert.equal(attempts.length - before, concurrency, `of ${concurrency}`)
      for (const { resolve } of attempts) resolve(null)
      await turn()
    }
    assert.deepEqual(
      [...new Set(told.begun.map(([slot]) => slot))].sort((a = 0, b = 0) => a - b),
      [0, 1, 1_000],
    )
  })
})

describe('a lane that stops', () => {
  /** Lets the time of the lane pass until it has stopped; says how long that took. */
  async function stopped({ clock, lane }: ReturnType<typeof laneOf>, graceMs: number, each = () => {}) {
    const begunAt = clock.now()
    let over = false
    const stopping = lane.stop(graceMs).then((stuck) => {
      over = true
      return stuck
    })
    for (;;) {
      await turn()
      if (over) return { stuck: await stopping, tookMs: clock.now() - begunAt }
      clock.advance(1)
      each()
    }
  }

  it('starts nothing more, and lets what runs end within the grace', async () => {
    const parts = laneOf(2)
    parts.pull()
    const { tookMs, stuck } = await stopped(parts, 1_000, () => {
      if (parts.clock.now() === START + 30) for (const { resolve } of parts.attempts) resolve(null)
      parts.pull()
    })
    assert.deepEqual(
      [stuck, outcomes(parts.told.ended)],
      [
        [],
        [
          [1, 'succeeded'],
          [2, 'succeeded'],
        ],
      ],
    )
    assert.ok(tookMs >= 30 && tookMs <= 40, `took ${tookMs} ms`)
    assert.deepEqual([parts.attempts.length, parts.told.rooms, parts.clock.nextTimerAt], [2, 0, undefined])
  })

  it('asks what outlasts the grace to end, and that comes back uncharged', async () => {
    const parts = laneOf(1)
    parts.pull()
    const { signal } = (parts.attempts[0] as Attempt).context
    const { tookMs } = await stopped(parts, 20, () => {
      if (signal.aborted) parts.attempts[0]?.reject(signal.reason)
    })
    assert.deepEqual(outcomes(parts.told.ended), [[1, 'interrupted']])
    assert.ok(tookMs >= 20 && tookMs <= 35, `took ${tookMs} ms`)
  })

  it('gives back uncharged what is deaf to that, a moment later', async () => {
    const parts = laneOf(1)
    parts.hand[0] = claimOf({ number: 1, extra: { overrides: '{"softLimitMs":9000,"hardLimitMs":9000}' } })
    parts.pull()
    const { tookMs, stuck } = await stopped(parts, 20)
    assert.deepEqual([outcomes(parts.told.ended), stuck], [[[1, 'interrupted']], []])
    assert.ok(tookMs >= 20 + ABORT_MS && tookMs <= 35 + ABORT_MS, `took ${tookMs} ms`)
    parts.attempts[0]?.resolve('too late')
    await turn()
    assert.equal(parts.told.ended.length, 1)
  })

  it('does not wait for what was given up before', async () => {
    const parts = laneOf(1)
    parts.pull()
    parts.clock.advance(HARD_MS)
    await turn()
    const { tookMs } = await stopped(parts, 1_000)
    assert.deepEqual([parts.told.ended.map(codeOf), tookMs], [['MILLRACE_HARD_LIMIT'], 0])
  })
})
