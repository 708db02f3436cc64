import type { JobExtra } from '../../lib/job.ts'
import { DEFAULT_PRIORITY } from '../../lib/job.ts'
import { stateCodes } from '../../lib/job-state.ts'
import { toErrorRecord } from '../../lib/error-record.ts'
import type { ErrorRecord } from '../../lib/error-record.ts'
import { faultOf } from './faults.ts'
import { holderOf } from './keys.ts'
import type { Ledger } from './ledger.ts'
import { appended, type JobColumns } from './protocol.ts'

const DEFAULT_RANK = 9 - DEFAULT_PRIORITY

export interface Appended {
  readonly results: Uint8Array
  readonly firstOrd: number
  readonly duplicates: number[]
  readonly failures: { index: number; error: ErrorRecord }[]
}

/** Whether a job may be written as claimed ('short-cut'), or has to wait for a claim of its own. */
type Route = 'short-cut' | 'wait'

/**
 * Writes new jobs. One that nothing in the journal sorts before, and that its place has room for, is written as claimed
 * and goes straight to the place's hand: two row writes in all for its whole life, and no read.
 * A statement that fails is undone by SQLite and fails only its own job.
 */
export function appendJobs(ledger: Ledger, columns: JobColumns, now: number, route: Route): Appended {
  const { numbers, tasks, inputs, extras } = columns
  const results = new Uint8Array(numbers.length)
  const out: Appended = { results, firstOrd: ledger.nextOrd, duplicates: [], failures: [] }
  for (let index = 0; index < numbers.length; index++) {
    const number = numbers[index] as number
    const task = tasks[index] as number
    const input = inputs[index] as string
    const extra = extras === null ? null : (extras[index] as JobExtra | null)
    try {
      results[index] =
        extra === null
          ? appendPlain(ledger, number, task, input, now, route)
          : appendWithExtra(ledger, { number, task, input, extra, now, route }, (first) =>
              out.duplicates.push(index, first),
            )
    } catch (error) {
      if (!ledger.db.inTransaction || faultOf(error) !== undefined) throw error
      results[index] = appended.failed
      out.failures.push({ index, error: toErrorRecord(error) })
    }
    // One for each, whatever became of it: the owner knows its jobs' order numbers by their index.
    ledger.nextOrd++
  }
  const last = numbers.at(-1)
  if (last !== undefined) ledger.reserveNumbers(last)
  return out
}

function appendPlain(ledger: Ledger, number: number, task: number, input: string, now: number, route: Route): number {
  const claimed = route === 'short-cut' && mayClaim(ledger, task, DEFAULT_RANK)
  const id = ledger.tasks.idOf(task)
  const ord = ledger.nextOrd
  if (claimed) {
    ledger.sql.append.run(number, id, stateCodes.running, DEFAULT_RANK, ord, 1, now, input)
    ledger.rooms.use(ledger.waiting.placeOf(task), input.length)
  } else {
    ledger.sql.append.run(number, id, stateCodes.available, DEFAULT_RANK, ord, 0, now, input)
    ledger.waiting.add(task, DEFAULT_RANK, 1)
  }
  return claimed ? appended.claimed : appended.waiting
}

function mayClaim(ledger: Ledger, task: number, rank: number): boolean {
  const place = ledger.waiting.placeOf(task)
  return place >= 0 && ledger.rooms.has(place) && !ledger.waiting.anyBefore(place, rank)
}

interface NewJob {
  readonly number: number
  readonly task: number
  readonly input: string
  readonly extra: JobExtra
  readonly now: number
  readonly route: Route
}

function appendWithExtra(ledger: Ledger, job: NewJob, duplicateOf: (first: number) => void): number {
  const { key } = job.extra
  if (key === undefined) return writeWithExtra(ledger, job)
  const id = ledger.tasks.idOf(job.task)
  const holder = holderOf(ledger, id, key, job.now)
  if (holder !== undefined) {
    duplicateOf(holder)
    return appended.duplicate
  }
  const until = job.extra.keyWindowMs === undefined ? null : job.now + job.extra.keyWindowMs
  return ledger.db.transaction(() => {
    ledger.sql.takeKey.run(id, key, job.number, until)
    return writeWithExtra(ledger, job)
  })()
}

function writeWithExtra(ledger: Ledger, { number, task, input, extra, now, route }: NewJob): number {
  const rank = 9 - (extra.priority ?? DEFAULT_PRIORITY)
  const scheduled = extra.dueAt !== undefined && extra.dueAt > now
  const expired = extra.expiresAt !== undefined && extra.expiresAt <= now
  const claimed = !scheduled && !expired && route === 'short-cut' && mayClaim(ledger, task, rank)
  const state = scheduled ? stateCodes.scheduled : claimed ? stateCodes.running : stateCodes.available
  ledger.sql.appendWithExtra.run(
    number,
    ledger.tasks.idOf(task),
    state,
    rank,
    ledger.nextOrd,
    claimed ? 1 : 0,
    now,
    input,
    extra.overrides ?? null,
    extra.key ?? null,
    scheduled ? (extra.dueAt as number) : null,
    extra.expiresAt ?? null,
  )
  if (scheduled || extra.expiresAt !== undefined) ledger.timesChanged = 'yes'
  if (claimed) ledger.rooms.use(ledger.waiting.placeOf(task), input.length)
  else if (!scheduled) ledger.waiting.add(task, rank, 1)
  return scheduled ? appended.scheduled : claimed ? appended.claimed : appended.waiting
}
