import type { Reschedule } from '../../lib/enqueue.ts'
import type { ErrorRecord } from '../../lib/error-record.ts'
import type { JobExtra } from '../../lib/job.ts'
import type { MaxWaiting, PartLimits } from '../../lib/limits.ts'
import type { Transition } from '../../lib/job-state.ts'
import type {
  GivenUp,
  DeliveredColumns,
  OutcomeAtHome,
  UnsentOutcomes,
  Outbound,
  TakenAnswers,
  TakenColumns,
  TakenEnd,
} from './crossing/crossing.ts'
import type { EndedRow, Expired } from './store/expired.ts'
import type { HistoryBound } from './store/history.ts'
import type { TailLoss } from './files/mark.ts'
import type { Recovered } from './store/recover.ts'
import type { Wished } from './inbox/wish.ts'

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
    'succeed' | 'retry' | 'snooze' | 'release' | 'die' | 'discard' | 'cancel-running' | 'expire' | 'hand-over'
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
  /** Of a task with limits: when the attempt began, in epoch ms, and how long it ran; absent if it never began. */
  readonly startedAt?: number
  readonly ranMs?: number
  /** Of a job that was taken from a broker, when its delivery is over with this claim. */
  readonly taken?: TakenEnd
}

/** One that is written by a statement of its own; what was handed over goes as columns. */
export type RowSettle = Settle & { readonly transition: RowTransition }
export type RowTransition = Exclude<Settle['transition'], 'hand-over'>

/** The owner still holds these claims; every other running row goes back. Asked for after either side lost its memory. */
export interface Reconcile {
  readonly type: 'reconcile'
  readonly held: ReadonlyMap<number, number>
}

export type Selection = { readonly states: readonly number[]; readonly tasks: readonly number[] | undefined }

interface Many {
  readonly where: Selection
  /** Jobs that one commit changes at most. */
  readonly limit: number
  /** `next` and `ends` of the answer before. */
  readonly after?: number | undefined
  readonly ends?: readonly number[] | undefined
}

/** Rare writes, each under a savepoint of its own; the answer has the same index. */
export type Request =
  | { readonly type: 'cancel'; readonly number: number }
  | { readonly type: 'revive'; readonly number: number }
  /** Deletes the row of a job that does not run. */
  | { readonly type: 'remove'; readonly number: number }
  | ({ readonly type: 'reschedule'; readonly number: number } & Reschedule)
  | (Many & { readonly type: 'cancel-many' })
  | (Many & { readonly type: 'revive-many' })
  | (Many & { readonly type: 'purge' })
  | {
      readonly type: 'sweep'
      readonly limit: number
      readonly maxResults: number
      readonly maxEnded: number
      readonly histories: readonly HistoryBound[]
    }
  /** Starts the next suspects, if none is on trial: they come with the reply's claims. */
  | { readonly type: 'trial' }
  /** Claims one job of a task that is parked, wherever it stands: it comes with the reply's claims, and takes room of the place. */
  | { readonly type: 'probe'; readonly task: number; readonly place: number }
  | { readonly type: 'interrupted'; readonly numbers: readonly number[] }
  /** A setting that outlives the owner; `null` takes it away. */
  | { readonly type: 'set'; readonly name: string; readonly value: string | null }
  /** For an enqueue whose answer was lost: whether the job was written, and if not which one has its key now. */
  | { readonly type: 'lost-job'; readonly number: number; readonly task: number; readonly key: string | undefined }
  /** Which jobs the journal itself has ended at one of these instants: expired, or cancelled while they waited. */
  | { readonly type: 'ended-at'; readonly instants: readonly number[] }
  | Reconcile
  | { readonly type: 'come-home'; readonly outcomes: readonly OutcomeAtHome[] }
  /** These need not be sent home any more. */
  | { readonly type: 'sent-home'; readonly sent: readonly number[] }
  /** The next of what still has to be sent home. */
  | { readonly type: 'unsent'; readonly after: number; readonly limit: number }
  /** Public ids of jobs that shall not run here; those that wait here end at once. */
  | Unwant
  /** Jobs of which no outcome has come home in time are dead. */
  | { readonly type: 'give-up-away'; readonly limit: number }

/** Jobs by their public ids, as they were sent until an instant; it is kept in mind until another one. */
export interface Unwant {
  readonly type: 'unwant'
  readonly ids: readonly string[]
  readonly sentBefore: number
  readonly until: number
}

export type Answer =
  | { readonly type: 'cancelled'; readonly task: number }
  | { readonly type: 'ended' | 'absent' }
  /** It is told to who has the job: one of `stateCodes`, running or away. */
  | { readonly type: 'requested'; readonly state: number; readonly task: number }
  | { readonly type: 'revived' | 'rescheduled' | 'removed' | 'set' }
  | { readonly type: 'wrong-state'; readonly state: number }
  | { readonly type: 'key-taken'; readonly number: number }
  | { readonly type: 'holder'; readonly number: number | undefined }
  | { readonly type: 'ended-at'; readonly jobs: readonly EndedRow[] }
  /** How many were changed; `more` when the limit was reached: ask again. */
  | { readonly type: 'many'; readonly count: number; readonly more: 'yes' | 'no' }
  /** `nextAt`: when the time of the next ended job is over, if any has one. */
  | { readonly type: 'swept'; readonly count: number; readonly more: 'yes' | 'no'; readonly nextAt: number | undefined }
  /** Which jobs were changed, and their tasks; ask again for what comes after `next`, if there is one, up to `ends`. */
  | {
      readonly type: 'changed'
      readonly ends?: readonly number[]
      readonly numbers: readonly number[]
      readonly tasks: readonly number[]
      readonly next: number | undefined
    }
  | { readonly type: 'given-up'; readonly jobs: readonly GivenUp[] }
  /** By index: 'stale' found no such job that is away, or of another claim. */
  | { readonly type: 'home'; readonly came: readonly ('came' | 'stale' | 'failed')[] }
  | { readonly type: 'unsent'; readonly homes: readonly UnsentOutcomes[] }
  /** Numbers here of those that ended, as `TakenAnswer` 'ended' would say done, and of those that run. */
  | { readonly type: 'unwanted'; readonly ended: readonly number[]; readonly running: readonly number[] }
  | { readonly type: 'failed'; readonly error: ErrorRecord }

export interface PlaceRoom {
  readonly jobs: number
  readonly bytes: number
}

export interface PlaceRoute {
  readonly name: string
  readonly capacity: PlaceRoom
  /** How many jobs it runs at once. */
  readonly parallel: number
  /** One claim in how many may be a retry while fresh work waits. */
  readonly retryEvery?: number
  /** Of all its tasks together. */
  readonly maxWaiting?: MaxWaiting
}

/** Where tasks run: indices into `places`, by task index; -1 parks a task. */
export interface Routes {
  readonly places: readonly PlaceRoute[]
  readonly placeOf: readonly number[]
  /** The same for a task that is held up, which has no place meanwhile; absent where none is. */
  readonly homeOf?: readonly number[]
  /** By task index; without any where absent. */
  readonly limits?: readonly (PartLimits | undefined)[]
  readonly maxWaiting?: readonly (MaxWaiting | undefined)[]
  /** How long its jobs are kept that end otherwise than by success, by task index; absent in those of a stop. */
  readonly keepEndedMs?: readonly (number | undefined)[]
  /** Absent without a broker: then everything runs here. */
  readonly outbound?: Outbound
}

/** All writes of one tick of the owner: one message. */
export interface Group {
  readonly number: number
  readonly now: number
  /** The lowest number that the owner has not given out: the journal keeps a reserve ahead of it. */
  readonly nextNumber: number
  /** Names of tasks that shall have an index. */
  readonly names: readonly string[]
  /** New routes; room starts anew with them. */
  readonly routes: Routes | undefined
  /** Room that has become free: place, jobs, bytes, and so on. */
  readonly room: readonly number[]
  readonly jobs: JobColumns | undefined
  /** Plain successes: number, claim, and so on. */
  readonly done: Float64Array | undefined
  readonly settles: readonly RowSettle[]
  /** Starts of claims that have a rate: number, when in epoch ms, and so on. */
  readonly starts?: Float64Array
  /** Overloaded tasks of which others wait to be let in. */
  readonly asks?: readonly number[]
  readonly requests: readonly Request[]
  readonly taken?: TakenColumns
  readonly delivered?: DeliveredColumns
  /** Jobs that a broker holds: number, claim, until when it is waited for their outcome, and so on. */
  readonly handedOver?: Float64Array
}

/** What became of an appended job. */
export const appended = {
  waiting: 0,
  claimed: 1,
  scheduled: 2,
  duplicate: 3,
  failed: 4,
  /** Not written: its task has as many waiting as it may have. */
  overloaded: 5,
  /** The same, of a task whose callers wait for room. */
  'held-back': 6,
  /** Written as expired: it could not have started in time. */
  expired: 7,
  /** Written as claimed by the outbox. */
  'claimed-out': 8,
} as const

export interface ClaimExtra {
  readonly overrides?: string
  readonly key?: string
  readonly expiresAt?: number
  readonly crashes?: number
  /** Of a job on its way out: when it shall run at the earliest. */
  readonly dueAt?: number
  /** Of a job on its way out: its keys, where its task has limits by key. */
  readonly part?: string
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
  readonly taken?: TakenAnswers
  /** The order number of the first taken job; the others follow. */
  readonly takenOrd?: number
  /** What goes home of what has ended. */
  readonly homes?: readonly UnsentOutcomes[]
  /** Pairs of a task that was overloaded and has room again, and for how many jobs. */
  readonly roomOf: readonly number[]
  /** Pairs of an index of the group and the number of the job that has its key. */
  readonly duplicates: readonly number[]
  readonly failures: readonly { readonly index: number; readonly error: ErrorRecord }[]
  readonly claims: readonly ClaimColumns[]
  /** Jobs that were due to be claimed but had passed their `expiresAt`. */
  readonly expired: readonly Expired[]
  /** Of jobs that its settles have expired: the error of the attempt before. */
  readonly lastErrors?: ReadonlyMap<number, ErrorRecord>
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
  /** Those of them that no limit is known to hold up. */
  readonly claimable: number
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
  /** What the owner before left running. */
  readonly recovered: Recovered
  readonly waiting: number
  readonly claimable: number
  readonly suspects: number
  /** What earlier owners have set, as pairs of name and value. */
  readonly settings: readonly (readonly [string, string])[]
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
  | { readonly type: 'overgrown'; readonly logBytes: number }
  | { readonly type: 'fault'; readonly fault: JournalFault }

export type {
  GivenUp,
  Instead,
  DeliveredColumns,
  OutcomeAtHome,
  UnsentOutcomes,
  Outbound,
  TakenAnswer,
  TakenAnswers,
  TakenColumns,
  TakenEnd,
  TakenExtra,
  TakenJob,
  TakenVerdict,
} from './crossing/crossing.ts'
