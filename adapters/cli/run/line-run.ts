import { toErrorRecord } from '../../../lib/error-record.ts'
import { type ErrorCode, MillraceError } from '../../../lib/errors.ts'
import { isEnded } from '../../../lib/job-state.ts'
import type { JobRecord } from '../../../lib/job.ts'
import { isUnnamedKey } from '../../../lib/limits.ts'
import type { AnyTask } from '../../../lib/task.ts'
import type { EnqueueOptions, Job, Runtime } from '../../../runtime/index.ts'
import { Door } from './door.ts'
import type { InputLine } from './input-lines.ts'
import { parsed } from './line-input.ts'
import { KEEP_RESULT_MS, keyOfLine } from './line-keys.ts'
import { endedLine, refusedLine, succeededLine } from './outcome-line.ts'
import type { OutcomeFile } from './outcome-file.ts'
import { type Finished, OutcomeWriter } from './outcome-writer.ts'
import { Room } from './room.ts'

export interface LineRunOptions {
  readonly runtime: Runtime
  readonly task: AnyTask
  readonly output: OutcomeFile
  /** How often a job is tried; `undefined` as its task says. */
  readonly attempts: number | undefined
  written(finished: readonly Finished[]): void
  failed(error: unknown): void
}

/** Makes a job of every line and a line of every outcome. */
export class LineRun {
  readonly #options: LineRunOptions
  readonly #writer: OutcomeWriter
  readonly #room = new Room()
  readonly #door = new Door<Job>()
  #status: 'open' | 'stopping' = 'open'
  #ended: (() => void)[] = []

  constructor(options: LineRunOptions) {
    this.#options = options
    this.#writer = new OutcomeWriter(options.output, {
      written: (finished) => this.#written(finished),
      failed: options.failed,
    })
  }

  /** Lines that are under way. */
  get open(): number {
    return this.#room.taken
  }

  get isStopping(): boolean {
    return this.#status === 'stopping'
  }

  /** Resolves when there is room for the line and its job has been handed to the journal. */
  async start(line: InputLine): Promise<void> {
    await this.#room.enter(line.text.length)
    if (this.#status === 'stopping') return
    void this.#run(line)
  }

  /** Waits for a job that an earlier run has enqueued. */
  resume(line: number, job: Job): void {
    this.#room.take(0)
    void this.#follow(line, job, 0)
  }

  /** Resolves when every line that was started has its outcome on disk. */
  async finished(): Promise<void> {
    if (this.#room.taken > 0) await new Promise<void>((resolve) => this.#ended.push(resolve))
    await this.#writer.idle()
  }

  /** Starts nothing more; what ends from here on is still written. */
  stop(): void {
    this.#status = 'stopping'
    this.#writer.leaveRows()
    this.#door.close()
    this.#room.close()
  }

  /** Writes the last outcomes of a runtime that has stopped. */
  flush(): Promise<void> {
    return this.#writer.idle()
  }

  async #run(line: InputLine): Promise<void> {
    const { number, text } = line
    const { runtime, task, attempts } = this.#options
    const options: EnqueueOptions = {
      key: keyOfLine(number),
      keepResultMs: KEEP_RESULT_MS,
      ...(attempts !== undefined && { retry: { attempts } }),
    }
    try {
      const input = parsed(line) as never
      const job = await this.#door.pass(() => runtime.enqueue(task, input, options))
      await this.#follow(number, job, text.length)
    } catch (error) {
      if (isOfInput(error)) {
        const refused = refusedLine(number, toErrorRecord(error))
        this.#writer.add({ line: number, state: 'refused', text: refused, inputBytes: text.length, job: undefined })
      } else if (this.#status === 'open') this.#options.failed(error)
    }
  }

  async #follow(line: number, job: Job, inputBytes: number): Promise<void> {
    for (;;) {
      try {
        const text = succeededLine(line, await job.result())
        return this.#writer.add({ line, state: 'succeeded', text, inputBytes, job })
      } catch (error) {
        if (isStopping(error)) return
        const record = await this.#recordOf(job)
        if (record === undefined) return
        if (!isEnded(record.state)) continue
        return this.#writer.add({
          line,
          state: record.state,
          text: endedLine(line, record),
          inputBytes,
          job: undefined,
        })
      }
    }
  }

  /** A job that ends without success keeps its row. */
  async #recordOf(job: Job): Promise<JobRecord | undefined> {
    try {
      return await job.record()
    } catch (error) {
      if (this.#status === 'open') this.#options.failed(error)
      return undefined
    }
  }

  #written(finished: readonly Finished[]): void {
    this.#options.written(finished)
    for (const { inputBytes } of finished) this.#room.leave(inputBytes)
    if (this.#room.taken === 0) for (const resolve of this.#ended.splice(0)) resolve()
  }
}

const OF_INPUT: readonly ErrorCode[] = ['MILLRACE_INPUT_INVALID', 'MILLRACE_OPAQUE_INPUT']

/** Whether it is the line that no job can be made of: the same line would be refused by every run. */
function isOfInput(error: unknown): boolean {
  return error instanceof MillraceError && (OF_INPUT.includes(error.code) || isUnnamedKey(error))
}

function isStopping(error: unknown): boolean {
  return error instanceof MillraceError && error.code === 'MILLRACE_STOPPING'
}
