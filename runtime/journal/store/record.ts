import { stateCodes, jobStates, type JobState } from '../../../lib/job-state.ts'
import type { AttemptRecord, JobRecord, Priority } from '../../../lib/job.ts'
import { formatJobId } from '../../../lib/job.ts'
import { readOverrides } from '../../../lib/job-extra.ts'
import { decodePayload } from '../../../lib/payload.ts'
import { SUSPECT_RANK } from '../schema/schema.ts'
import { type Database, prepare, prepareValue } from '../files/sqlite.ts'

/** A job's row with its task's name and its attempts, as it crosses to the owner. */
export interface StoredJob {
  readonly id: number
  readonly task: string
  readonly task_id: number
  readonly state: number
  readonly rank: number
  readonly ord: number
  readonly claim: number
  readonly attempt: number
  readonly created_at: number
  readonly input: string
  readonly overrides: string | null
  readonly key: string | null
  readonly due_at: number | null
  readonly expires_at: number | null
  readonly crashes: number
  readonly interrupted_at: number | null
  readonly ended_at: number | null
  readonly output: string | null
  readonly attempts: readonly string[]
}

export const JOB_COLUMNS = `j.id, t.name AS task, j.task AS task_id, j.state, j.rank, j.ord, j.claim, j.attempt, j.created_at, j.input,
  j.overrides, j.key, j.due_at, j.expires_at, j.crashes, j.interrupted_at, j.ended_at, j.output`

/** A CROSS JOIN keeps SQLite from beginning with the tasks, after which it would have to sort the jobs. */
export const FROM_JOBS = 'FROM millrace_jobs j CROSS JOIN millrace_tasks t ON t.id = j.task'

/** The job that a number means, also if it has no row, or none any more. */
export interface FoundJob {
  /** Another one for a duplicate. */
  readonly number: number
  readonly job: StoredJob | undefined
}

/** A job's row; the number of a duplicate that has none of its own leads to the job that has its key. */
export function recordOf(db: Database, number: number): StoredJob | undefined {
  return findJob(db, number).job
}

export function findJob(db: Database, asked: number): FoundJob {
  const number = numberBehind(db, asked)
  const sql = `SELECT ${JOB_COLUMNS} ${FROM_JOBS} WHERE j.id = ?`
  const row = prepare<[number], Omit<StoredJob, 'attempts'>>(db, sql).get(number)
  return { number, job: row === undefined ? undefined : withAttempts(db, row) }
}

/** The job that a number means: the first one for a duplicate from the inbox or of an attempt, whose own number has no row. */
export function numberBehind(db: Database, number: number): number {
  return prepareValue<[number], number>(db, 'SELECT job FROM millrace_aliases WHERE id = ?').get(number) ?? number
}

export function withAttempts(db: Database, row: Omit<StoredJob, 'attempts'>): StoredJob {
  const attempts = prepareValue<[number], string>(
    db,
    'SELECT record FROM millrace_attempts WHERE job = ? ORDER BY claim',
  )
  return { ...row, attempts: attempts.all(row.id) }
}

/** What the owner shows of a stored job. */
export function toJobRecord(journal: string, row: StoredJob): JobRecord {
  return {
    id: formatJobId(journal, row.id),
    task: row.task,
    state: stateOf(row.state),
    priority: (9 - (row.rank % SUSPECT_RANK)) as Priority,
    attempts: row.attempt,
    claim: row.claim,
    crashes: row.crashes,
    createdAt: row.created_at,
    ...(row.due_at !== null && { dueAt: row.due_at }),
    ...(row.expires_at !== null && { expiresAt: row.expires_at }),
    ...(row.ended_at !== null && { endedAt: row.ended_at }),
    ...(row.interrupted_at !== null && { interruptedAt: row.interrupted_at }),
    ...(row.key !== null && { key: row.key }),
    metadata: metadataOf(row),
    input: shown(row.input),
    ...(row.output !== null && { output: shown(row.output) }),
    history: row.attempts.map((text) => JSON.parse(text) as AttemptRecord),
  }
}

/** A record shows what can be read: one damaged payload must not hide a whole page of jobs. */
function shown(payload: string): unknown {
  try {
    return decodePayload(payload)
  } catch {
    return undefined
  }
}

function metadataOf({ overrides }: StoredJob): JobRecord['metadata'] {
  try {
    return overrides === null ? {} : (readOverrides(overrides).metadata ?? {})
  } catch {
    // As above.
    return {}
  }
}

export function stateOf(code: number): JobState {
  return jobStates.find((state) => stateCodes[state] === code) as JobState
}
