import { defineTask, type Job, type JobRecord } from '../../runtime/index.ts'
import type { Database, EnqueuedMany, JournalPublisher, PublishedJob, Runtime } from '../../runtime/index.ts'
import { holds, type Same } from './same.ts'

declare const runtime: Runtime
declare const publisher: JournalPublisher
declare const db: Database

interface Photo {
  readonly file: string
  readonly width?: number
}

const thumbnail = defineTask({ name: 'photo.thumbnail', run: (input: Photo) => ({ bytes: input.file.length }) })
const nightly = defineTask({ name: 'report.nightly', run: () => 'done' })

/** The types of a task reach whoever enqueues it, by whichever way. */
export async function accepted(photos: AsyncIterable<Photo>): Promise<void> {
  const job = await runtime.enqueue(thumbnail, { file: 'a' })
  holds<Same<typeof job, Job<{ bytes: number }>>>()
  const result = await job.result({ timeoutMs: 5_000 })
  holds<Same<typeof result, { bytes: number }>>()
  holds<Same<Awaited<ReturnType<typeof job.record>>, JobRecord>>()
  await runtime.enqueue(nightly)

  const many = await runtime.enqueueMany(thumbnail, photos, (photo, index) => {
    holds<Same<typeof photo, Photo>>()
    return { key: `${photo.file}:${index}` }
  })
  holds<Same<typeof many, EnqueuedMany>>()
  await runtime.enqueueMany(thumbnail, new Set([{ file: 'a' }]), { priority: 9 })
  await runtime.enqueueMany(nightly, [undefined])

  const both = runtime.transaction(db, (transaction) => ({
    one: transaction.enqueue(thumbnail, { file: 'a' }),
    two: transaction.enqueue(nightly),
  }))
  holds<Same<typeof both, { one: Job<{ bytes: number }>; two: Job<string> }>>()

  const published = await publisher.enqueue(thumbnail, { file: 'a' })
  holds<Same<typeof published, PublishedJob<{ bytes: number }>>>()
  const told = await published.result({ timeoutMs: 5_000 })
  holds<Same<typeof told, { bytes: number }>>()
  await publisher.enqueueMany(thumbnail, photos, { delayMs: 5 })

  // Of an id alone nobody knows the task.
  const unknown = await runtime.job(job.id).result()
  holds<Same<typeof unknown, unknown>>()
}

export async function refused(job: Job): Promise<void> {
  // @ts-expect-error: inputs of another task
  await runtime.enqueueMany(thumbnail, [{ id: 5 }])
  // @ts-expect-error: one input is not many
  await runtime.enqueueMany(thumbnail, { file: 'a' })
  // @ts-expect-error: no such option
  await runtime.enqueueMany(thumbnail, [], { prio: 5 })
  // @ts-expect-error: no such priority
  await runtime.enqueueMany(thumbnail, [], () => ({ priority: 10 }))
  // @ts-expect-error: no input
  runtime.transaction(db, (transaction) => transaction.enqueue(thumbnail))
  // @ts-expect-error: a wrong type
  await publisher.enqueue(thumbnail, { file: 5 })
  // @ts-expect-error: a publisher cannot wait without an end
  await (await publisher.enqueue(nightly)).result()
  // @ts-expect-error: no such mode
  await job.cancel({ mode: 'kill' })
  // @ts-expect-error: no such state
  await runtime.cancelMany({ state: 'sleeping' })
  // @ts-expect-error: misspelled
  await runtime.purge({ stat: 'dead' })
  // @ts-expect-error: what is undefined would mean all of them
  await runtime.purge({ task: undefined })
}
