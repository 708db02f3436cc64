import type { Call, Caller, Watchdog } from './watchdog.ts'

/** Which handler the service's own loop is calling now, until it returns, perhaps with a promise. */
export class HandlerCalls {
  readonly #warned = new Set<string>()
  #task: string | undefined
  /** Is told of every call, where the loop is watched. */
  watchdog: Watchdog | undefined

  enter(call: Call, caller: Caller): void {
    this.#task = call.context.task
    this.watchdog?.enter(call, caller)
  }

  leave(): void {
    this.#task = undefined
    this.watchdog?.leave()
  }

  /** The handler was unwound: it will not leave. */
  forget(): void {
    this.#task = undefined
  }

  /**
   * To be called where the service enqueues: inside of an attempt that is most likely a mistake. It is seen in the part
   * of a handler before its first await; to see more would slow down every promise of the service.
   */
  warnOfEnqueue(): void {
    const task = this.#task
    if (task === undefined || this.#warned.has(task)) return
    this.#warned.add(task)
    process.emitWarning(
      `the handler of ${task} calls runtime.enqueue; such a job is there at once, also if the attempt fails, and again ` +
        "with every retry; expected context.enqueue, which commits with the job's success",
      { code: 'MILLRACE_ENQUEUE_IN_ATTEMPT' },
    )
  }
}
