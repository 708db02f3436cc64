import type { ErrorRecord } from './error-record.ts'
import { duration, invalidOption, refuseUnknown, wholeNumber } from './options.ts'

/**
 * A circuit breaker: what keeps failing is left alone for a while, and then tried with one job before it gets them all
 * again. M. Nygard, Release It!, 2007. It counts in two half windows, so that it needs no list of what has happened.
 */

export interface BreakerPolicy {
  /** Share of failed attempts from which on the task is suspended. */
  readonly failures: number
  /** Attempts within the window that say something. */
  readonly of: number
  readonly windowMs: number
  /** How long the first suspension lasts; twice as long each time a probe fails. */
  readonly pauseMs: number
  readonly maxPauseMs: number
}

export interface BreakerOptions {
  /** Above 0, up to 1. Default 0.5. */
  readonly failures?: number
  /** Default 20. */
  readonly of?: number
  /** Default 10,000. */
  readonly windowMs?: number
  /** Default 5,000. */
  readonly pauseMs?: number
  /** Default 300,000. */
  readonly maxPauseMs?: number
}

/** Attempts that have ended. */
export interface AttemptCounts {
  readonly failed: number
  readonly all: number
}

/** 'closed' lets everything through, 'open' nothing until then, 'probing' waits for what one job says. */
export type Breaker =
  | {
      readonly type: 'closed'
      readonly halfEndsAt: number
      readonly before: AttemptCounts
      readonly now: AttemptCounts
    }
  | ({ readonly type: 'open'; readonly until: number; readonly opened: number } & AttemptCounts)
  | { readonly type: 'probing'; readonly opened: number }

const NONE: AttemptCounts = { failed: 0, all: 0 }
const MAX_DOUBLINGS = 30

export const closedBreaker: Breaker = { type: 'closed', halfEndsAt: 0, before: NONE, now: NONE }

/** What an attempt that ended at `at` (monotonic ms) makes of it; an attempt that began before it opened says nothing. */
export function attempted(policy: BreakerPolicy, breaker: Breaker, end: 'succeeded' | 'failed', at: number): Breaker {
  switch (breaker.type) {
    case 'open':
      return breaker
    case 'probing':
      return end === 'succeeded' ? closedBreaker : opened(policy, breaker.opened + 1, at, { failed: 1, all: 1 })
    case 'closed': {
      const counted = count(policy, breaker, end, at)
      const failed = counted.before.failed + counted.now.failed
      const all = counted.before.all + counted.now.all
      return all >= policy.of && failed >= all * policy.failures ? opened(policy, 1, at, { failed, all }) : counted
    }
  }
}

/** Time has come to this: an open one whose pause is over lets one job through. */
export function reached(breaker: Breaker, at: number): Breaker {
  return breaker.type === 'open' && at >= breaker.until ? { type: 'probing', opened: breaker.opened } : breaker
}

function opened({ pauseMs, maxPauseMs }: BreakerPolicy, times: number, at: number, counts: AttemptCounts): Breaker {
  const waitMs = Math.min(maxPauseMs, pauseMs * 2 ** Math.min(times - 1, MAX_DOUBLINGS))
  return { type: 'open', until: at + waitMs, opened: times, ...counts }
}

/** Why a task is suspended, as people see it. */
export interface Suspension extends AttemptCounts {
  /** Epoch ms at which one job of it is tried; `undefined` while that is done. */
  readonly untilAt: number | undefined
  /** Of the attempt that was the last straw. */
  readonly error: ErrorRecord
}

type Closed = Extract<Breaker, { type: 'closed' }>

function count({ windowMs }: BreakerPolicy, breaker: Closed, end: 'succeeded' | 'failed', at: number): Closed {
  const half = windowMs / 2
  const since = at - breaker.halfEndsAt
  const turned: Closed =
    since < 0
      ? breaker
      : { type: 'closed', halfEndsAt: at + half, before: since < half ? breaker.now : NONE, now: NONE }
  const failed = turned.now.failed + (end === 'failed' ? 1 : 0)
  return { ...turned, now: { failed, all: turned.now.all + 1 } }
}

/** Checks options and fills them in; `path` begins the paths of errors. */
export function breakerPolicy(options: BreakerOptions, path = 'breaker'): BreakerPolicy {
  refuseUnknown(options, ['failures', 'of', 'windowMs', 'pauseMs', 'maxPauseMs'], `${path}.`)
  const { failures = 0.5, of = 20, windowMs = 10_000, pauseMs = 5_000 } = options
  // Before the default that follows from it, which would be told to be wrong instead.
  duration(pauseMs, `${path}.pauseMs`)
  const { maxPauseMs = Math.max(300_000, pauseMs) } = options
  if (typeof failures !== 'number' || !(failures > 0 && failures <= 1)) {
    throw invalidOption(`${path}.failures`, failures, 'a share above 0, up to 1')
  }
  if (duration(maxPauseMs, `${path}.maxPauseMs`) < pauseMs) {
    throw invalidOption(`${path}.maxPauseMs`, maxPauseMs, `at least pauseMs, ${pauseMs}`)
  }
  if (!(duration(windowMs, `${path}.windowMs`) > 0)) throw invalidOption(`${path}.windowMs`, windowMs, 'more than 0')
  return Object.freeze({
    failures,
    of: wholeNumber(of, 1, 1e6, `${path}.of`),
    windowMs,
    pauseMs,
    maxPauseMs,
  })
}
