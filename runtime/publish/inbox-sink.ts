import type { Clock } from '../../lib/clock.ts'
import { MillraceError } from '../../lib/errors.ts'
import { weightOf } from '../../lib/job.ts'
import type { NewJob } from '../journal/owner/gather.ts'
import type { ToInbox } from '../journal/inbox/inbox-thread-main.ts'
import type { PublishSink } from './publisher.ts'

const GROUP_JOBS = 1_000
const GROUP_BYTES = 256 * 1024

/** Groups what callers enqueue, as the owner's journal does: one group commits while the next gathers. */
export class InboxSink implements PublishSink {
  readonly #names: string[] = []
  readonly #clock: Clock
  readonly #post: (message: ToInbox) => void
  #waiting: NewJob[] = []
  #sent: NewJob[] | undefined
  #plan: 'planned' | 'idle' = 'idle'
  #quiet: (() => void)[] = []
  #end: Error | undefined

  constructor(clock: Clock, post: (message: ToInbox) => void) {
    this.#clock = clock
    this.#post = post
  }

  get refusal(): Error | undefined {
    return this.#end
  }

  /** The inbox gives the numbers. */
  takeNumber(): number {
    return -1
  }

  taskIndex(name: string): number {
    const known = this.#names.indexOf(name)
    return known >= 0 ? known : this.#names.push(name) - 1
  }

  learn(): Promise<void> {
    return Promise.resolve()
  }

  append(job: NewJob): void {
    if (this.#end !== undefined) return job.refused(this.#end)
    this.#waiting.push(job)
    if (this.#plan === 'planned' || this.#sent !== undefined) return
    this.#plan = 'planned'
    this.#clock.setImmediate(() => this.#send())
  }

  written(first: number): void {
    const jobs = this.#sent ?? []
    this.#sent = undefined
    jobs.forEach((job, at) => job.accepted(first + at, 'new'))
    this.#send()
  }

  refused(error: Error): void {
    const jobs = this.#sent ?? []
    this.#sent = undefined
    for (const job of jobs) job.refused(error)
    this.#send()
  }

  /** Nothing more will be written: of the group that is under way nobody can say whether it was. */
  end(error: Error): void {
    this.#end = error
    for (const job of this.#sent ?? []) job.refused(outcomeUnknown(error))
    this.#sent = undefined
    for (const job of this.#waiting.splice(0)) job.refused(error)
    this.#send()
  }

  quiet(): Promise<void> {
    if (this.#sent === undefined && this.#waiting.length === 0) return Promise.resolve()
    return new Promise((resolve) => this.#quiet.push(resolve))
  }

  #send(): void {
    this.#plan = 'idle'
    if (this.#waiting.length === 0) {
      for (const resolve of this.#quiet.splice(0)) resolve()
      return
    }
    const jobs = this.#nextGroup()
    this.#sent = jobs
    this.#post({
      type: 'group',
      tasks: jobs.map((job) => this.#names[job.task] as string),
      inputs: jobs.map((job) => job.input),
      options: jobs.map((job) => (job.extra === null ? null : JSON.stringify(job.extra))),
      createdAt: this.#clock.now(),
    })
  }

  #nextGroup(): NewJob[] {
    let end = 0
    for (let bytes = 0; end < this.#waiting.length && end < GROUP_JOBS && bytes < GROUP_BYTES; end++) {
      bytes += weightOf(this.#waiting[end] as NewJob)
    }
    return this.#waiting.splice(0, end)
  }
}

function outcomeUnknown(cause: Error): MillraceError {
  return new MillraceError(
    'MILLRACE_OUTCOME_UNKNOWN',
    'the thread that writes for this publisher has ended before it said whether the job was written, and under which ' +
      'id; look for it by runtime.jobs() where the journal has its owner, or enqueue it again, with the same key if it had one',
    { cause },
  )
}
