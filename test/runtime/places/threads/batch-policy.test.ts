import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { begin } from '../../../helpers/slot-thread.ts'
import { BatchPolicy } from '../../../../runtime/places/threads/batch-policy.ts'
import { Incarnation } from '../../../../runtime/places/threads/incarnation.ts'
import type { ClaimedJob, Ended, JobSource } from '../../../../runtime/messages.ts'
import { claimOf, claimsOf, numbersOf } from '../../../helpers/claims.ts'

const LIMITS = { softLimitMs: 20_000, hardLimitMs: 30_000 }
const [FAST, SLOW] = [0, 1]

function threadOf(test: TestContext, policy: BatchPolicy): Incarnation {
  const thread = new Incarnation(
    { slots: policy.slots, concurrency: 1, firstStart: 0, memory: 'ignored', journal: 'abcdef', starts: undefined },
    () => {},
  )
  test.after(() => thread.close())
  return thread
}

function offer(thread: Incarnation, ...jobs: readonly ClaimedJob[]): void {
  thread.offer(jobs.map((job) => ({ job, task: 'work', limits: LIMITS })))
}

function sourceOf(...jobs: readonly ClaimedJob[]): JobSource {
  const left = [...jobs]
  return {
    get size() {
      return left.length
    },
    take: () => left.shift(),
  }
}

function ran(ms: number, task: number): Ended {
  return { job: claimOf({ task }), outcome: { type: 'succeeded', output: '' }, startedAt: 100, endedAt: 100 + ms }
}

describe('a batch for a thread that runs one job at a time', () => {
  it('is 64 small jobs, and two of them are as many as a thread gets ahead', (test) => {
    const policy = new BatchPolicy(1)
    const thread = threadOf(test, policy)
    assert.deepEqual([policy.slots, policy.spaceOn(thread, 0)], [128, 64])
    offer(thread, ...claimsOf(64))
    assert.equal(policy.spaceOn(thread, 0), 64, 'one is under way, another may wait')
    offer(thread, claimOf({ ord: 99 }))
    assert.equal(policy.spaceOn(thread, 0), 0)
  })

  it('ends with a job of a task that is usually slow, and nothing is batched behind it', (test) => {
    const policy = new BatchPolicy(1)
    policy.observe([ran(0.5, FAST), ran(50, SLOW)])
    const jobs = [claimOf({ ord: 1 }), claimOf({ ord: 2, task: SLOW }), claimOf({ ord: 3 })]
    const taken = policy.take(sourceOf(...jobs), 64)
    assert.deepEqual(numbersOf(taken), [1, 2])
    const thread = threadOf(test, policy)
    offer(thread, ...taken)
    assert.equal(policy.spaceOn(thread, 0), 0)
  })

  it('goes by how long a task usually takes, not by one run', () => {
    const policy = new BatchPolicy(1)
    const batch = () => policy.take(sourceOf(...claimsOf(3, { task: SLOW })), 64).length
    policy.observe([ran(0.1, SLOW)])
    policy.observe([ran(10, SLOW)])
    assert.equal(batch(), 3)
    policy.observe([ran(10, SLOW), ran(10, SLOW)])
    assert.equal(batch(), 1)
    policy.observe(Array.from({ length: 20 }, () => ran(0.1, SLOW)))
    assert.equal(batch(), 3)
  })

  it('ends with a job that was there when the process died', () => {
    const policy = new BatchPolicy(1)
    const suspect = claimOf({ ord: 1, extra: { crashes: 1 } })
    assert.deepEqual(numbersOf(policy.take(sourceOf(suspect, claimOf({ ord: 2 })), 64)), [1])
  })

  it('is not more than there is, nor than is asked for', () => {
    const policy = new BatchPolicy(1)
    assert.equal(policy.take(sourceOf(...claimsOf(5)), 2).length, 2)
    assert.equal(policy.take(sourceOf(), 2).length, 0)
    const never = { ...ran(0, SLOW), startedAt: undefined }
    policy.observe([never])
    assert.equal(policy.take(sourceOf(...claimsOf(3, { task: SLOW })), 9).length, 3, 'what never ran says nothing')
  })
})

describe('what waits behind a running job', () => {
  it('is stuck after 4 ms, and gets no company', (test) => {
    const policy = new BatchPolicy(1)
    const thread = threadOf(test, policy)
    offer(thread, ...claimsOf(2))
    assert.equal(policy.isStuck(thread, 1_000), false, 'nothing runs yet')
    begin(thread, 0, 100)
    assert.deepEqual([policy.isStuck(thread, 104), policy.spaceOn(thread, 104)], [false, 64])
    assert.deepEqual([policy.isStuck(thread, 104.1), policy.spaceOn(thread, 104.1)], [true, 0])
  })

  it('is nothing when a job runs alone', (test) => {
    const policy = new BatchPolicy(1)
    const thread = threadOf(test, policy)
    offer(thread, claimOf())
    begin(thread, 0, 100)
    assert.equal(policy.isStuck(thread, 5_000), false)
  })
})

describe('a lane on threads', () => {
  it('has a slot for each job at once and a batch ahead', (test) => {
    const policy = new BatchPolicy(10)
    const thread = threadOf(test, policy)
    assert.deepEqual([policy.slots, policy.spaceOn(thread, 0), new BatchPolicy(50_000).slots], [74, 74, 50_064])
    offer(thread, ...claimsOf(70))
    assert.equal(policy.spaceOn(thread, 0), 4)
    begin(thread, 0, 100)
    assert.equal(policy.isStuck(thread, 5_000), false, 'its jobs do not wait for each other')
  })

  it('takes slow jobs in batches too', () => {
    const policy = new BatchPolicy(10)
    policy.observe([ran(500, SLOW)])
    assert.equal(policy.take(sourceOf(...claimsOf(5, { task: SLOW })), 64).length, 5)
  })
})

describe('batches of one', () => {
  it('leave nothing on a thread beside what it runs', (test) => {
    const policy = new BatchPolicy(1, 1)
    const thread = threadOf(test, policy)
    assert.deepEqual([policy.slots, policy.spaceOn(thread, 0)], [1, 1])
    offer(thread, claimOf())
    assert.equal(policy.spaceOn(thread, 0), 0)
  })
})
