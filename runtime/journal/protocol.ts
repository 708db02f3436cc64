import type { ErrorRecord } from '../../lib/error-record.ts'
import type { JobExtra } from '../../lib/job.ts'
import type { Transition } from '../../lib/job-state.ts'
import type { TailLoss } from './mark.ts'
import type { Wished } from './wish.ts'

/**
 * What passes between the owner and the journal thread. Jobs travel as columns, since a structured clone pays for each
 * object; tasks as their index in a list that both sides append to in the same order.
 */

export interface JobColumns {
  readonly numbers: number[]
  readonly tasks: number[]
  readonly inputs: string[]
  /** `null` where no job of the group has any. */
  readonly extras: (JobExtra | null)[] | null
}

/** How a claim ended, for every end but the plain success of a job that leaves nothing. */
export interface Settle {
  readonly number: number
  readonly claim: number
  readonly transition: Extract<
    Transition,
    'succeed' | 'retry' | 'snooze' | 'release' | 'die' | 'discard' | 'cancel-running' | 'expire'
  >
  /** 'drop' deletes the row: a success of which nothing is kept. */
  readonly row: 'keep' | 'drop'
  readonly attempt: number
  readonly dueAt?: number
  readonly endedAt?: number
  readonly keepUntil?: number
  readonly output?: string
  /** JSON of the `AttemptRecord`, if there is something to tell. */
  readonly record?: string
  readonly children?: JobColumns
}

/** The owner still holds these claims; every other running row goes back. Asked for after either side lost its memory. */
export interface Reconcile {
  readonly type: 'reconcile'
  readonly held: ReadonlyMap<number, number>
}

export type Selection = { readonly states: readonly number[]; readonly tasks: readonly number[] | undefined }

/** How far a request for many jobs has got: which pair of state and task, and the last job of it. */
export interface ManyCursor {
  readonly part: number
  readonly id: number
}

interface Many {
  readonly where: Selection
  /** Rows that are looked at in one commit. */
  readonly limit: number
  /** `next` of the answer before. */
  readonly after?: ManyCursor
}

/** Rare writes, each under a savepoint of its own; the answer has the same index. */
export type Request =
  | { readonly type: 'cancel'; readonly number: number; readonly keepUntil: number }
  | { readonly type: 'revive'; readonly number: number }
  /** Deletes the row of a job that does not run. */
  | { readonly type: 'remove'; readonly number: number }
  | {
      readonly type: 'reschedule'
      readonly number: number
      readonly dueAt?: number
      readonly rank?: number
      readonly input?: string
    }
  | (Many & { readonly type: 'cancel-many'; readonly keepUntil: number })
  | (Many & { readonly type: 'revive-many' })
  | (Many & { readonly type: 'purge' })
  | {
      readonly type: 'sweep'
      readonly limit: number
      readonly maxResults: number
      readonly maxEnded: number
      /** Most succeeded jobs to keep of a task, by task index. */
      readonly histories: readonly { readonly task: number; readonly max: number }[]
    }
  /** Starts the next suspects, if none is on trial: they come with the reply's claims. */
  | { readonly type: 'trial' }
  | { readonly type: 'interrupted'; readonly numbers: readonly number[] }
  /** Which job has the key now: asked for an enqueue whose answer was lost. */
  | { readonly type: 'key-holder'; readonly task: number; readonly key: string }
  | Reconcile

export type Answer =
  | { readonly type: 'cancelled' | 'requested' | 'ended' | 'absent' }
  | { readonly type: 'revived' | 'rescheduled' | 'removed' }
  | { readonly type: 'wrong-state'; readonly state: number }
  | { readonly type: 'key-taken'; readonly number: number }
  | { readonly type: 'holder'; readonly number: number | undefined }
  /** How many were changed; `more` when the limit was reached: ask again, for what comes after `next`. */
  | { readonly type: 'many'; readonly count: number; readonly more: 'yes' | 'no'; readonly next?: ManyCursor }
  | { readonly type: 'failed'; readonly error: ErrorRecord }

export interface PlaceRoom {
  readonly jobs: number
  readonly bytes: number
}

/** Where tasks run: indices into `places`, by task index; -1 parks a task. */
export interface Routes {
  readonly places: readonly { readonly name: string; readonly capacity: PlaceRoom }[]
  readonly placeOf: readonly number[]
}

/** All writes of one tick of the owner: one message. */
export interface Group {
  readonly number: number
  readonly now: number
  /** Names of tasks that shall have an index. */
  readonly names: readonly string[]
  /** New routes; room starts anew with them. */
  readonly routes: Routes | undefined
  /** Room that has become free: place, jobs, bytes, and so on. */
  readonly room: readonly number[]
  readonly jobs: JobColumns | undefined
  /** Plain successes: number, claim, and so on. */
  readonly done: Float64Array | undefined
  readonly settles: readonly Settle[]
  readonly requests: readonly Request[]
}

/** What became of an appended job. */
export const appended = { waiting: 0, claimed: 1, scheduled: 2, duplicate: 3, failed: 4 } as const

export interface ClaimExtra {
  readonly overrides?: string
  readonly key?: string
  readonly expiresAt?: number
  readonly crashes?: number
}

export interface ClaimColumns {
  readonly place: number
  readonly numbers: number[]
  readonly tasks: number[]
  readonly claims: number[]
  readonly attempts: number[]
  readonly ranks: number[]
  readonly ords: number[]
  readonly inputs: string[]
  readonly extras: (ClaimExtra | null)[]
}

export interface Reply {
  readonly number: number
  /** Why the new jobs of the group were not written, while all the rest of it was. */
  readonly jobsRefused?: JournalFault
  /** One of `appended` for each job of the group. */
  readonly appended: Uint8Array
  /** The order number of the group's first job; the others follow. */
  readonly firstOrd: number
  /** Pairs of an index of the group and the number of the job that has its key. */
  readonly duplicates: readonly number[]
  readonly failures: readonly { readonly index: number; readonly error: ErrorRecord }[]
  readonly claims: readonly ClaimColumns[]
  /** Jobs that were due to be claimed but had passed their `expiresAt`. */
  readonly expired: readonly { readonly number: number; readonly task: number }[]
  /** Numbers whose settle found no such claim: somebody else's commit came first. */
  readonly stale: readonly number[]
  /** Settles that could not be written: their jobs stay running. */
  readonly failedSettles: readonly { readonly number: number; readonly error: ErrorRecord }[]
  readonly answers: readonly Answer[]
  /** Wishes of other processes that were in the inbox. */
  readonly wished: readonly Wished[]
  readonly nextDueAt: number | undefined
  /** The owner may number jobs below this. */
  readonly numbersUntil: number
  /** Jobs that wait for a claim, of all tasks that have a place. */
  readonly waiting: number
  /** Jobs that wait for their trial. */
  readonly suspects: number
  /** Names that got the next indices, in their order. */
  readonly newTasks: readonly string[]
}

export interface OpenedJournal {
  readonly name: string
  readonly epoch: number
  readonly commits: number
  readonly firstNumber: number
  readonly numbersUntil: number
  /** Task names in the order of their indices. */
  readonly tasks: readonly string[]
  readonly nextDueAt: number | undefined
  readonly recovered: number
  readonly waiting: number
  readonly suspects: number
  /** Commits that were acknowledged and are not in the file any more. */
  readonly lost?: TailLoss
}

export type JournalFault = {
  readonly kind: 'disk-full' | 'io' | 'corrupt' | 'lost' | 'other'
  readonly error: ErrorRecord
}

export type ToJournal = { readonly type: 'group'; readonly group: Group } | { readonly type: 'close' }

export type FromJournal =
  | { readonly type: 'opened'; readonly journal: OpenedJournal }
  | { readonly type: 'reply'; readonly reply: Reply }
  /** The group was rolled back as a whole. */
  | { readonly type: 'refused'; readonly number: number; readonly fault: JournalFault }
  /** The inbox has rows: send a group, even an empty one. */
  | { readonly type: 'inbox' }
  | { readonly type: 'closed' }
  | { readonly type: 'fault'; readonly fault: JournalFault }
