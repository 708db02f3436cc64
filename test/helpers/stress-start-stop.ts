import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import type { Child, ExitReason } from '../../lib/actor.ts'
import { assertNoLeak, resources } from './leak-check.ts'

/** How hard a child is stressed. */
export interface StressOptions {
  /** How many go through their rounds at once. Default: 10. */
  readonly concurrent?: number
  /** Default: 50. */
  readonly rounds?: number
  /** How long one may take to end after it was stopped, and what it held to be gone. Default: 5,000. */
  readonly settleWithinMs?: number
  /** Which ends are right. Default: 'stopped'. */
  readonly accepts?: (reason: ExitReason) => boolean
}

type Moment = (child: Child<never>) => unknown

/** When to stop: the races are between these and what the child is doing just then. */
const moments = {
  'at once': () => undefined,
  'after a microtask': () => Promise.resolve(),
  'after a turn of the loop': () => turn(),
  'when it has started': (child) => child.started,
  'a turn after it has started': (child) => child.started.then(turn),
} as const satisfies Record<string, Moment>

/**
 * Starts and stops children of one kind over and over, several at once, at different moments and more than once each.
 * Fails if one does not end in time, ends for another reason, never settles `started`, can still be told something, or
 * if anything stays alive in the end.
 */
export async function stressStartStop(make: () => Child<never>, options: StressOptions = {}): Promise<void> {
  const { concurrent = 10, rounds = 50, settleWithinMs } = options
  const before = resources()
  const runners = Array.from({ length: concurrent }, async (_, runner) => {
    for (let round = 0; round < rounds; round++) await startAndStop(make, runner + round, options)
  })
  await Promise.all(runners)
  await assertNoLeak(before, settleWithinMs)
}

async function startAndStop(make: () => Child<never>, round: number, options: StressOptions): Promise<void> {
  const { settleWithinMs = 5_000, accepts = ({ type }) => type === 'stopped' } = options
  const names = Object.keys(moments) as (keyof typeof moments)[]
  const name = names[round % names.length] as keyof typeof moments
  const moment: Moment = moments[name]
  const child = make()
  const what = `${child.id}, stopped ${name},`
  await within(settleWithinMs, Promise.resolve(moment(child)), `${child.id} did not come to start`)
  for (let times = round % 3; times >= 0; times--) child.stop()
  queueMicrotask(() => child.stop())
  const reason = await within(settleWithinMs, child.exited, `${what} did not end`)
  assert.ok(accepts(reason), `${what} ended as ${JSON.stringify(reason)}`)
  await within(settleWithinMs, child.started, `${what} never settled started`)
  child.stop()
  assert.equal(child.tell(undefined as never), 'closed', `${what} still takes messages`)
}

async function within<T>(ms: number, promise: Promise<T>, otherwise: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${otherwise} within ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
