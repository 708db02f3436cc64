import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { MillraceError } from '../../../lib/errors.ts'
import type { NewJob } from '../../../runtime/journal/owner/gather.ts'
import { chunksOf, ManyRun } from '../../../runtime/publish/many-run.ts'

const prepared = { task: 'echo', input: '1', extra: null }

function runOf(jobs: number): { readonly run: ManyRun; readonly jobs: readonly NewJob[] } {
  const run = new ManyRun()
  return { run, jobs: Array.from({ length: jobs }, (_, at) => run.job(at + 1, 0, prepared)) }
}

/** Whether it has been answered by now. */
async function isOver(promise: Promise<unknown>): Promise<boolean> {
  let over = false
  void promise.then(
    () => (over = true),
    () => (over = true),
  )
  await turn()
  return over
}

describe('many jobs on their way', () => {
  it('are full at two groups of them, and have room when half has left', async () => {
    const { run, jobs } = runOf(1_999)
    assert.equal(run.isFull, false)
    const last = run.job(2_000, 0, prepared)
    assert.equal(run.isFull, true)
    const room = run.room()
    for (const job of jobs.slice(0, 999)) job.accepted(job.number, 'new')
    assert.equal(await isOver(room), false)
    last.accepted(2_000, 'new')
    assert.equal(await isOver(room), true)
  })

  it('are full by their bytes as well', () => {
    const run = new ManyRun()
    run.job(1, 0, { ...prepared, input: 'x'.repeat(512 * 1024) })
    assert.equal(run.isFull, true)
    const told = new ManyRun()
    told.job(1, 0, { ...prepared, extra: { overrides: 'x'.repeat(512 * 1024) } })
    assert.equal(told.isFull, true)
  })

  it('are counted by what became of them', async () => {
    const { run, jobs } = runOf(3)
    jobs[0]?.accepted(1, 'new')
    jobs[1]?.accepted(7, 'duplicate')
    const end = run.end()
    assert.equal(await isOver(end), false)
    jobs[2]?.accepted(3, 'new')
    await end
    assert.deepEqual(run.result, { enqueued: 2, duplicates: 1 })
  })

  it('stop at the first input that was refused, however far the caller had come', async () => {
    const { run, jobs } = runOf(5)
    const stopped = run.stopped(new Error('what the caller met later'))
    jobs[4]?.refused(new Error('of the fifth'))
    jobs[0]?.accepted(1, 'new')
    jobs[1]?.accepted(1, 'duplicate')
    jobs[2]?.refused(new Error('of the third'))
    assert.equal(await isOver(stopped), false, 'only when everything is answered')
    jobs[3]?.refused(new Error('of the fourth'))
    const { code, details, cause } = await stopped
    assert.equal(code, 'MILLRACE_ENQUEUE_MANY')
    assert.deepEqual(details, { enqueued: 1, duplicates: 1, index: 2, refused: [2, 3, 4], next: 5 })
    assert.equal((cause as Error).message, 'of the third')
    await assert.rejects(run.end(), { message: 'of the third' })
    await assert.rejects(
      Promise.all([run.room(), Promise.resolve().then(() => run.job(9, 0, prepared).accepted(9, 'new'))]),
      { message: 'of the third' },
    )
  })
})

describe('what many jobs came to when some of them were refused', () => {
  it('tells those behind the first one that were written, by naming those that were not', async () => {
    const { run, jobs } = runOf(5)
    jobs[3]?.refused(new Error('of the fourth'))
    jobs[1]?.refused(new Error('of the second'))
    for (const at of [0, 2, 4]) jobs[at]?.accepted(at + 1, 'new')
    const { details } = await run.stopped(new Error('what the caller met later'))
    assert.deepEqual(details, { enqueued: 3, duplicates: 0, index: 1, refused: [1, 3], next: 5 })
  })

  it('names those apart of which nobody knows', async () => {
    const { run, jobs } = runOf(2)
    jobs[0]?.refused(new MillraceError('MILLRACE_OUTCOME_UNKNOWN', 'the thread died'))
    jobs[1]?.refused(new Error('of the second'))
    const { details } = await run.stopped(undefined)
    assert.deepEqual(details, { enqueued: 0, duplicates: 0, index: 0, refused: [1], next: 2, ofUnknownOutcome: [0] })
  })

  it('is known at once to who waits for room, and to who would hand over more', async () => {
    const { run, jobs } = runOf(2_000)
    run.goOn()
    const room = run.room()
    jobs[7]?.refused(new Error('of the eighth'))
    await assert.rejects(room, { message: 'of the eighth' })
    assert.throws(() => run.goOn(), { message: 'of the eighth' })
  })
})

describe('the inputs of many jobs', () => {
  async function collect(inputs: unknown): Promise<unknown[][]> {
    const chunks: unknown[][] = []
    for await (const chunk of chunksOf(inputs as Iterable<unknown>)) chunks.push(chunk)
    return chunks
  }

  it('come from anything that can be iterated', async () => {
    async function* later() {
      yield* [1, 2]
    }
    assert.deepEqual(await collect([1, 2]), [[1, 2]])
    assert.deepEqual(await collect(new Set([1, 2])), [[1, 2]])
    assert.deepEqual(await collect(later()), [[1], [2]])
    assert.deepEqual(await collect([]), [])
    assert.deepEqual(
      (await collect(Array.from({ length: 1_100 }))).map((chunk) => chunk.length),
      [500, 500, 100],
    )
  })

  it('are let go of when nobody wants more', async () => {
    let over = 0
    function* source() {
      try {
        for (;;) yield 1
      } finally {
        over++
      }
    }
    for await (const _ of chunksOf(source())) break
    async function* later() {
      yield* source()
    }
    for await (const _ of chunksOf(later())) break
    assert.equal(over, 2)
  })

  for (const inputs of [undefined, null, 5, 'text', {}]) {
    it(`are refused as ${JSON.stringify(inputs)}`, () => {
      assert.throws(() => chunksOf(inputs as never), { code: 'MILLRACE_INVALID_OPTION', path: 'inputs' })
    })
  }
})
