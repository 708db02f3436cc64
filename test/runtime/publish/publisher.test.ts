import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MillraceError } from '../../../lib/errors.ts'
import { ManualClock } from '../../../lib/manual-clock.ts'
import type { NewJob } from '../../../runtime/journal/owner/gather.ts'
import { NUMBERS_AHEAD } from '../../../runtime/journal/numbers.ts'
import { Publisher, type PublishSink } from '../../../runtime/publish/publisher.ts'
import { defineTask, handle } from '../../../lib/task.ts'
import type { StandardSchemaV1 } from '../../../lib/schema.ts'
import { echo, parked } from '../../fixtures/tasks.ts'
import { openLoopJournal } from '../../helpers/loop-journal.ts'
import { startRuntime } from '../../helpers/start-runtime.ts'

describe('who enqueues when all numbers are given out', () => {
  it('waits for more, and is not refused', async (test) => {
    const clock = new ManualClock()
    const { journal, enqueue } = await openLoopJournal(test, clock)
    const publisher = new Publisher(journal, clock, (number) => number)
    await enqueue('echo')
    for (const range of [NUMBERS_AHEAD / 2, NUMBERS_AHEAD / 2 - 1]) {
      await new Promise<void>((resolve) => journal.takeNumbers(range, () => resolve()))
    }
    assert.equal(journal.takeNumber(), undefined)
    const [one, many] = [
      publisher.enqueue(echo, { value: 1 }, undefined),
      publisher.enqueueMany(echo, [1, 2], undefined),
    ]
    assert.ok((await one) > NUMBERS_AHEAD)
    assert.deepEqual(await many, { enqueued: 2, duplicates: 0 })
  })
})

describe('a task that is none', () => {
  it('is refused, and everybody else goes on', async (test) => {
    const runtime = await startRuntime(test)
    const refused = { code: 'MILLRACE_INVALID_OPTION', path: 'task' }
    for (const stranger of [
      undefined,
      null,
      'echo',
      {},
      { name: 'echo' },
      handle(parked, () => undefined),
    ] as never[]) {
      await assert.rejects(runtime.enqueue(stranger, { value: 1 } as never), refused)
      await assert.rejects(runtime.enqueueMany(stranger, [1] as never), refused)
    }
    assert.deepEqual(await (await runtime.enqueue(echo, { value: 1 })).result({ timeoutMs: 20_000 }), { value: 1 })
  })
})

describe('an enqueueMany of which something is refused', () => {
  it('takes no more from its source, and says from where to go on', async (test) => {
    const clock = new ManualClock()
    const { journal, enqueue } = await openLoopJournal(test, clock)
    await enqueue('echo')
    let appended = 0
    const full = new MillraceError('MILLRACE_OVERLOADED', 'as many wait as may')
    // Every second one from the third on.
    const sink: PublishSink = {
      refusal: undefined,
      takeNumber: () => journal.takeNumber(),
      taskIndex: (name) => journal.taskIndex(name),
      learn: (names, patience) => journal.learn(names, patience),
      append: (job) => (++appended >= 3 && appended % 2 === 1 ? job.refused(full) : job.accepted(appended, 'new')),
    }
    const publisher = new Publisher(sink, clock, (number) => number)
    let released = 'no'
    async function* endless() {
      try {
        for (let value = 0; ; value++) yield { value }
      } finally {
        released = 'yes'
      }
    }
    await assert.rejects(publisher.enqueueMany(echo, endless(), undefined), {
      code: 'MILLRACE_ENQUEUE_MANY',
      cause: full,
      details: { enqueued: 2, duplicates: 0, index: 2, refused: [2], next: 3 },
    })
    assert.equal(released, 'yes')
  })
})

describe('a schema that answers after the stop', () => {
  it('comes too late for one job and for many', async (test) => {
    const runtime = await startRuntime(test)
    let answer: (result: { readonly value: number }) => void = () => {}
    const answered = new Promise<{ readonly value: number }>((resolve) => {
      answer = resolve
    })
    const input: StandardSchemaV1<number> = {
      '~standard': { version: 1, vendor: 'test', validate: () => answered },
    }
    const late = defineTask({ name: 'echo', input })
    // The journal knows the task already: nothing but the schema is waited for.
    await runtime.enqueue(echo, { value: 1 })
    const one = runtime.enqueue(late, 1)
    const many = runtime.enqueueMany(late, [1, 2])
    await runtime.stop()
    answer({ value: 1 })
    await assert.rejects(one, { code: 'MILLRACE_STOPPING' })
    await assert.rejects(many, (error: MillraceError) => (error.cause as MillraceError).code === 'MILLRACE_STOPPING')
  })

  it('would be refused by the journal as well', async (test) => {
    const { journal } = await openLoopJournal(test, new ManualClock())
    const end = new Error('over')
    await journal.close()
    journal.abandon(end)
    const refused = await new Promise((resolve) => {
      journal.append({ number: 1, task: 0, input: '1', extra: null, accepted: resolve, refused: resolve })
    })
    assert.equal(refused, end)
  })
})

describe('a source without end', () => {
  it('is asked for no more than two groups of jobs ahead of the journal', async () => {
    const jobs: NewJob[] = []
    const sink: PublishSink = {
      refusal: undefined,
      append: (job) => void jobs.push(job),
      takeNumber: () => jobs.length + 1,
      taskIndex: () => 0,
      learn: () => Promise.resolve(),
    }
    let asked = 0
    function* source() {
      for (;;) yield { value: asked++ }
    }
    void new Publisher(sink, new ManualClock(), (number) => number).enqueueMany(echo, source(), undefined)
    await new Promise((resolve) => setTimeout(resolve, 100))
    // A synchronous source is read in chunks of 500.
    assert.deepEqual([jobs.length, asked], [2_000, 2_000])
    for (const job of jobs.splice(0, 1_000)) job.accepted(job.number, 'new')
    await new Promise((resolve) => setTimeout(resolve, 100))
    assert.equal(asked, 3_000)
  })
})
