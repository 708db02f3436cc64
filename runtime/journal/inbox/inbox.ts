import { type ErrorRecord, toErrorRecord } from '../../../lib/error-record.ts'
import { MillraceError } from '../../../lib/errors.ts'
import { readExtra } from '../../../lib/job-extra.ts'
import type { AttemptRecord, JobExtra } from '../../../lib/job.ts'
import { decodePayload } from '../../../lib/payload.ts'
import { isTaskName } from '../../../lib/task.ts'
import { addAliases } from '../store/aliases.ts'
import { appendJobs } from '../store/append.ts'
import type { Ledger } from '../store/ledger.ts'
import { INBOX_NUMBERS_FROM } from '../schema/schema.ts'
import type { InboxRow } from '../schema/statements.ts'
import { decodeWish, type Wish } from './wish.ts'

const INBOX_JOBS = 512
const INBOX_BYTES = 256 * 1024

/** Whose jobs those are whose row names no task; no task can have this name. */
const NAMELESS = '!unreadable'

interface InboxJob {
  readonly row: InboxRow
  readonly extra: JobExtra | null
}

/**
 * Moves what other connections have put into the inbox into the queue, in the order in which it was put there: a job gets
 * its order number and its key, a wish is carried out. The number of such a job follows from its inbox id, so that its
 * writer knew it before the owner did.
 * Anybody may have written it: what cannot be read becomes a dead job, since it must neither be lost nor stop what comes
 * behind it.
 */
export function unpackInbox(ledger: Ledger, now: number, carryOut: (wish: Wish) => void): void {
  const rows = nextRows(ledger)
  const last = rows.at(-1)
  if (last === undefined) return ledger.inboxIsEmpty()
  let jobs: InboxJob[] = []
  for (const row of rows) {
    try {
      const wish = decodeWish(row)
      if (wish === undefined) jobs.push({ row, extra: readJob(row) })
      else {
        // It may be about a job that was put in right before it.
        move(ledger, jobs, now)
        jobs = []
        carryOut(wish)
      }
    } catch (error) {
      if (!isUnreadable(error)) throw error
      bury(ledger, row, now, toErrorRecord(error))
    }
  }
  move(ledger, jobs, now)
  ledger.sql.unpacked.run(last.id)
}

function nextRows(ledger: Ledger): InboxRow[] {
  const rows: InboxRow[] = []
  let bytes = 0
  for (const row of ledger.sql.unpack.iterate(INBOX_JOBS)) {
    rows.push(row)
    bytes += row.input.length + (row.options?.length ?? 0)
    if (bytes >= INBOX_BYTES) break
  }
  return rows
}

function readJob({ task, input, options }: InboxRow): JobExtra | null {
  if (!isTaskName(task)) {
    throw new MillraceError(
      'MILLRACE_PAYLOAD_CORRUPT',
      `a job names no task; got ${JSON.stringify(task.slice(0, 80))}; look at who else writes to the journal`,
    )
  }
  decodePayload(input)
  return options === null ? null : readExtra(options)
}

function isUnreadable(error: unknown): boolean {
  return error instanceof MillraceError && error.code === 'MILLRACE_PAYLOAD_CORRUPT'
}

function move(ledger: Ledger, jobs: readonly InboxJob[], now: number): void {
  const columns = {
    numbers: jobs.map(({ row }) => numberOf(row)),
    tasks: jobs.map(({ row }) => ledger.tasks.add(row.task)),
    inputs: jobs.map(({ row }) => row.input),
    extras: jobs.map(({ extra }) => extra),
    createdAt: jobs.map(({ row }) => createdAtOf(row, now)),
  }
  const { duplicates, failures } = appendJobs(ledger, columns, now, 'wait')
  addAliases(ledger, columns.numbers, duplicates, now)
  for (const { index, error } of failures) bury(ledger, (jobs[index] as InboxJob).row, now, error)
}

function bury(ledger: Ledger, row: InboxRow, now: number, error: ErrorRecord): void {
  const number = numberOf(row)
  const index = ledger.tasks.add(isTaskName(row.task) ? row.task : NAMELESS)
  const task = ledger.tasks.idOf(index)
  const record: AttemptRecord = { claim: 0, attempt: 0, endedAt: now, type: 'failed', error }
  const keepUntil = ledger.keepTimes.until(number, index, now)
  const { changes } = ledger.sql.bury.run(
    number,
    task,
    ledger.nextOrd++,
    createdAtOf(row, now),
    row.input,
    now,
    keepUntil,
  )
  if (changes > 0) ledger.sql.recordAttempt.run(number, 0, JSON.stringify(record))
}

/** Its writer's clock may be wrong, but nothing is enqueued later than it is here, nor before there was any clock. */
function createdAtOf({ created_at }: InboxRow, now: number): number {
  return Math.max(0, Math.min(created_at, now))
}

function numberOf({ id }: InboxRow): number {
  return INBOX_NUMBERS_FROM + id
}
