import { type JobExtra, weightOf } from '../../../lib/job.ts'
import { stateCodes } from '../../../lib/job-state.ts'
import { toErrorRecord } from '../../../lib/error-record.ts'
import type { ErrorRecord } from '../../../lib/error-record.ts'
import { putOff } from './debounce.ts'
import type { Expired } from './expired.ts'
import { faultOf } from '../files/faults.ts'
import { holderOf } from './keys.ts'
import type { Ledger } from './ledger.ts'
import { appended, type JobColumns } from '../protocol.ts'
import { DEFAULT_RANK, isOutboundRank, OUTBOUND_RANK, rankOf } from '../schema/schema.ts'

export interface Appended {
  readonly results: Uint8Array
  readonly firstOrd: number
  readonly duplicates: number[]
  readonly failures: { index: number; error: ErrorRecord }[]
  /** Those that could not have started in time. */
  readonly expired: Expired[]
}

interface NewColumns extends JobColumns {
  /** When each was enqueued, where that was not now: its key is taken from then on. */
  readonly createdAt?: readonly number[]
}

/** Whether a job may be written as claimed ('short-cut'), or has to wait for a claim of its own. */
type Route = 'short-cut' | 'wait'

/**
 * Writes new jobs. One that nothing in the journal sorts before, and that its place has room for, is written as claimed
 * and goes straight to the place's hand: two row writes in all for its whole life, and no read.
 * A statement that fails is undone by SQLite and fails only its own job.
 */
export function appendJobs(ledger: Ledger, columns: NewColumns, now: number, route: Route): Appended {
  const { numbers, tasks, inputs, extras, createdAt } = columns
  const results = new Uint8Array(numbers.length)
  const out: Appended = { results, firstOrd: ledger.nextOrd, duplicates: [], failures: [], expired: [] }
  for (let index = 0; index < numbers.length; index++) {
    const number = numbers[index] as number
    const task = tasks[index] as number
    const input = inputs[index] as string
    const extra = extras === null ? null : (extras[index] as JobExtra | null)
    const enqueuedAt = createdAt === undefined ? now : (createdAt[index] as number)
    try {
      results[index] =
        extra === null
          ? appendPlain(ledger, number, task, input, enqueuedAt, route)
          : appendWithExtra(ledger, { number, task, input, extra, enqueuedAt, now, route }, (first) =>
              out.duplicates.push(index, first),
            )
    } catch (error) {
      if (!ledger.db.inTransaction || faultOf(error) !== undefined) throw error
      results[index] = appended.failed
      out.failures.push({ index, error: toErrorRecord(error) })
    }
    if (results[index] === appended.expired) out.expired.push({ number, task })
    // One for each, whatever became of it: the owner knows its jobs' order numbers by their index.
    ledger.nextOrd++
  }
  return out
}

function appendPlain(
  ledger: Ledger,
  number: number,
  task: number,
  input: string,
  enqueuedAt: number,
  route: Route,
): number {
  const rank = ledger.outbound.rankOf(task, DEFAULT_RANK)
  const claimed = route === 'short-cut' && mayClaim(ledger, task, rank)
  const away = claimed || route === 'wait' ? undefined : turnedAway(ledger, task)
  if (away !== undefined) return away
  const id = ledger.tasks.idOf(task)
  const ord = ledger.nextOrd
  if (claimed) {
    ledger.sql.append.run(number, id, stateCodes.running, rank, ord, 1, enqueuedAt, input)
    useRoom(ledger, task, input.length, rank)
  } else {
    ledger.sql.append.run(number, id, stateCodes.available, rank, ord, 0, enqueuedAt, input)
    ledger.beginsToWait({ task, part: null, rank, ord })
  }
  return claimed ? claimedAs(rank) : appended.waiting
}

function claimedAs(rank: number): number {
  return isOutboundRank(rank) ? appended['claimed-out'] : appended.claimed
}

export function useRoom(ledger: Ledger, task: number, bytes: number, rank: number): void {
  const place = isOutboundRank(rank) ? ledger.outbound.place : ledger.waiting.placeOf(task)
  ledger.rooms.use(place, bytes, rank)
  if (ledger.waitingJobs > 0 && anyWaits(ledger, place)) ledger.turns.passOver(place)
}

function anyWaits({ outbound, waiting, regulator }: Ledger, place: number): boolean {
  if (place === outbound.place) return outbound.waiting.firstRank(place) !== undefined
  return waiting.firstRank(place) !== undefined || regulator.firstRank(place) !== undefined
}

/** For callers who can be told; what has been acknowledged elsewhere is written whatever waits. */
function turnedAway(ledger: Ledger, task: number): number | undefined {
  const verdict = ledger.admission.of(task)
  if (verdict === 'admit') return undefined
  return verdict === 'reject' ? appended.overloaded : appended['held-back']
}

function hasForNew({ rooms, turns }: Ledger, place: number): boolean {
  return rooms.hasBeyond(place, turns.owed(place))
}

/** Whether its place, or the outbox where it goes out, has room for it, and nothing goes before it or is owed that room. */
export function mayClaim(ledger: Ledger, task: number, rank: number): boolean {
  if (isOutboundRank(rank)) {
    const { place, waiting } = ledger.outbound
    return hasForNew(ledger, place) && !waiting.anyBefore(place, rank - OUTBOUND_RANK)
  }
  const place = ledger.waiting.placeOf(task)
  if (place < 0 || !hasForNew(ledger, place) || ledger.waiting.anyBefore(place, rank)) return false
  // Whether limits let a job run is for the claim to say, and how many retries there are among others.
  if (ledger.retried.total > 0 && ledger.retried.firstRank(place) !== undefined) return false
  return !ledger.regulator.has(task) && !ledger.regulator.anyBefore(place, rank)
}

interface NewJob {
  readonly number: number
  readonly task: number
  readonly input: string
  readonly extra: JobExtra
  readonly enqueuedAt: number
  readonly now: number
  readonly route: Route
}

function appendWithExtra(ledger: Ledger, job: NewJob, duplicateOf: (first: number) => void): number {
  const { key } = job.extra
  if (key === undefined) return whereNotTurnedAway(ledger, job, () => writeWithExtra(ledger, job))
  const id = ledger.tasks.idOf(job.task)
  const holder = holderOf(ledger, id, key, job.enqueuedAt)
  if (holder !== undefined && isDuplicate(ledger, job, holder)) {
    duplicateOf(holder)
    return appended.duplicate
  }
  const until = job.extra.keyWindowMs === undefined ? null : job.enqueuedAt + job.extra.keyWindowMs
  const write = ledger.db.transaction(() => {
    ledger.sql.takeKey.run(id, key, job.number, until)
    return writeWithExtra(ledger, job)
  })
  return whereNotTurnedAway(ledger, job, write)
}

/** A debounced job is in the one that it has put off; otherwise the first one with the key is what both are. */
function isDuplicate(ledger: Ledger, { input, extra }: NewJob, holder: number): boolean {
  return extra.debounce !== 'yes' || putOff(ledger, holder, input, extra) === 'put-off'
}

function whereNotTurnedAway(ledger: Ledger, job: NewJob, write: () => number): number {
  const { task, extra, route } = job
  if (route === 'wait' || !ledger.admission.bounds(task)) return write()
  if (isScheduled(ledger, job) || mayClaim(ledger, task, ledger.outbound.rankOf(task, rankOf(extra.priority))))
    return write()
  return turnedAway(ledger, task) ?? write()
}

/** Whether it waits here for its time. A debounced job does in any case, so that it can be put off. */
function isScheduled(ledger: Ledger, { task, extra, now }: NewJob): boolean {
  const { dueAt, debounce } = extra
  if (dueAt === undefined || dueAt <= now) return false
  return debounce === 'yes' || !ledger.outbound.holdsBack(task, dueAt - now)
}

function writeWithExtra(ledger: Ledger, job: NewJob): number {
  const { number, task, input, extra, enqueuedAt, now, route } = job
  const rank = ledger.outbound.rankOf(task, rankOf(extra.priority))
  const scheduled = isScheduled(ledger, job)
  const expired = extra.expiresAt !== undefined && extra.expiresAt <= now
  const claimed = !scheduled && !expired && route === 'short-cut' && mayClaim(ledger, task, rank)
  const ord = ledger.nextOrd
  const state = scheduled ? stateCodes.scheduled : claimed ? stateCodes.running : stateCodes.available
  ledger.sql.appendWithExtra.run(
    number,
    ledger.tasks.idOf(task),
    state,
    rank,
    ord,
    claimed ? 1 : 0,
    enqueuedAt,
    input,
    extra.overrides ?? null,
    extra.key ?? null,
    extra.dueAt !== undefined && extra.dueAt > now ? extra.dueAt : null,
    extra.expiresAt ?? null,
    extra.part ?? null,
  )
  if (state === stateCodes.available && route === 'short-cut' && isHopeless(ledger, task, rank, extra))
    return expire(ledger, number, task, now)
  if (scheduled || extra.expiresAt !== undefined) ledger.timesChanged = 'yes'
  if (claimed) useRoom(ledger, task, weightOf(job), rank)
  else if (!scheduled) ledger.beginsToWait({ task, part: extra.part ?? null, rank, ord })
  return scheduled ? appended.scheduled : claimed ? claimedAs(rank) : appended.waiting
}

/** Of a task with limits nobody knows: what waits before it may be held up by them, or it may itself. */
function isHopeless(ledger: Ledger, task: number, rank: number, { useByMs }: JobExtra): boolean {
  if (useByMs === undefined || isOutboundRank(rank) || ledger.regulator.has(task)) return false
  return ledger.paces.isHopeless(task, rank, useByMs)
}

/** It is known already that it will not start in time: whoever waits for it need not. */
function expire(ledger: Ledger, number: number, task: number, now: number): number {
  ledger.sql.freeKey.run(number)
  ledger.sql.expire.run(now, ledger.keepTimes.until(number, task, now), number)
  return appended.expired
}
