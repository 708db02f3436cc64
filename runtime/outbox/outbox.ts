import { Doubling } from '../../lib/doubling.ts'
import type { Message, PublishResult } from '../../lib/broker.ts'
import type { Clock, Timer } from '../../lib/clock.ts'
import { toErrorRecord } from '../../lib/error-record.ts'
import { MillraceError } from '../../lib/errors.ts'
import type { Outcome } from '../../lib/outcome.ts'
import type { ClaimedJob, Ended, Found, JobSource, Place, PlaceListener, PlaceReport, Stuck } from '../messages.ts'

export interface OutboxOptions {
  readonly index: number
  readonly clock: Clock
  readonly listener: Pick<PlaceListener, 'ended' | 'room'>
  messageOf(job: ClaimedJob): Message
  publish(messages: readonly Message[]): Promise<readonly PublishResult[]>
  /** Something could not be sent; told at the first failure, and at each one that is waited longer for. */
  kept(news: Kept): void
}

/** Why jobs are still here that shall be elsewhere. */
export interface Kept {
  readonly queue: string
  readonly because: 'unroutable' | 'refused' | 'unconfirmed'
  /** How many of this try. */
  readonly messages: number
  readonly retryMs: number
  readonly error: Error
}

/** What may be sent and not confirmed, or be kept to be sent again. */
const WINDOW = 500
/** Sent together and answered together: while some are on their way others follow, so that the broker is never idle. */
const PART = 50
const HAND_JOBS = 500
const HAND_BYTES = 8 * 1024 * 1024
/** What a broker that is there needs for the last confirms at a stop. */
const CONFIRM_MS = 1_000
const FIRST_MS = 1_000
const MOST_MS = 60_000

interface Sent {
  readonly job: ClaimedJob
  readonly message: Message
}

/**
 * The place where running means being sent: what a broker holds has left it. What nobody knows of, held or not, is kept and
 * sent again as the same message; what is surely not held goes back to the journal for a while, so that a queue which
 * is not there holds up no other.
 */
export class Outbox implements Place {
  readonly name = '(outbox)'
  readonly kind = 'lane'
  readonly ready: Promise<readonly []> = Promise.resolve([])
  readonly capacity = { jobs: WINDOW + HAND_JOBS, bytes: HAND_BYTES }
  readonly parallel = WINDOW
  readonly #options: OutboxOptions
  readonly #underWay = new Set<Sent>()
  #kept: Sent[] = []
  readonly #ofQueue = new Map<string, Doubling>()
  readonly #unconfirmed = new Doubling(FIRST_MS, MOST_MS)
  #again: Timer | undefined
  #status: 'running' | 'stopping' = 'running'
  #emptied: (() => void) | undefined

  constructor(options: OutboxOptions) {
    this.#options = options
  }

  pull(source: JobSource): void {
    if (this.#status !== 'running') return
    const group: Sent[] = []
    while (this.#underWay.size + this.#kept.length + group.length < WINDOW) {
      const job = source.take()
      if (job === undefined) break
      const message = this.#messageOf(job)
      if (message !== undefined) group.push({ job, message })
    }
    this.#send(group)
  }

  /** The broker is there again. */
  wake(): void {
    this.#again?.cancel()
    this.#again = undefined
    this.#send(this.#kept.splice(0))
  }

  recall(): void {
    // Nothing of it comes back before its result.
  }

  takeBack(): readonly [] {
    return []
  }

  cancel(): 'absent' {
    // Each may be held: what somebody wants of it is then for who has it.
    return 'absent'
  }

  resize(): 'refused' {
    return 'refused'
  }

  claims(): readonly ClaimedJob[] {
    return [...this.#underWay, ...this.#kept].map(({ job }) => job)
  }

  report(): Promise<PlaceReport> {
    return Promise.resolve({ threads: [], zombies: 0, restarts: 0 })
  }

  find(): Found | undefined {
    return undefined
  }

  /** What was not answered within the grace goes back: it may be held, and is then overtaken by its next claim. */
  async stop(graceMs: number): Promise<readonly Stuck[]> {
    this.#status = 'stopping'
    this.#again?.cancel()
    this.#giveBack(this.#kept.splice(0))
    if (this.#underWay.size > 0 && graceMs > 0) await this.#emptyWithin(Math.min(graceMs, CONFIRM_MS))
    this.#giveBack([...this.#underWay])
    this.#underWay.clear()
    return []
  }

  #messageOf(job: ClaimedJob): Message | undefined {
    try {
      return this.#options.messageOf(job)
    } catch (error) {
      this.#end([job], { type: 'failed', error: toErrorRecord(error), retry: 'never' })
      return undefined
    }
  }

  #send(all: readonly Sent[]): void {
    for (let at = 0; at < all.length; at += PART) this.#sendPart(all.slice(at, at + PART))
  }

  #sendPart(part: readonly Sent[]): void {
    for (const sent of part) this.#underWay.add(sent)
    this.#options.publish(part.map(({ message }) => message)).then(
      (results) => this.#answered(part, results),
      (error: MillraceError) =>
        this.#answered(
          part,
          part.map(() => ({ type: 'unconfirmed', error })),
        ),
    )
  }

  #answered(group: readonly Sent[], results: readonly PublishResult[]): void {
    const held: ClaimedJob[] = []
    const failures = new Failures()
    group.forEach((sent, at) => {
      // Given back already where the place has stopped.
      if (!this.#underWay.delete(sent)) return
      const result = results[at] as PublishResult
      if (result.type === 'held') {
        held.push(sent.job)
        if (this.#ofQueue.size > 0) this.#ofQueue.delete(sent.message.queue)
      } else if (result.type === 'refused' && result.again === 'never') {
        this.#end([sent.job], { type: 'failed', error: toErrorRecord(result.error), retry: 'never' })
      } else failures.add(sent, result)
    })
    if (held.length > 0) {
      this.#unconfirmed.succeeded()
      this.#end(held, { type: 'held' })
    }
    for (const failure of failures.all()) this.#keep(failure)
    if (this.#status === 'running') this.#options.listener.room(this.#options.index)
    if (this.#underWay.size === 0) this.#emptied?.()
  }

  #keep({ queue, because, error, sent }: Failure): void {
    const messages = sent.length
    if (because === 'unconfirmed') {
      if (this.#status !== 'running') return this.#giveBack(sent)
      this.#kept.push(...sent)
      if (this.#again !== undefined) return
      const retryMs = this.#unconfirmed.failed()
      this.#again = this.#options.clock.setTimer(retryMs, () => this.wake())
      return this.#options.kept({ queue, because, messages, retryMs, error })
    }
    const retryMs = this.#backoffOf(queue).failed()
    this.#end(
      sent.map(({ job }) => job),
      { type: 'put-off', delayMs: retryMs },
    )
    this.#options.kept({ queue, because, messages, retryMs, error })
  }

  #backoffOf(queue: string): Doubling {
    const backoff = this.#ofQueue.get(queue) ?? new Doubling(FIRST_MS, MOST_MS)
    this.#ofQueue.set(queue, backoff)
    return backoff
  }

  #giveBack(sent: readonly Sent[]): void {
    this.#end(
      sent.map(({ job }) => job),
      { type: 'interrupted', cause: 'drain' },
    )
  }

  #end(jobs: readonly ClaimedJob[], outcome: Outcome): void {
    if (jobs.length === 0) return
    const ended: Ended[] = jobs.map((job) => ({ job, outcome, startedAt: undefined, endedAt: undefined }))
    this.#options.listener.ended(this.#options.index, ended)
  }

  #emptyWithin(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = Number.isFinite(ms) ? this.#options.clock.setTimer(ms, resolve) : undefined
      this.#emptied = () => {
        timer?.cancel()
        resolve()
      }
    })
  }
}

interface Failure {
  readonly queue: string
  readonly because: Kept['because']
  readonly error: Error
  readonly sent: Sent[]
}

/** What of a group was not held, together by queue and cause. */
class Failures {
  readonly #byCause = new Map<string, Failure>()

  add(sent: Sent, result: Exclude<PublishResult, { readonly type: 'held' }>): void {
    const { queue } = sent.message
    const key = `${result.type} ${queue}`
    const failure = this.#byCause.get(key)
    if (failure !== undefined) failure.sent.push(sent)
    else {
      const error = result.type === 'unroutable' ? unroutable(queue) : result.error
      this.#byCause.set(key, { queue, because: result.type, error, sent: [sent] })
    }
  }

  all(): Iterable<Failure> {
    return this.#byCause.values()
  }
}

function unroutable(queue: string): MillraceError {
  return new MillraceError(
    'MILLRACE_BROKER_QUEUE',
    `the broker has no queue ${queue}; expected one that a node with a place of this name has made; its jobs wait in the ` +
      'journal and are tried again; start a worker with this tier or lane, or name another one in the task',
  )
}
