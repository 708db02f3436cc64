import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JobExtra } from '../../../../lib/job.ts'
import { Gather } from '../../../../runtime/journal/owner/gather.ts'
import type { Routes, TakenJob } from '../../../../runtime/journal/protocol.ts'

const LARGE = 'x'.repeat(100 * 1024)

function newJob(input: string, extra: JobExtra | null = null, number = 1) {
  return { number, task: 0, input, extra, accepted() {}, refused() {} }
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

describe('groups that were not committed', () => {
  function withJobs(jobs: number): Gather {
    const gather = new Gather()
    for (let number = 1; number <= jobs; number++) gather.addJob(newJob('1', null, number))
    return gather
  }
  const numbersOf = ({ jobs }: { jobs: readonly { number: number }[] }) => jobs.map(({ number }) => number)

  it('go again before what waits, in their order', () => {
    const gather = withJobs(3_000)
    gather.sendAgain([gather.take(1, 0, 1), gather.take(2, 0, 1)])
    const again = [3, 4, 5].flatMap((number) => numbersOf(gather.take(number, 0, 1)))
    assert.deepEqual(
      again,
      Array.from({ length: 3_000 }, (_, at) => at + 1),
    )
    assert.ok(gather.isEmpty(0, 0))
  })

  it('go with their deliveries, before those that wait', () => {
    const gather = new Gather()
    for (let at = 0; at < 1_500; at++) gather.addTaken({ ...delivery('1'), job: { ...delivery('1').job, number: at } })
    gather.sendAgain([gather.take(1, 0, 1)])
    assert.equal(gather.take(2, 0, 1).taken[0]?.job.number, 0)
  })

  it('hold up who waits for them until the last of them is sent again', () => {
    const gather = withJobs(1_500)
    gather.addBarrier(() => undefined)
    gather.sendAgain([gather.take(1, 0, 1), gather.take(2, 0, 1)])
    assert.deepEqual(
      [3, 4].map((number) => gather.take(number, 0, 1).barriers.length),
      [0, 1],
    )
  })
})

describe('room of a group that was not committed', () => {
  const older: Routes = { places: [], placeOf: [0] }
  const newer: Routes = { places: [], placeOf: [1] }
  const routesAndRoom = (gather: Gather) => {
    const { routes, room } = gather.take(9, 0, 1).group
    return [routes, room]
  }

  it('is given back after the routes that it came after', () => {
    const gather = new Gather()
    gather.route(older)
    gather.addRoom(0, 1, 10)
    const first = gather.take(1, 0, 1)
    gather.addRoom(0, 2, 20)
    const second = gather.take(2, 0, 1)
    for (const sent of [first, second]) gather.restore(sent)
    assert.deepEqual(routesAndRoom(gather), [older, [0, 3, 30]])
  })

  it('is in the capacity of newer routes, be it that they wait', () => {
    const gather = new Gather()
    gather.route(older)
    gather.addRoom(0, 1, 10)
    const sent = gather.take(1, 0, 1)
    gather.route(newer)
    gather.addRoom(0, 4, 40)
    gather.restore(sent)
    assert.deepEqual(routesAndRoom(gather), [newer, [0, 4, 40]])
  })

  it('is in their capacity too where they were sent, and came back after it', () => {
    const gather = new Gather()
    gather.route(older)
    gather.addRoom(0, 1, 10)
    const first = gather.take(1, 0, 1)
    gather.route(newer)
    gather.addRoom(0, 4, 40)
    const second = gather.take(2, 0, 1)
    for (const sent of [first, second]) gather.restore(sent)
    assert.deepEqual(routesAndRoom(gather), [newer, [0, 4, 40]])
  })
})
