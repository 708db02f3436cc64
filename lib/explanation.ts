import type { Suspension } from './breaker.ts'
import type { ErrorRecord } from './error-record.ts'
import type { EndedState, JobState } from './job-state.ts'
import type { RunningJob } from './places.ts'
import type { Verdict } from './verdict.ts'

/** How many jobs are in front; counted up to a bound, so that asking costs the same whatever the backlog. */
export interface Ahead {
  readonly jobs: number
  /** 'at-least' where there are more than were counted. */
  readonly counted: 'all' | 'at-least'
}

interface OnThread {
  readonly place: string
  readonly thread: number | 'loop'
  readonly runningMs: number
  /** Of its thread. */
  readonly verdict: Verdict
}

/** A limit that holds a job up. */
export type LimitReason =
  /** So many of its key run, or of its task or its place where the limit has no key, as may. */
  | {
      readonly type: 'concurrency'
      readonly of: 'key' | 'task' | 'place'
      /** As JSON: a text or a number. */
      readonly key: string | undefined
      readonly used: number
      readonly limit: number
    }
  /** No more may start before `nextAt`; without one it waits for those that are claimed to start or to end. */
  | {
      readonly type: 'rate'
      readonly of: 'key' | 'task' | 'place'
      readonly key: string | undefined
      readonly limit: number
      readonly perMs: number
      readonly burst: number
      readonly nextAt: number | undefined
    }
  /** As much of its task is claimed as keeps the place busy; whose turn is next is decided later. */
  | { readonly type: 'fair-turn'; readonly claimed: number }

/** Why a job waits, or what it does. */
export type Reason =
  /** There is no row of it: it succeeded and nothing was kept, or it was never enqueued. */
  | { readonly type: 'not-found' }
  /** Another process has enqueued it; the next commit takes it over. */
  | { readonly type: 'in-inbox' }
  | {
      readonly type: 'ended'
      readonly state: EndedState
      readonly endedAt: number
      readonly attempts: number
      readonly error?: ErrorRecord
      readonly why?: string
    }
  | { readonly type: 'delayed'; readonly dueAt: number }
  /** Its handler asked to come back later. */
  | { readonly type: 'snoozed'; readonly dueAt: number }
  /** An attempt has failed; the next one is due then. */
  | { readonly type: 'retry'; readonly dueAt: number; readonly attempts: number; readonly error?: ErrorRecord }
  | { readonly type: 'unknown-task'; readonly task: string }
  | { readonly type: 'place-stopped'; readonly place: string; readonly error: Error }
  /** Until somebody resumes it. */
  | { readonly type: 'task-paused'; readonly task: string }
  | { readonly type: 'place-paused'; readonly place: string }
  /** Attempts of its task keep failing. */
  | ({ readonly type: 'task-suspended'; readonly task: string } & Suspension)
  /** The runtime stops: nothing starts any more. */
  | { readonly type: 'draining' }
  /** It is on its way to a broker: `ahead` go before it. */
  | { readonly type: 'going-out'; readonly ahead: Ahead }
  /** A broker has it, or who takes from there. */
  | { readonly type: 'away' }
  /** It was there at several deaths of the service, and waits for its trial. */
  | { readonly type: 'suspect'; readonly crashes: number }
  | LimitReason
  /** It waits in the journal: `ahead` are before it there, and those that its place has claimed already. */
  | {
      readonly type: 'behind'
      readonly place: string
      readonly ahead: Ahead
      readonly inHand: number
      readonly running: number
    }
  /** Claimed, in memory; `ahead` are before it there. */
  | { readonly type: 'in-hand'; readonly place: string; readonly ahead: number; readonly running: number }
  /** Handed to a thread, where another job runs. It is taken back if that one is slow and another thread is free. */
  | {
      readonly type: 'offered'
      readonly place: string
      readonly thread: number | 'loop'
      readonly behind: RunningJob | undefined
      readonly verdict: Verdict
    }
  | (OnThread & { readonly type: 'running' })
  /** It runs, and somebody wants it cancelled. */
  | (OnThread & { readonly type: 'cancel-requested' })
  /** It was given up, and its thread has not exited: nothing of it is settled before that. */
  | (OnThread & { readonly type: 'given-up' })
  /** It has ended, and its outcome could not be written (`job.unsettled`): it runs again at the next start. */
  | { readonly type: 'not-written' }
  /** Claimed, or ended: the news of it is on its way. */
  | { readonly type: 'on-its-way' }

/** What `explain` answers. */
export interface Explanation {
  readonly id: string
  /** `undefined` for a job that was not found. */
  readonly task: string | undefined
  readonly state: JobState | undefined
  readonly reason: Reason
  /** The reason as a sentence. */
  readonly text: string
}

type Sentences = { readonly [Type in Reason['type']]: (reason: Extract<Reason, { type: Type }>) => string }

const sentences: Sentences = {
  'not-found': () =>
    'it has no row: either it succeeded and its task keeps nothing, or it was never enqueued in this journal',
  'in-inbox': () => 'it was enqueued by another process and waits for the next commit to take it over',
  ended: ({ state, endedAt, attempts, error, why }) =>
    `it ended as ${state} at ${instant(endedAt)}${after(attempts)}` +
    // What ended it was the time, and not that error.
    (state === 'expired' && error !== undefined
      ? `, and its last attempt had failed${because(error.message)}`
      : because(error?.message ?? why)),
  delayed: ({ dueAt }) => `it is delayed until ${instant(dueAt)}`,
  snoozed: ({ dueAt }) => `its handler asked to come back at ${instant(dueAt)}`,
  retry: ({ dueAt, attempts, error }) =>
    `its next attempt is due at ${instant(dueAt)}${after(attempts)}${because(error?.message)}`,
  'unknown-task': ({ task }) => `no module of this service handles its task ${task}: it waits for one that does`,
  'place-stopped': ({ place, error }) => `${place} has given up: ${error.message}`,
  'task-paused': ({ task }) => `its task ${task} is paused`,
  'place-paused': ({ place }) => `${place} is paused`,
  'task-suspended': ({ task, untilAt, failed, all, error }) =>
    `its task ${task} is suspended ${untilAt === undefined ? 'while one job of it is tried' : `until ${instant(untilAt)}`}: ` +
    `${failed} of ${all === 1 ? '1 attempt' : `${all} attempts`} failed, the last with ${error.message}`,
  draining: () => 'the runtime stops and starts nothing new; the next one runs it',
  'going-out': ({ ahead }) => `it waits to go to the broker, behind ${number(ahead)}`,
  away: () => 'it went to the broker, and its outcome has not come home',
  suspect: ({ crashes }) =>
    `it had begun at ${crashes} deaths of the service, and waits for its trial, alone in a process`,
  concurrency: ({ of, key, used, limit }) => `${used} of ${whose(of, key)} run, and ${limit} may at once`,
  rate: ({ of, key, limit, perMs, nextAt }) =>
    `${whose(of, key)} may start ${limit} in ${duration(perMs)}: ` +
    (nextAt === undefined ? 'those that are claimed have to start first' : `the next one at ${instant(nextAt)}`),
  'fair-turn': ({ claimed }) =>
    `${jobs(claimed)} of its task ${claimed === 1 ? 'is' : 'are'} claimed, as many as keep its place busy; ` +
    'whose turn is next is decided by who has run least',
  behind: ({ place, ahead, inHand, running }) =>
    `it waits for ${place}, behind ${number(ahead)} in the journal, ${inHand} in hand and ${running} running`,
  'in-hand': ({ place, ahead, running }) => `${place} has it in hand, behind ${jobs(ahead)} and ${running} running`,
  offered: ({ place, thread, behind, verdict }) =>
    behind === undefined
      ? `it was handed to ${onThread(place, thread)}, which runs nothing else (${verdict})`
      : `it was handed to ${onThread(place, thread)}, behind ${behind.id} of ${behind.task}, which has run for ` +
        `${duration(behind.runningMs)} (${verdict})`,
  running: (reason) => runs(reason),
  'cancel-requested': (reason) => `somebody wants it cancelled; ${runs(reason)}`,
  'given-up': ({ place, thread, runningMs, verdict }) =>
    `it was given up after ${duration(runningMs)}, and ${onThread(place, thread)} has not exited (${verdict}): ` +
    'it is settled when it has',
  'not-written': () => 'it has ended, and its outcome could not be written: it runs again at the next start',
  'on-its-way': () => 'the news of its claim or of its end is on its way',
}

export function sentenceOf(reason: Reason): string {
  return (sentences[reason.type] as (reason: Reason) => string)(reason)
}

function runs({ place, thread, runningMs, verdict }: OnThread): string {
  return `it has run for ${duration(runningMs)} on ${onThread(place, thread)}, which is ${verdict}`
}

function onThread(place: string, thread: number | 'loop'): string {
  return thread === 'loop' ? `the service's own loop (${place})` : `thread ${thread} of ${place}`
}

function number({ jobs: count, counted }: Ahead): string {
  return counted === 'all' ? jobs(count) : `more than ${jobs(count)}`
}

function whose(of: 'key' | 'task' | 'place', key: string | undefined): string {
  return of === 'key' ? `the key ${key ?? 'of no name'}` : `its ${of}`
}

function jobs(count: number): string {
  return count === 1 ? '1 job' : `${count} jobs`
}

function after(attempts: number): string {
  return attempts === 0 ? '' : ` after ${attempts === 1 ? '1 attempt' : `${attempts} attempts`}`
}

function because(message: string | undefined): string {
  return message === undefined ? '' : `: ${message}`
}

function duration(ms: number): string {
  return ms < 10_000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 1_000)} s`
}

function instant(at: number): string {
  return new Date(at).toISOString()
}
