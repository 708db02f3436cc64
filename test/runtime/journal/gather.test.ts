import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JobExtra } from '../../../lib/job.ts'
import { Gather } from '../../../runtime/journal/gather.ts'
import type { TakenJob } from '../../../runtime/journal/protocol.ts'

const LARGE = 'x'.repeat(100 * 1024)

function newJob(input: string, extra: JobExtra | null = null) {
  return { number: 1, task: 0, input, extra, accepted() {}, refused() {} }
}

function delivery(input: string, overrides?: string) {
  const job: TakenJob = { number: 1, task: 0, input, id: 'other0-1', claim: 1, attempt: 0, createdAt: 1 }
  return { job: overrides === undefined ? job : { ...job, overrides }, answered() {} }
}

/** How many of what was added go in each group. */
function sizesOf(gather: Gather, kind: 'jobs' | 'taken'): number[] {
  const sizes: number[] = []
  for (let number = 1; !gather.isEmpty(0, 0); number++) sizes.push(gather.take(number, 0, 1)[kind].length)
  return sizes
}

describe('a group of one commit', () => {
  it('is of so many jobs', () => {
    const gather = new Gather()
    for (let at = 0; at < 2_500; at++) gather.addJob(newJob('1'))
    assert.deepEqual(sizesOf(gather, 'jobs'), [1_000, 1_000, 500])
  })

  it('is of so many bytes, of inputs and of options', () => {
    const gather = new Gather()
    for (let at = 0; at < 4; at++) gather.addJob(newJob(LARGE))
    for (let at = 0; at < 4; at++) gather.addJob(newJob('1', { overrides: LARGE }))
    assert.deepEqual(sizesOf(gather, 'jobs'), [3, 3, 2])
  })

  it('is of so many deliveries, and of so many bytes of them', () => {
    const gather = new Gather()
    for (let at = 0; at < 1_500; at++) gather.addTaken(delivery('1'))
    assert.deepEqual(sizesOf(gather, 'taken'), [1_000, 500])
    for (let at = 0; at < 4; at++) gather.addTaken(delivery(LARGE))
    for (let at = 0; at < 4; at++) gather.addTaken(delivery('1', LARGE))
    assert.deepEqual(sizesOf(gather, 'taken'), [3, 3, 2])
  })

  it('takes a job that is larger than a group alone', () => {
    const gather = new Gather()
    for (const input of ['1', LARGE.repeat(3), LARGE.repeat(3)]) gather.addJob(newJob(input))
    assert.deepEqual(sizesOf(gather, 'jobs'), [2, 1])
  })
})
