import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { createRuntime, type Runtime, type RuntimeOptions } from '../../runtime/index.ts'
import { pinned, quick, sized } from '../fixtures/sized-tasks.ts'
import { nextEvent } from '../helpers/next-event.ts'
import { scratchFolder } from '../helpers/scratch.ts'

interface Test {
  after(clean: () => unknown): unknown
}

/** Small numbers, so that a test need not wait for what a day would bring. */
const promotion = {
  ladder: [{ tier: 'fast', budgetMs: 60 }, { tier: 'default' }],
  minRuns: 20,
  coolDownMs: 30_000,
} as const

async function start(test: Test, file: string, options: Partial<RuntimeOptions> = {}): Promise<Runtime> {
  const runtime = await createRuntime({
    tasks: new URL('../fixtures/sized-tasks.js', import.meta.url),
    journal: { file },
    tiers: { fast: { threads: 1 }, default: { threads: 1 } },
    promotion,
    ...options,
  })
  test.after(() => runtime.stop({ graceMs: 0 }))
  return runtime
}

const journal = () => join(scratchFolder(), 'jobs.db')

async function run(runtime: Runtime, times: number, ms = 0): Promise<void> {
  const jobs = await Promise.all(Array.from({ length: times }, () => runtime.enqueue(sized, { ms })))
  await Promise.all(jobs.map((job) => job.result()))
}

async function placeOf(runtime: Runtime, task: string): Promise<string | undefined> {
  return (await runtime.tasks()).find((each) => each.task === task)?.place
}

describe('a task that names no tier', () => {
  it('begins in default, and is promoted when its jobs were fast often enough', async (test) => {
    const runtime = await start(test, journal())
    const moved = nextEvent(runtime, 'task.moved')
    await run(runtime, 10)
    assert.equal(await placeOf(runtime, 'sized'), 'default')
    await run(runtime, 40)
    const { task, from, to, evidence } = await moved
    assert.deepEqual([task, from, to, evidence.reason, evidence.budgetMs], ['sized', 'default', 'fast', 'fits', 60])
    assert.ok(evidence.runs >= 20 && (evidence.p95Ms as number) < 48)
    const here = await (await runtime.enqueue(sized, { ms: 0 })).result()
    const fast = await (await runtime.enqueue(quick, null)).result()
    assert.deepEqual(here, fast, 'it runs on the thread of the tier fast')
    assert.equal(await placeOf(runtime, 'sized'), 'fast')
  })

  it('is demoted by one run that goes on for far too long, while that runs on', async (test) => {
    const runtime = await start(test, journal())
    const promoted = nextEvent(runtime, 'task.moved')
    await run(runtime, 60)
    await promoted
    const demoted = nextEvent(runtime, 'task.moved')
    const long = await runtime.enqueue(sized, { ms: 1_500 })
    const behind = await Promise.all(Array.from({ length: 20 }, () => runtime.enqueue(sized, { ms: 0 })))
    const { to, evidence } = await demoted
    assert.deepEqual([to, evidence.reason], ['default', 'spike'])
    assert.ok(
      evidence.longestMs > 600 && evidence.longestMs < 1_500,
      `it is moved before its end: ${evidence.longestMs}`,
    )
    const ended: string[] = []
    await Promise.all([
      long.result().then(() => ended.push('long')),
      ...behind.map(async (job) => ended.push((await job.result(), 'behind'))),
    ])
    assert.equal(ended.at(-1), 'long', 'nobody of its task waits behind it')
    assert.equal((await runtime.tasks()).find(({ task }) => task === 'sized')?.place, 'default')
  })

  it('is where it was moved to after a restart', async (test) => {
    const file = journal()
    const first = await start(test, file)
    const moved = nextEvent(first, 'task.moved')
    await run(first, 60)
    await moved
    await first.stop()
    const second = await start(test, file)
    assert.equal(await placeOf(second, 'sized'), 'fast')
    await second.stop()
    const third = await start(test, file, {
      tiers: { default: { threads: 1 }, fast: { threads: 1 } },
      promotion: 'off',
    })
    assert.equal(await placeOf(third, 'sized'), 'default', 'with promotion off a task is where it begins')
  })

  it('may be promoted to a tier of processes, and runs there', async (test) => {
    const runtime = await start(test, journal(), { tiers: { fast: { processes: 1 }, default: { threads: 1 } } })
    const threadOf = async () => (await (await runtime.enqueue(sized, { ms: 0 })).result()).threadId
    assert.notEqual(await threadOf(), 0, 'on a thread')
    const moved = nextEvent(runtime, 'task.moved', { timeoutMs: 20_000 })
    await run(runtime, 60)
    assert.equal((await moved).to, 'fast')
    await runtime.idle()
    assert.equal(await threadOf(), 0, 'a process has no other thread')
  })

  it('stays where it is with promotion off', async (test) => {
    const runtime = await start(test, journal(), { promotion: 'off' })
    const moves: unknown[] = []
    runtime.on('task.moved', (move) => void moves.push(move))
    await run(runtime, 200)
    assert.deepEqual(moves, [])
    assert.equal(await placeOf(runtime, 'sized'), 'default')
  })
})

describe('a task that names its tier', () => {
  it('is never moved, however fast it is', async (test) => {
    const runtime = await start(test, journal())
    const moves: string[] = []
    runtime.on('task.moved', ({ task }) => void moves.push(task))
    const jobs = await Promise.all(Array.from({ length: 300 }, () => runtime.enqueue(pinned, null)))
    await Promise.all(jobs.map((job) => job.result()))
    assert.deepEqual(moves, [])
    assert.equal(await placeOf(runtime, 'pinned'), 'default')
  })
})

describe('the options of promotion', () => {
  const refused: readonly (readonly [string, unknown, string])[] = [
    [
      'a tier that there is not',
      { ladder: [{ tier: 'quick', budgetMs: 1 }, { tier: 'default' }] },
      'promotion.ladder[0].tier',
    ],
    ['budgets that do not rise', { ladder: [{ tier: 'fast' }, { tier: 'default' }] }, 'promotion.ladder[1].budgetMs'],
    ['a ladder without default', { ladder: [{ tier: 'fast', budgetMs: 1 }, { tier: 'feed' }] }, 'promotion.ladder'],
    ['one rung', { ladder: [{ tier: 'default' }] }, 'promotion.ladder'],
    [
      'a budget of nothing',
      { ladder: [{ tier: 'fast', budgetMs: 0 }, { tier: 'default' }] },
      'promotion.ladder[0].budgetMs',
    ],
    [
      'a budget as text',
      { ladder: [{ tier: 'fast', budgetMs: '100' }, { tier: 'default' }] },
      'promotion.ladder[0].budgetMs',
    ],
    ['no number of runs', { minRuns: 0 }, 'promotion.minRuns'],
    ['a misspelt one', { minRun: 5 }, 'promotion.minRun'],
  ]
  for (const [what, options, path] of refused) {
    it(`refuse ${what}`, async () => {
      const starting = createRuntime({
        tasks: new URL('../fixtures/sized-tasks.js', import.meta.url),
        journal: { file: ':memory:' },
        tiers: { fast: {}, default: {}, feed: {} },
        promotion: options as never,
      })
      await assert.rejects(starting, { path })
    })
  }
})
