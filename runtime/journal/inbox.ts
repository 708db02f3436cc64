import { toErrorRecord } from '../../lib/error-record.ts'
import type { AttemptRecord, JobExtra } from '../../lib/job.ts'
import { stateCodes } from '../../lib/job-state.ts'
import { decodePayload } from '../../lib/payload.ts'
import { appendJobs } from './append.ts'
import type { Ledger } from './ledger.ts'
import { INBOX_NUMBERS_FROM } from './schema.ts'
import { decodeWish, type Wish } from './wish.ts'

const INBOX_JOBS = 512

/** How long the id of a duplicate leads to the job that had its key. */
const ALIAS_MS = 24 * 3_600_000

interface InboxRow {
  readonly id: number
  readonly task: string
  readonly input: string
  readonly created_at: number
  readonly options: string | null
}

/**
 * Moves what other connections have put into the inbox into the queue, where it gets its order number and where keys
 * are checked. The number of such a job follows from its inbox id, so that its writer knew it before the owner did.
 * What cannot be read becomes a dead job: it must neither be lost nor stop what comes behind it.
 */
export function unpackInbox(ledger: Ledger, now: number, carryOut: (wish: Wish) => void): 'empty' | 'more' {
  const rows = ledger.sql.unpack.all(INBOX_JOBS)
  if (rows.length === 0) {
    ledger.inboxIsEmpty()
    return 'empty'
  }
  const numbers: number[] = []
  const tasks: number[] = []
  const inputs: string[] = []
  const extras: (JobExtra | null)[] = []
  for (const row of rows) {
    const wish = decodeWish(row)
    if (wish !== undefined) {
      carryOut(wish)
      continue
    }
    const task = ledger.tasks.add(row.task)
    const extra = readable(ledger, row, task, now)
    if (extra === undefined) continue
    numbers.push(INBOX_NUMBERS_FROM + row.id)
    tasks.push(task)
    inputs.push(row.input)
    extras.push(extra)
  }
  const { duplicates } = appendJobs(ledger, { numbers, tasks, inputs, extras }, now, 'wait')
  const alias = ledger.db.prepare('INSERT INTO millrace_aliases (id, job, until) VALUES (?, ?, ?)')
  for (let at = 0; at < duplicates.length; at += 2) {
    alias.run(numbers[duplicates[at] as number], duplicates[at + 1], now + ALIAS_MS)
  }
  ledger.sql.unpacked.run((rows.at(-1) as InboxRow).id)
  return 'more'
}

function readable(ledger: Ledger, row: InboxRow, task: number, now: number): JobExtra | null | undefined {
  try {
    decodePayload(row.input)
    return row.options === null ? null : (JSON.parse(row.options) as JobExtra)
  } catch (error) {
    bury(ledger, row, task, now, error)
    return undefined
  }
}

function bury(ledger: Ledger, row: InboxRow, task: number, now: number, error: unknown): void {
  const number = INBOX_NUMBERS_FROM + row.id
  const record: AttemptRecord = { claim: 0, attempt: 0, endedAt: now, type: 'failed', error: toErrorRecord(error) }
  ledger.db
    .prepare(`
      INSERT INTO millrace_jobs
        (id, task, state, rank, ord, claim, attempt, created_at, input, ended_at, keep_until)
      VALUES (?, ?, ${stateCodes.dead}, 5, ?, 0, 0, ?, '', ?, ?)`)
    .run(number, ledger.tasks.idOf(task), ledger.nextOrd++, row.created_at, now, now + ledger.keepEndedMs)
  ledger.sql.recordAttempt.run(number, 0, JSON.stringify(record))
}
