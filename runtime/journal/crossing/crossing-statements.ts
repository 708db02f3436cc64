import { stateCodes } from '../../../lib/job-state.ts'
import type { UnsentOutcomes } from './crossing.ts'
import { become, guard, IS_OUTBOUND, IS_SUSPECT, isTaken, OUTBOUND_RANK, SUSPECT_RANK } from '../schema/schema.ts'
import { type Database, prepare, prepareTuples, prepareValue } from '../files/sqlite.ts'
import type { Placed } from '../schema/statements.ts'

const { available, running, away } = stateCodes

/** An outcome may be here before it is written that its job was handed over: that it has come says so as well. */
const IS_SENT = `(${guard('come-home')} OR (${guard('hand-over')} AND ${IS_OUTBOUND}))`

/** How the last claim of a job that was taken from a broker has ended here. */
export interface TakenRow {
  readonly claim: number
  readonly until: number
  /** JSON of `TakenVerdict`; `null`: 'done'. */
  readonly verdict: string | null
}

/** The statements of jobs that cross machines. */
export function prepareCrossing(db: Database) {
  return { ...ofOutbox(db), ...ofTaken(db), ...ofForgetting(db), ...ofTold(db), ...ofHomecoming(db) }
}

/** Rows that wait and whose task goes another way than they do, since the owner before had other routes, or none yet. */
function ofOutbox(db: Database) {
  return {
    sendOut: prepare<[number]>(
      db,
      `
      UPDATE millrace_jobs SET rank = rank % ${SUSPECT_RANK} + ${OUTBOUND_RANK}
      WHERE state = ${available} AND task = ? AND NOT (${IS_OUTBOUND}) AND NOT (${IS_SUSPECT})
        AND NOT ${isTaken('id')}`,
    ),
    keepForLater: prepare<[number, number]>(
      db,
      `
      UPDATE millrace_jobs SET ${become('postpone')}, rank = rank % ${SUSPECT_RANK}
      WHERE state = ${available} AND task = ? AND ${IS_OUTBOUND} AND due_at > ?`,
    ),
    /** Whether it was wished that it shall not run goes on being known. */
    handOver: prepare<[number, number, number]>(
      db,
      `
      UPDATE millrace_jobs
      SET ${become('hand-over')}, keep_until = ?, due_at = NULL, crashes = 0, interrupted_at = NULL
      WHERE id = ? AND claim = ? AND ${guard('hand-over')}`,
    ),
    keepHere: prepare<[number]>(
      db,
      `
      UPDATE millrace_jobs SET rank = rank % ${SUSPECT_RANK}, due_at = NULL
      WHERE state = ${available} AND task = ? AND ${IS_OUTBOUND}`,
    ),
  }
}

/** A row of a delivery. */
export type NewRow = [
  ...[id: number, task: number, state: number, rank: number, ord: number, claim: number, attempt: number],
  ...[createdAt: number, input: string, overrides: string, expiresAt: number | null, part: string | null],
  ...[crashes: number, origin: string],
]

function prepareTakenRow(db: Database) {
  return prepare<NewRow>(
    db,
    `
    INSERT INTO millrace_jobs
      (id, task, state, rank, ord, claim, attempt, created_at, input, overrides, expires_at, part, crashes, origin)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  )
}

function ofTaken(db: Database) {
  return {
    appendTaken: prepareTakenRow(db),
    findTaken: prepare<[string], TakenRow>(db, 'SELECT claim, until, verdict FROM millrace_taken WHERE id = ?'),
    takenHere: prepareTuples<[], readonly [number: number, origin: string]>(
      db,
      `SELECT id, origin FROM millrace_jobs WHERE ${isTaken('id')}`,
    ),
    dropTaken: prepare<[number, number], { task: number }>(
      db,
      `DELETE FROM millrace_jobs WHERE id = ? AND claim = ? AND ${guard('succeed')} RETURNING task`,
    ),
    /** Whatever its state; what waited has to be counted by who asks. */
    removeTaken: prepare<[number], Placed & { state: number; attempt: number }>(
      db,
      'DELETE FROM millrace_jobs WHERE id = ? RETURNING state, task, part, rank, ord, attempt',
    ),
    rememberTaken: prepare<[string, number, number, string | null]>(
      db,
      `
      INSERT INTO millrace_taken (id, claim, until, verdict) VALUES (?, ?, ?, ?)
      ON CONFLICT (id) DO UPDATE SET claim = excluded.claim, until = excluded.until, verdict = excluded.verdict`,
    ),
  }
}

/** With the next owner, who gets them from the broker again. */
function ofForgetting(db: Database) {
  return {
    forgottenRuns: prepareTuples<[], readonly [task: number, part: string | null]>(
      db,
      `SELECT task, part FROM millrace_jobs WHERE ${isTaken('id')} AND state = ${running}`,
    ),
    forgetTakenAttempts: prepare<[]>(db, `DELETE FROM millrace_attempts WHERE ${isTaken('job')}`),
    forgetTakenJobs: prepare<[]>(db, `DELETE FROM millrace_jobs WHERE ${isTaken('id')}`),
  }
}

function ofTold(db: Database) {
  return {
    isWaiting: prepareValue<[number], number>(db, `SELECT 1 FROM millrace_jobs WHERE id = ? AND ${guard('cancel')}`),
    wasSentBefore: prepareValue<[number, number], number>(
      db,
      'SELECT 1 FROM millrace_jobs WHERE id = ? AND created_at <= ?',
    ),
    isUnwanted: prepareValue<[string, number, number], number>(
      db,
      'SELECT 1 FROM millrace_unwanted WHERE id = ? AND until > ? AND sent_before >= ?',
    ),
    anyUnwanted: prepareValue<[], number>(db, 'SELECT 1 FROM millrace_unwanted LIMIT 1'),
    unwant: prepare<[string, number, number]>(
      db,
      `
      INSERT INTO millrace_unwanted (id, sent_before, until) VALUES (?, ?, ?)
      ON CONFLICT (id) DO UPDATE SET
        sent_before = max(sent_before, excluded.sent_before), until = max(until, excluded.until)`,
    ),
    goHome: prepare<[string, number, string], { seq: number }>(
      db,
      'INSERT INTO millrace_homeward (queue, outcomes, text) VALUES (?, ?, ?) RETURNING seq',
    ),
    sentHome: prepare<[number]>(db, 'DELETE FROM millrace_homeward WHERE seq = ?'),
    unsentHomes: prepare<[number, number], UnsentOutcomes>(
      db,
      'SELECT seq, queue, outcomes, text FROM millrace_homeward WHERE seq > ? ORDER BY seq LIMIT ?',
    ),
  }
}

function ofHomecoming(db: Database) {
  return {
    comeHome: prepare<[number, number]>(
      db,
      `UPDATE millrace_jobs SET ${become('come-home')}, keep_until = NULL WHERE id = ? AND claim = ? AND ${IS_SENT}`,
    ),
    noteAttempt: prepare<[number, number, number]>(
      db,
      `
      UPDATE millrace_jobs SET attempt = max(attempt, ?) WHERE id = ? AND claim = ? AND ${IS_SENT}`,
    ),
    overdueAway: prepare<[number, number], { id: number; task: number; claim: number; attempt: number }>(
      db,
      `
      SELECT id, task, claim, attempt FROM millrace_jobs
      WHERE keep_until IS NOT NULL AND keep_until <= ? AND state = ${away} ORDER BY keep_until LIMIT ?`,
    ),
    giveUp: prepare<[number, number, number]>(
      db,
      `
      UPDATE millrace_jobs SET ${become('give-up')}, ended_at = ?, keep_until = ?, cancel_at = NULL
      WHERE id = ? AND ${guard('give-up')}`,
    ),
  }
}
