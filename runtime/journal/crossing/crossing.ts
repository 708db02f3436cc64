import type { ErrorRecord } from '../../../lib/error-record.ts'
import type { OutcomesFor } from '../../../lib/homeward.ts'
import type { RowSettle } from '../protocol.ts'

/** What passes between the owner and the journal thread of jobs that run on another machine, or come from one. */

/** A delivery of a broker that shall run here. It stays the broker's: the next owner of the journal forgets its row. */
export interface TakenJob {
  /** One of this journal, as any new job has. */
  readonly number: number
  /** Index of its task. */
  readonly task: number
  readonly input: string
  /** Its public id, which is of the journal where it was enqueued. */
  readonly id: string
  /** Rises with each of its publications; the higher one has the right to run. */
  readonly claim: number
  /** Attempts that were charged so far. */
  readonly attempt: number
  readonly createdAt: number
  readonly priority?: number
  /** JSON of `JobOverrides`, without its id; nearly all have none. */
  readonly overrides?: string
  readonly expiresAt?: number
  readonly part?: string
  /** It waits for its trial. */
  readonly suspect?: 'yes'
  /** The queue that its outcome goes to; nowhere if absent. */
  readonly reply?: string
}

/** As columns: most have none of what is in `extras`. */
export interface TakenColumns {
  /** Six for each: number, task, claim, attempt, when it was created, and which of `replies` its outcome goes to, or -1. */
  readonly facts: Float64Array
  readonly ids: string[]
  readonly inputs: string[]
  /** Each once. */
  readonly replies: string[]
  readonly extras: (TakenExtra | null)[] | null
}

export type TakenExtra = Pick<TakenJob, 'priority' | 'overrides' | 'expiresAt' | 'part' | 'suspect'>

/** What the broker is told of a delivery that has ended. */
export type TakenVerdict =
  | { readonly type: 'done' }
  /** Published again. */
  | { readonly type: 'again'; readonly attempt: number; readonly dueAt: number }
  | { readonly type: 'dead'; readonly reason: string }

export interface Instead {
  readonly number: number
  readonly was: 'waiting' | 'running'
}

/** What became of a taken delivery. */
export type TakenAnswer =
  /** Its row is here. As with a new job, one that is claimed at once goes straight to the hand: claim 1, `takenOrd` + index. */
  | {
      readonly type: 'taken'
      readonly claimed: 'yes' | 'no'
      /** An older claim of it that was here, and has lost its row to this one: where it runs its settle will be stale. */
      readonly instead?: Instead
    }
  /** Exactly this claim has ended here. */
  | { readonly type: 'ended'; readonly verdict: TakenVerdict }
  /** Exactly this claim has a row here, of this number. */
  | { readonly type: 'here'; readonly number: number }
  /** A newer claim of it is known. */
  | { readonly type: 'overtaken' }
  /** Somebody wants it cancelled. */
  | { readonly type: 'unwanted' }
  | { readonly type: 'failed'; readonly error: ErrorRecord }

/** A job of which no outcome has come home in its time. */
export interface GivenUp {
  readonly number: number
  /** By its index. */
  readonly task: number
  /** The one that was away, 1-based. */
  readonly attempt: number
}

/** The two answers of nearly all, which stand for many at once. */
export const CLAIMED = { type: 'taken', claimed: 'yes' } as const satisfies TakenAnswer
export const WAITS = { type: 'taken', claimed: 'no' } as const satisfies TakenAnswer

/** One answer for each delivery of a group. */
export interface TakenAnswers {
  /** Of those that are not in `others`: 1 where it is claimed. */
  readonly claimed: Uint8Array
  readonly others: ReadonlyMap<number, TakenAnswer>
}

/** With it a settle deletes the row, whatever its transition, and how the claim has ended is remembered. */
export interface TakenEnd {
  readonly id: string
  readonly verdict: TakenVerdict
  /** 'no': it has not begun, and may come again. */
  readonly remember: 'yes' | 'no'
  /** The outcome that goes home, as `encodeOutcome` has it; nothing if absent. */
  readonly home?: string
}

/** Plain successes of taken jobs: nothing is written of them but that they have ended, and what goes home. */
export interface DeliveredColumns {
  /** Number, claim, and so on. */
  readonly done: Float64Array
  readonly homes: (string | null)[]
}

/** An outcome that has come home, of a job that is `away`. */
export interface OutcomeAtHome {
  readonly number: number
  /** That of the row here. */
  readonly claim: number
  readonly settle: Omit<RowSettle, 'number' | 'claim' | 'taken' | 'children'>
  /** Not an end: only the attempt's record and count are written, and the job stays away. */
  readonly note?: 'attempt'
}

/** Outcomes of one commit that go to one queue: it stands in the journal until it was sent. */
export interface UnsentOutcomes extends OutcomesFor {
  /** Rises from commit to commit. */
  readonly seq: number
}

/** Jobs that are not local: where they go instead of their place. */
export interface Outbound {
  /** Index of the outbox in `Routes.places`; a job that it gets keeps its band: `rank` is at least `OUTBOUND_RANK`. */
  readonly place: number
  /** By task index; an index beyond the end is 'out'. */
  readonly tasks: readonly ('out' | 'here')[]
  /** A delay of at least so much goes along; `undefined`: the broker holds nothing back. */
  readonly stepMs: number | undefined
}
