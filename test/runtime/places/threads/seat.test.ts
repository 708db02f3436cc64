import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { systemClock } from '../../../../lib/clock.ts'
import { ManualClock } from '../../../../lib/manual-clock.ts'
import type { Outcome } from '../../../../lib/outcome.ts'
import type { ClaimedJob, Ended } from '../../../../runtime/messages.ts'
import type { Entry, Incarnation } from '../../../../runtime/places/threads/incarnation.ts'
import { Seat, type SeatListener } from '../../../../runtime/places/threads/seat.ts'
import type { FromThread, ThreadRun } from '../../../../runtime/places/thread-protocol.ts'
import type { RunEnd } from '../../../../runtime/places/threads/tier-pool.ts'
import { claimsOf, numbersOf } from '../../../helpers/claims.ts'
import { begin } from '../../../helpers/slot-thread.ts'

const LIMITS = { softLimitMs: 20_000, hardLimitMs: 30_000 }

/** A seat whose threads are played by the test. */
function seatOf(test: TestContext, slots: number) {
  const runs: { readonly run: ThreadRun; ended(end: RunEnd): void; exited(): void }[] = []
  const exits: { readonly ended: readonly Ended[]; readonly unstarted: readonly ClaimedJob[] }[] = []
  let serving: () => void = () => {}
  let zombieEnded: () => void = () => {}
  const pool = {
    serve: (run: ThreadRun) =>
      new Promise<RunEnd>((ended) => {
        runs.push({ run, ended, exited: () => {} })
      }),
    begun() {},
    exitOf: () =>
      new Promise<number>((resolve) => {
        const last = runs.at(-1)
        if (last !== undefined) last.exited = () => resolve(1)
      }),
    activeMsOf: () => undefined,
    destroy: () => Promise.resolve(),
  }
  const nothing = () => {}
  const listener: SeatListener = {
    serving: () => serving(),
    progressed: nothing,
    progress: nothing,
    stray: nothing,
    tainted: nothing,
    exited: (ended, unstarted) => void exits.push({ ended, unstarted }),
    hung: nothing,
    zombieEnded: () => zombieEnded(),
    hopeless: nothing,
    died: nothing,
    unusable: nothing,
  }
  const seat = new Seat(
    {
      number: 0,
      pool,
      journal: { journal: 'abcdef', starts: undefined },
      clock: new ManualClock(),
      slots,
      concurrency: 1,
      firstStart: 0,
      memory: 'ignored',
      children: { takeNumbers: nothing, enqueue: (_task, number) => Promise.resolve(number) },
    },
    listener,
  )
  test.after(() => {
    seat.leave()
    for (const { ended, exited } of runs) {
      ended({ type: 'returned' })
      exited()
    }
    for (const thread of seat.threads()) thread.close()
  })
  const ready = async () => {
    const heard = new Promise<void>((resolve) => (serving = resolve))
    const message: FromThread = { type: 'ready', threadId: runs.length, kernelThread: undefined, tasks: [] }
    runs.at(-1)?.run.port.postMessage(message)
    await heard
    return { thread: seat.thread as Incarnation, life: runs.at(-1) as (typeof runs)[number] }
  }
  const fewerZombies = () => new Promise<void>((resolve) => (zombieEnded = resolve))
  return { ready, exits, fewerZombies }
}

const VERDICT: Outcome = { type: 'failed', error: { name: 'Error', message: 'too long' }, retry: 'by-policy' }

describe('a seat whose thread exits', () => {
  it('charges the job that ran, and gives back uncharged what was offered behind it', async (test) => {
    const { ready, exits } = seatOf(test, 3)
    const { thread, life } = await ready()
    const jobs = claimsOf(3)
    thread.offer(jobs.map((job) => ({ job, task: 'work', limits: LIMITS })))
    begin(thread, 0, 10)
    life.ended({ type: 'lost', error: new Error('the worker has exited') })
    await turn()
    assert.equal(exits.length, 0, 'a thread that has not exited may still run')
    life.exited()
    await turn()
    assert.equal(exits.length, 1)
    const { ended, unstarted } = exits[0] as (typeof exits)[number]
    assert.deepEqual(
      ended.map(({ job, outcome }) => [job.number, outcome.type === 'failed' ? outcome.error.code : outcome.type]),
      [[jobs[0]?.number, 'MILLRACE_THREAD_EXIT']],
    )
    assert.deepEqual(numbersOf(unstarted), numbersOf(jobs.slice(1)))
  })
})

describe('a seat whose thread has attempts that were given up', () => {
  it('tells when one of them ends, and when the thread does', { timeout: 10_000 }, async (test) => {
    const { ready, fewerZombies } = seatOf(test, 2)
    const { thread, life } = await ready()
    thread.offer(claimsOf(2).map((job) => ({ job, task: 'work', limits: LIMITS })))
    const givenUp = [1, 2].map((at) => {
      const entry = begin(thread, 0, at)
      thread.condemn(entry, VERDICT)
      thread.abandon(entry, systemClock)
      return entry
    })
    const { slot, generation } = givenUp[0] as Entry
    const one = fewerZombies()
    life.run.port.postMessage({ type: 'gave-back', slot, generation } satisfies FromThread)
    await one
    assert.equal(thread.abandoned, 1)
    const all = fewerZombies()
    life.ended({ type: 'lost', error: new Error('the worker has exited') })
    life.exited()
    await all
  })
})
