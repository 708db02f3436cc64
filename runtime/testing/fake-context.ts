import type { Context } from '../../lib/context.ts'
import type { JobExtra } from '../../lib/job.ts'
import { checkedInstant, checkedMetadata } from '../../lib/job-extra.ts'
import { oneOf, refuseUnknown, wholeNumber } from '../../lib/options.ts'
import type { LogLine } from '../../lib/outcome.ts'
import { decodePayload } from '../../lib/payload.ts'
import { checkedTaskName } from '../../lib/task.ts'
import { AttemptContext } from '../places/attempt/attempt-context.ts'
import { type AbortReason, abortReasons } from '../places/thread-protocol.ts'

export interface FakeContextOptions {
  /** Name of the task. Default 'test'. */
  readonly task?: string
  /** Default 1. */
  readonly attempt?: number
  readonly metadata?: Readonly<Record<string, string>>
  /** Epoch ms for log lines and delays. Default 0. */
  readonly now?: number
}

/** A child that the handler has enqueued. */
export interface FakeChild {
  readonly task: string
  readonly input: unknown
  /** 'now' for `{ now: true }`; the others would be committed with the success. */
  readonly commits: 'now' | 'with success'
  /** What its options came to, where they say anything. */
  readonly options: JobExtra | null
}

/** A context that does what a real one does, and shows what the handler has done with it. */
export interface FakeContext extends Context {
  readonly enqueued: readonly FakeChild[]
  /** Values given to `progress`, oldest first. */
  readonly progressed: readonly unknown[]
  readonly logged: readonly LogLine[]
  /** Asks the attempt to end, as its place would. Default 'soft-limit'. */
  abort(reason?: AbortReason): void
}

const JOURNAL = 'test00'

/** A context for calling a handler by itself. */
export function fakeContext(options: FakeContextOptions = {}): FakeContext {
  refuseUnknown(options, ['task', 'attempt', 'metadata', 'now'], '')
  return new RecordingContext(options)
}

class RecordingContext extends AttemptContext implements FakeContext {
  readonly progressed: unknown[]
  readonly #atOnce: FakeChild[]

  constructor({ task = 'test', attempt = 1, metadata, now = 0 }: FakeContextOptions) {
    checkedInstant(now, 'now')
    const progressed: unknown[] = []
    const atOnce: FakeChild[] = []
    let lastNumber = 1
    const host = {
      journal: JOURNAL,
      now: () => now,
      takeNumber: () => ++lastNumber,
      abortOf: () => undefined,
      isGivenUp: () => false,
      progress: (_number: number, _task: string, value: string) => void progressed.push(decodePayload(value)),
      enqueueNow: async (child: string, number: number, input: string, extra: JobExtra | null) => {
        atOnce.push({ task: child, input: decodePayload(input), commits: 'now', options: extra })
        return number
      },
    }
    super(host, {
      number: 1,
      task: checkedTaskName(task, 'task'),
      attempt: wholeNumber(attempt, 1, Number.MAX_SAFE_INTEGER, 'attempt'),
      overrides: metadata === undefined ? null : JSON.stringify({ metadata: checkedMetadata(metadata) }),
      slot: 0,
      generation: 0,
    })
    this.progressed = progressed
    this.#atOnce = atOnce
  }

  get enqueued(): readonly FakeChild[] {
    const children = (this.children ?? []).map(
      ({ task, input, extra }): FakeChild => ({
        task,
        input: decodePayload(input),
        commits: 'with success',
        options: extra,
      }),
    )
    return [...this.#atOnce, ...children]
  }

  get logged(): readonly LogLine[] {
    return this.lines ?? []
  }

  override abort(reason: AbortReason = 'soft-limit'): void {
    super.abort(oneOf(reason, abortReasons, 'reason'))
  }
}
