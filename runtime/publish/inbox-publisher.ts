import { Worker } from 'node:worker_threads'
import { pause, systemClock } from '../../lib/clock.ts'
import { fromErrorRecord } from '../../lib/error-record.ts'
import { MillraceError } from '../../lib/errors.ts'
import { formatJobId, type JobRecord, parseJobId } from '../../lib/job.ts'
import { endOf, notKept, resultOf } from '../../lib/job-end.ts'
import { duration, invalidOption, refuseUnknown } from '../../lib/options.ts'
import type { AnyTask, EnqueueArguments, EnqueueOptions, InputOf, OutputOf } from '../../lib/task.ts'
import type { FoundJob, FromInbox, InboxThreadData, ToInbox } from '../journal/inbox/inbox-thread-main.ts'
import { toJobRecord } from '../journal/store/record.ts'
import { INBOX_NUMBERS_FROM } from '../journal/schema/schema.ts'
import { journalPath } from '../config/journal-path.ts'
import { siblingUrl } from '../sibling-url.ts'
import { InboxSink } from './inbox-sink.ts'
import type { EnqueuedMany } from './many-run.ts'
import { Publisher } from './publisher.ts'

export interface PublisherOptions {
  /** Path of a journal that a runtime has opened before; the runtime need not run now. */
  readonly journal: string
}

/** A job that was published into another process's journal. Whether another one had its key is not known here. */
export interface PublishedJob<Output = unknown> {
  readonly id: string
  /** Rejects with `MILLRACE_JOB_NOT_FOUND` until the owner has taken it over, and when it has ended without a trace. */
  record(): Promise<JobRecord>
  /**
   * As on a handle of the owner, but only if the task keeps results: read from the journal, looked for every 50 ms. Of a job
   * that has ended and left nothing there it rejects with `MILLRACE_RESULT_NOT_KEPT` if a publisher has enqueued it, this
   * one or another. One of the owner may be the child of an attempt, which has no row before that has succeeded: where there
   * is none it waits until its timeout.
   */
  result(options: { readonly timeoutMs: number }): Promise<Output>
}

const RESULT_LOOK_MS = 50

interface Asked {
  resolve(job: FoundJob): void
  reject(error: Error): void
}

/**
 * Publishes into a journal that another process owns. Its jobs are durable when `enqueue` resolves, and the owner sees
 * them within 50 ms. Make one with `createPublisher`.
 */
export class JournalPublisher {
  readonly #worker: Worker
  readonly #journal: string
  readonly #sink: InboxSink
  readonly #publisher: Publisher<PublishedJob>
  readonly #requests = new Map<number, Asked>()
  readonly #clock = systemClock
  #lastRequest = 0
  #closing: Promise<void> | undefined
  /** Why nothing is answered any more. */
  #end: Error | undefined

  /** @internal */
  constructor(worker: Worker, journal: string) {
    this.#worker = worker
    this.#journal = journal
    this.#sink = new InboxSink(this.#clock, (message) => worker.postMessage(message))
    this.#publisher = new Publisher(this.#sink, this.#clock, (number) => this.#handle(number))
    worker.on('message', (message: FromInbox) => this.#received(message))
    worker.on('error', (error) => this.#ended(threadDied(error)))
    worker.on('exit', () => this.#ended(closed()))
  }

  enqueue<T extends AnyTask>(task: T, ...rest: EnqueueArguments<T>): Promise<PublishedJob<OutputOf<T>>> {
    const [input, options] = rest as [unknown, EnqueueOptions?]
    return this.#publisher.enqueue(task, input, options) as Promise<PublishedJob<OutputOf<T>>>
  }

  enqueueMany<T extends AnyTask>(
    task: T,
    inputs: Iterable<InputOf<T>> | AsyncIterable<InputOf<T>>,
    options?: EnqueueOptions | ((input: InputOf<T>, index: number) => EnqueueOptions),
  ): Promise<EnqueuedMany> {
    return this.#publisher.enqueueMany(task, inputs, options as EnqueueOptions)
  }

  /** A handle by id; no I/O. */
  job(id: string): PublishedJob {
    const parsed = parseJobId(id)
    if (parsed?.journal === this.#journal) return this.#handle(parsed.number)
    throw new MillraceError(
      'MILLRACE_JOB_NOT_FOUND',
      `${JSON.stringify(id)} is no job of this journal; expected an id like ${formatJobId(this.#journal, 1)}; ask the ` +
        'process that gave it out',
      { path: 'id' },
    )
  }

  /** Writes what was handed over, then lets the journal go. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#publisher.close(closed())
    await this.#sink.quiet()
    if (this.#end !== undefined) return
    const exited = new Promise((resolve) => this.#worker.once('exit', resolve))
    this.#worker.postMessage({ type: 'close' } satisfies ToInbox)
    await exited
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #handle(number: number): PublishedJob {
    const id = formatJobId(this.#journal, number)
    return {
      id,
      record: async () => {
        const row = await this.#read(number)
        if (typeof row === 'object') return toJobRecord(this.#journal, row)
        throw new MillraceError(
          'MILLRACE_JOB_NOT_FOUND',
          `${id} has no row; either the owner has not taken it over yet, or it succeeded and its task keeps nothing; ` +
            'ask again, or set keepResultMs or keepHistory on the task to look back',
        )
      },
      result: async (options) => this.#result(number, id, timeoutOf(options)),
    }
  }

  async #result(number: number, id: string, timeoutMs: number): Promise<unknown> {
    const endsAt = this.#clock.monotonicMs() + timeoutMs
    for (;;) {
      const row = await this.#read(number)
      const end = typeof row === 'object' ? endOf(toJobRecord(this.#journal, row), row.output) : undefined
      if (end !== undefined) return resultOf(end, () => id)
      // One that the owner has numbered may be the child of an attempt, which has no row before that has succeeded.
      if (row === undefined && number >= INBOX_NUMBERS_FROM) throw notKept(id)
      if (this.#clock.monotonicMs() >= endsAt) {
        throw new MillraceError(
          'MILLRACE_RESULT_TIMEOUT',
          `${id} has left no result within ${timeoutMs} ms; it goes on if it is not over; set keepResultMs on the task`,
        )
      }
      await pause(this.#clock, RESULT_LOOK_MS)
    }
  }

  #read(number: number): Promise<FoundJob> {
    if (this.#end !== undefined) return Promise.reject(this.#end)
    const request = ++this.#lastRequest
    return new Promise((resolve, reject) => {
      this.#requests.set(request, { resolve, reject })
      this.#worker.postMessage({ type: 'record', request, number } satisfies ToInbox)
    })
  }

  #ended(error: Error): void {
    if (this.#end !== undefined) return
    this.#end = error
    this.#sink.end(error)
    for (const { reject } of this.#requests.values()) reject(error)
    this.#requests.clear()
  }

  #received(message: FromInbox): void {
    switch (message.type) {
      case 'written':
        return this.#sink.written(message.first)
      case 'refused':
        return this.#sink.refused(fromErrorRecord(message.error))
      case 'record':
        this.#requests.get(message.request)?.resolve(message.job)
        this.#requests.delete(message.request)
        return
      case 'opened':
        return
    }
  }
}

function closed(): MillraceError {
  return new MillraceError(
    'MILLRACE_STOPPING',
    'the publisher is closed, so that it writes and reads nothing any more; make another one with createPublisher',
  )
}

function threadDied(cause: unknown): MillraceError {
  return new MillraceError(
    'MILLRACE_JOURNAL_IO',
    'the thread that writes for this publisher has died; see the cause, and make another one with createPublisher',
    { cause },
  )
}

function timeoutOf(options: { readonly timeoutMs: number }): number {
  refuseUnknown(options, ['timeoutMs'], '')
  return duration(options.timeoutMs, 'timeoutMs')
}

/** `createPublisher`, once it is loaded. */
export async function openPublisher(options: PublisherOptions): Promise<JournalPublisher> {
  refuseUnknown(options, ['journal'], '')
  const { journal } = options
  if (typeof journal !== 'string' || journal === '' || journal === ':memory:') {
    throw invalidOption('journal', journal, "the path of a runtime's journal")
  }
  const workerData: InboxThreadData = { file: journalPath(journal, 'journal') }
  const worker = new Worker(siblingUrl('../journal/inbox/inbox-thread-main', import.meta.url), {
    name: 'millrace-inbox',
    workerData,
  })
  const name = await new Promise<string>((resolve, reject) => {
    worker.once('message', (message: FromInbox) => {
      if (message.type === 'opened') resolve(message.journal)
      else if (message.type === 'refused') reject(fromErrorRecord(message.error))
    })
    worker.once('error', reject)
  })
  return new JournalPublisher(worker, name)
}
