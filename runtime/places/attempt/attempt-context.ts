import type { Context, ContextLog } from '../../../lib/context.ts'
import { MillraceError } from '../../../lib/errors.ts'
import { prepareJob } from '../../../lib/enqueue.ts'
import { formatJobId, type JobExtra, type JobOverrides, weightOf } from '../../../lib/job.ts'
import type { Json } from '../../../lib/json.ts'
import { invalidOption, refuseNoObject } from '../../../lib/options.ts'
import type { ChildJob, LogLine } from '../../../lib/outcome.ts'
import { encodePayload } from '../../../lib/payload.ts'
import type { AnyTask, ChildEnqueueOptions } from '../../../lib/task.ts'
import { AttemptLog } from './attempt-log.ts'
import { versionIn } from './job-version.ts'
import type { Slots } from '../slots.ts'
import type { AbortReason } from '../thread-protocol.ts'

/** The outside as an attempt sees it: the thread's port, or on the service's own loop the lane. */
export interface AttemptHost {
  readonly journal: string
  now(): number
  /** A promise where none is left for the moment. */
  takeNumber(): number | Promise<number>
  /** Whether the place has asked this attempt to end; read by synchronous handlers. */
  abortOf(attempt: AttemptContext): AbortReason | undefined
  /** Whether the place has decided the attempt without it. */
  isGivenUp(attempt: AttemptContext): boolean
  /** Is told whose handler is being called, where many jobs share a thread. */
  readonly calls?: Pick<Slots, 'enter' | 'leave'> | undefined
  progress(number: number, task: string, value: string): void
  /** Resolves to the number of the job, which is another where an earlier one has its key. */
  enqueueNow(task: string, number: number, input: string, extra: JobExtra | null): Promise<number>
}

const MAX_CHILDREN = 10_000
const MAX_CHILD_BYTES = 8 * 1024 * 1024

/** What a handler is given. Everything costly in it is made when it is first asked for. */
export class AttemptContext implements Context {
  readonly task: string
  readonly attempt: number
  readonly number: number
  readonly slot: number
  readonly generation: number
  readonly #host: AttemptHost
  readonly #overrides: string | null
  #controller: AbortController | undefined
  #aborted: AbortReason | undefined
  #children: ChildJob[] | undefined
  #childrenWanted = 0
  #childBytes = 0
  /** 'given-up' where its outcome was decided without it: it commits nothing any more. */
  #status: 'running' | 'ended' | 'given-up' = 'running'
  #log: AttemptLog | undefined

  constructor(
    host: AttemptHost,
    job: {
      readonly number: number
      readonly task: string
      readonly attempt: number
      readonly overrides: string | null
      readonly slot: number
      readonly generation: number
    },
  ) {
    this.#host = host
    this.#overrides = job.overrides
    this.number = job.number
    this.task = job.task
    this.attempt = job.attempt
    this.slot = job.slot
    this.generation = job.generation
  }

  get jobId(): string {
    return this.#overridden.id ?? formatJobId(this.#host.journal, this.number)
  }

  get metadata(): Readonly<Record<string, string>> {
    return this.#overridden.metadata ?? {}
  }

  get #overridden(): JobOverrides {
    return this.#overrides === null ? {} : (JSON.parse(this.#overrides) as JobOverrides)
  }

  /** Of the job's input. */
  get version(): number {
    return versionIn(this.#overrides)
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.abortReason !== undefined && !this.#controller.signal.aborted) {
      this.#controller.abort(abortError(this.abortReason, this.jobId))
    }
    return this.#controller.signal
  }

  get calls(): AttemptHost['calls'] {
    return this.#host.calls
  }

  /** Why the attempt was asked to end, if it was. */
  get abortReason(): AbortReason | undefined {
    return this.#aborted ?? this.#host.abortOf(this)
  }

  get children(): readonly ChildJob[] | undefined {
    return this.#children
  }

  get lines(): readonly LogLine[] | undefined {
    return this.#log?.lines
  }

  get log(): ContextLog {
    const write = (level: LogLine['level']) => (message: string, fields?: Readonly<Record<string, Json>>) => {
      this.#log ??= new AttemptLog(() => this.#host.now())
      this.#log.write(level, message, fields)
    }
    return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
  }

  // Functions rather than methods: handlers take them out of their context, `({ photo }, { progress }) => …`.

  get checkpoint(): Context['checkpoint'] {
    return () => {
      if (this.abortReason !== undefined) throw abortError(this.abortReason, this.jobId)
    }
  }

  get progress(): Context['progress'] {
    return (value) => {
      const text = encodePayload(value, 'progress')
      if (this.#status === 'running' && !this.#host.isGivenUp(this)) this.#host.progress(this.number, this.task, text)
    }
  }

  get enqueue(): Context['enqueue'] {
    return (task, ...[input, options]) => this.#enqueue(task, input, options)
  }

  async #enqueue(task: AnyTask, input: unknown, options: ChildEnqueueOptions = {}): Promise<{ id: string }> {
    this.#refuseIfGivenUp()
    refuseNoObject(options, 'options')
    const { now, ...rest } = options
    if (now !== undefined && typeof now !== 'boolean') throw invalidOption('now', now, 'true, or nothing')
    // Nothing is waited for that is there: a handler that does not await it, or waits for nothing, has its child as well.
    const prepared = prepareJob(task, input, rest, this.#host)
    const job = prepared instanceof Promise ? await prepared : prepared
    if (now !== true) this.#admitChild(weightOf(job))
    const taken = this.#host.takeNumber()
    const number = typeof taken === 'number' ? taken : await taken
    this.#refuseIfGivenUp()
    if (now === true) return this.#idOf(await this.#host.enqueueNow(job.task, number, job.input, job.extra))
    this.#addChild({ number, ...job })
    return this.#idOf(number)
  }

  #idOf(number: number): { id: string } {
    return { id: formatJobId(this.#host.journal, number) }
  }

  /** Its outcome is on its way: what is enqueued from now on cannot commit with it. */
  end(): void {
    this.#status = 'ended'
  }

  /** Its outcome was decided without it. */
  giveUp(): void {
    this.#status = 'given-up'
  }

  get #isGivenUp(): boolean {
    return this.#status === 'given-up' || (this.#status === 'running' && this.#host.isGivenUp(this))
  }

  /** The place asks the attempt to end. */
  abort(reason: AbortReason): void {
    this.#aborted ??= reason
    this.#controller?.abort(abortError(this.#aborted, this.jobId))
  }

  #refuseIfGivenUp(): void {
    if (this.#isGivenUp) throw givenUp(this.jobId)
  }

  #admitChild(bytes: number): void {
    this.#childrenWanted++
    this.#childBytes += bytes
    if (this.#childrenWanted > MAX_CHILDREN || this.#childBytes > MAX_CHILD_BYTES) {
      throw new MillraceError(
        'MILLRACE_TOO_MANY_CHILDREN',
        `one attempt of ${this.task} enqueues too much; got over ${MAX_CHILDREN} jobs or ${MAX_CHILD_BYTES} bytes; ` +
          'pass { now: true } and a key, or let a child go on from a cursor',
      )
    }
  }

  #addChild(child: ChildJob): void {
    if (this.#status !== 'running') throw tooLate(this.jobId, child.task)
    this.#children ??= []
    this.#children.push(child)
  }
}

function givenUp(jobId: string): MillraceError {
  return new MillraceError(
    'MILLRACE_WRONG_STATE',
    `the attempt of job ${jobId} was given up, so that it enqueues nothing any more; expected it to end by its hard ` +
      'limit, or when it is cancelled; pass context.signal on, and stop when it aborts',
  )
}

function tooLate(jobId: string, task: string): MillraceError {
  return new MillraceError(
    'MILLRACE_WRONG_STATE',
    `the attempt of job ${jobId} has ended, so that its child ${task} cannot commit with it; expected context.enqueue ` +
      'before the handler returns; await it, or pass { now: true }',
  )
}

function abortError(reason: AbortReason, jobId: string): MillraceError {
  switch (reason) {
    case 'soft-limit':
      return new MillraceError(
        'MILLRACE_SOFT_LIMIT',
        `job ${jobId} has run for its soft limit; expected it to end by then; clean up and end before the hard limit`,
      )
    case 'cancel':
      return new MillraceError('MILLRACE_JOB_CANCELLED', `job ${jobId} was cancelled while it ran; clean up and end`)
    case 'drain':
      return new MillraceError(
        'MILLRACE_DRAINING',
        `the runtime stops and the grace is over; job ${jobId} goes back uncharged; clean up and end`,
      )
  }
}
