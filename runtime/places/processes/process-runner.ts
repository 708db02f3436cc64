import type { Clock } from '../../../lib/clock.ts'
import type { Outcome } from '../../../lib/outcome.ts'
import type { StartsSink } from '../../journal/files/starts.ts'
import { type Attribute, callHandler, failure } from '../attempt/attempt.ts'
import { AttemptContext, type AttemptHost } from '../attempt/attempt-context.ts'
import type { Handlers } from '../attempt/handlers.ts'
import type { FromProcess, ProcessJob, ToProcess } from './process-protocol.ts'

export interface ProcessRunnerOptions {
  readonly handlers: Handlers
  readonly host: AttemptHost
  readonly starts: StartsSink | undefined
  readonly clock: Clock
  send(message: FromProcess): void
  memoryBytes(): number
  readonly attribute: Attribute
}

/** The process's side of its one job. */
export class ProcessRunner {
  readonly #options: ProcessRunnerOptions
  #running: { readonly context: AttemptContext; readonly claim: number } | undefined

  constructor(options: ProcessRunnerOptions) {
    this.#options = options
  }

  run(job: ProcessJob): void {
    const { host, clock } = this.#options
    const { number, task, claim, overrides } = job
    const context = new AttemptContext(host, {
      number,
      task,
      attempt: job.attempt + 1,
      overrides,
      slot: 0,
      generation: 0,
    })
    this.#running = { context, claim }
    const startedAt = clock.now()
    const outcome = this.#call(context, job)
    if (outcome instanceof Promise) void outcome.then((settled) => this.#ended(context, settled, startedAt))
    else this.#ended(context, outcome, startedAt)
  }

  /** Throws nothing: the place would wait for the end of a job that never began. */
  #call(context: AttemptContext, { start, number, claim, input }: ProcessJob): Outcome | Promise<Outcome> {
    const { handlers, starts, send, attribute } = this.#options
    try {
      starts?.begin(start, number, claim)
      send({ type: 'begun' })
      return callHandler(handlers, input, context, attribute)
    } catch (error) {
      return failure(error)
    }
  }

  abort({ number, claim, reason }: Extract<ToProcess, { type: 'abort' }>): void {
    const running = this.#running
    if (running?.context.number === number && running.claim === claim) running.context.abort(reason)
  }

  #ended(context: AttemptContext, outcome: Outcome, startedAt: number): void {
    const { clock, send, memoryBytes } = this.#options
    context.end()
    this.#running = undefined
    send({ type: 'ended', outcome, startedAt, endedAt: clock.now(), memoryBytes: memoryBytes() })
  }
}
