import { stateCodes } from '../../../lib/job-state.ts'
import { prepareCrossing } from '../crossing/crossing-statements.ts'
import { become, DEFAULT_RANK, guard, RETRIED_RANK, SUSPECT_CRASHES, SUSPECT_RANK } from './schema.ts'
import type { RowTransition } from '../protocol.ts'
import { type Database, prepare, prepareTuples, prepareValue } from '../files/sqlite.ts'

/** A waiting job as a claim reads it: a tuple, in the order of `WAITING_COLUMNS`. */
export type WaitingRow = readonly [
  id: number,
  ord: number,
  claim: number,
  attempt: number,
  crashes: number,
  expiresAt: number | null,
  overrides: string | null,
  key: string | null,
  input: string,
  dueAt: number | null,
  part: string | null,
]

export const WAITING_COLUMNS = 'id, ord, claim, attempt, crashes, expires_at, overrides, key, input, due_at, part'

/** What another connection has put into the inbox. */
export interface InboxRow {
  readonly id: number
  readonly task: string
  readonly input: string
  readonly created_at: number
  readonly options: string | null
}

/** Where a row stands among those that wait, or would. */
export interface Placed {
  readonly task: number
  readonly part: string | null
  readonly rank: number
  readonly ord: number
}

const { available, scheduled } = stateCodes

/** Every write names the state it starts from; a row that is elsewhere is left alone and the caller sees 0 changes. */
export function prepareStatements(db: Database) {
  return {
    ...ofAppending(db),
    ...ofKeys(db),
    ...ofClaiming(db),
    ...ofSettling(db),
    ...ofTime(db),
    ...ofInbox(db),
    ...ofOwner(db),
    ...prepareCrossing(db),
  }
}

function ofAppending(db: Database) {
  return {
    append: prepare<[number, number, number, number, number, number, number, string]>(
      db,
      `
      INSERT INTO millrace_jobs (id, task, state, rank, ord, claim, attempt, created_at, input)
      VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?)`,
    ),
    appendWithExtra: prepare<
      [
        number,
        number,
        number,
        number,
        number,
        number,
        number,
        string,
        string | null,
        string | null,
        number | null,
        number | null,
        string | null,
      ]
    >(
      db,
      `
      INSERT INTO millrace_jobs
        (id, task, state, rank, ord, claim, attempt, created_at, input, overrides, key, due_at, expires_at, part)
      VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?)`,
    ),
  }
}

function ofKeys(db: Database) {
  return {
    findKey: prepare<[number, string], { job: number; until: number | null }>(
      db,
      'SELECT job, until FROM millrace_keys WHERE task = ? AND key = ?',
    ),
    takeKey: prepare<[number, string, number, number | null]>(
      db,
      `
      INSERT INTO millrace_keys (task, key, job, until) VALUES (?, ?, ?, ?)
      ON CONFLICT (task, key) DO UPDATE SET job = excluded.job, until = excluded.until`,
    ),
    waitingRow: prepare<[number], Placed & { state: number }>(
      db,
      `SELECT state, task, part, rank, ord FROM millrace_jobs WHERE id = ? AND ${guard('postpone')}`,
    ),
    /** The input is new, and so is its version; what else the job was enqueued with stays. */
    putOff: prepare<[number, string, string | null, number | null, number, number, number]>(
      db,
      `
      UPDATE millrace_jobs SET ${become('postpone')}, due_at = ?, input = ?, part = ?, expires_at = ?,
        overrides = CASE WHEN coalesce(json_extract(overrides, '$.version'), 1) = ? THEN overrides
          ELSE json_set(coalesce(overrides, '{}'), '$.version', ?) END
      WHERE id = ? AND ${guard('postpone')}`,
    ),
    /** A key with the scope 'unfinished' is free again when its job has ended. */
    giveUpKey: prepare<[number, string, number]>(
      db,
      'DELETE FROM millrace_keys WHERE task = ? AND key = ? AND job = ? AND until IS NULL',
    ),
    /** The same for a job that still has its row. */
    freeKey: prepare<[number]>(
      db,
      `
      DELETE FROM millrace_keys WHERE until IS NULL
        AND (task, key, job) IN (SELECT task, key, id FROM millrace_jobs WHERE id = ? AND key IS NOT NULL)`,
    ),
  }
}

function ofClaiming(db: Database) {
  return {
    heads: prepareTuples<[number, number, number, number], WaitingRow>(
      db,
      `
      SELECT ${WAITING_COLUMNS} FROM millrace_jobs
      WHERE state = ${available} AND task = ? AND rank = ? AND ord > ? ORDER BY ord LIMIT ?`,
    ),
    /** All of a task and rank up to an order number: what a claim has read is always such a range. */
    claimUpTo: prepare<[number, number, number]>(
      db,
      `
      UPDATE millrace_jobs SET ${become('claim')}, claim = claim + 1
      WHERE ${guard('claim')} AND task = ? AND rank = ? AND ord <= ?`,
    ),
    claim: prepare<[number]>(
      db,
      `UPDATE millrace_jobs SET ${become('claim')}, claim = claim + 1 WHERE id = ? AND ${guard('claim')}`,
    ),
    waitingCounts: prepare<[], { task: number; rank: number; jobs: number }>(
      db,
      `
      SELECT task, rank, count(*) AS jobs FROM millrace_jobs
      WHERE state = ${available} GROUP BY task, rank ORDER BY task, rank`,
    ),
  }
}

function ofSettling(db: Database) {
  return {
    finish: prepare<[number, number]>(
      db,
      `DELETE FROM millrace_jobs WHERE id = ? AND claim = ? AND ${guard('succeed')}`,
    ),
    drop: prepare<[number, number], { task: number; key: string | null }>(
      db,
      `DELETE FROM millrace_jobs WHERE id = ? AND claim = ? AND ${guard('succeed')} RETURNING task, key`,
    ),
    forgetAttempts: prepare<[number]>(db, 'DELETE FROM millrace_attempts WHERE job = ?'),
    recordAttempt: prepare<[number, number, string]>(
      db,
      `
      INSERT INTO millrace_attempts (job, claim, record) VALUES (?, ?, ?)
      ON CONFLICT (job, claim) DO UPDATE SET record = excluded.record`,
    ),
    lastAttempt: prepareValue<[number], string>(
      db,
      'SELECT record FROM millrace_attempts WHERE job = ? ORDER BY claim DESC LIMIT 1',
    ),
    trimAttempts: prepare<[number, number, number]>(
      db,
      `
      DELETE FROM millrace_attempts WHERE job = ? AND claim <= (
        SELECT claim FROM millrace_attempts WHERE job = ? ORDER BY claim DESC LIMIT 1 OFFSET ?)`,
    ),
    settle: prepareSettles(db),
  }
}

function ofTime(db: Database) {
  return {
    due: prepare<[number, number], { id: number; task: number; part: string | null; rank: number }>(
      db,
      `
      SELECT id, task, part, rank FROM millrace_jobs
      WHERE state = ${scheduled} AND due_at <= ? ORDER BY due_at, id LIMIT ?`,
    ),
    becomeAvailable: prepare<[number, number, number]>(
      db,
      `UPDATE millrace_jobs SET ${become('due')}, due_at = NULL, ord = ?, rank = ? WHERE id = ? AND ${guard('due')}`,
    ),
    overdue: prepare<[number, number], Placed & { id: number; state: number; claim: number }>(
      db,
      `
      SELECT id, task, part, rank, ord, state, claim FROM millrace_jobs
      WHERE expires_at IS NOT NULL AND state IN (${scheduled}, ${available}) AND expires_at <= ?
      ORDER BY expires_at LIMIT ?`,
    ),
    expire: prepare<[number, number, number]>(
      db,
      `
      UPDATE millrace_jobs SET ${become('expire')}, ended_at = ?, keep_until = ?, due_at = NULL
      WHERE id = ? AND ${guard('expire')}`,
    ),
    nextDueAt: prepareValue<[], number | null>(db, `SELECT min(due_at) FROM millrace_jobs WHERE state = ${scheduled}`),
    nextExpiresAt: prepareValue<[], number | null>(
      db,
      `
      SELECT min(expires_at) FROM millrace_jobs
      WHERE expires_at IS NOT NULL AND state IN (${scheduled}, ${available})`,
    ),
  }
}

function ofInbox(db: Database) {
  return {
    unpack: prepare<[number], InboxRow>(
      db,
      'SELECT id, task, input, created_at, options FROM millrace_inbox ORDER BY id LIMIT ?',
    ),
    unpacked: prepare<[number]>(db, 'DELETE FROM millrace_inbox WHERE id <= ?'),
    addAlias: prepare<[number, number, number]>(db, 'INSERT INTO millrace_aliases (id, job, until) VALUES (?, ?, ?)'),
    /** A number that is taken stays with the job that has it. */
    bury: prepare<[number, number, number, number, string, number, number]>(
      db,
      `
      INSERT OR IGNORE INTO millrace_jobs
        (id, task, state, rank, ord, claim, attempt, created_at, input, ended_at, keep_until)
      VALUES (?, ?, ${stateCodes.dead}, ${DEFAULT_RANK}, ?, 0, 0, ?, ?, ?, ?)`,
    ),
  }
}

function ofOwner(db: Database) {
  return {
    stamp: prepare<[number, number, number, number]>(
      db,
      `
      UPDATE millrace_meta SET commits = ?, next_ord = ?, next_number = ? WHERE one = 1 AND epoch = ?`,
    ),
    settings: prepareTuples<[], readonly [string, string]>(
      db,
      'SELECT name, value FROM millrace_settings ORDER BY name',
    ),
    set: prepare<[string, string]>(
      db,
      `
      INSERT INTO millrace_settings (name, value) VALUES (?, ?)
      ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
    ),
    unset: prepare<[string]>(db, 'DELETE FROM millrace_settings WHERE name = ?'),
  }
}

/**
 * A job that its process survived is no suspect any more; one that is given back unused is what it was, and waits where
 * no claim sees it.
 */
export const KEPT_SUSPECT = `
  rank = CASE WHEN crashes >= ${SUSPECT_CRASHES} THEN rank % ${SUSPECT_RANK} + ${SUSPECT_RANK} ELSE rank END`
const CLEARED = 'crashes = 0'
const SUSPICION = {
  succeed: CLEARED,
  retry: `${CLEARED}, rank = rank % ${SUSPECT_RANK} + ${RETRIED_RANK}`,
  snooze: CLEARED,
  release: KEPT_SUSPECT,
  die: CLEARED,
  discard: CLEARED,
  'cancel-running': CLEARED,
  expire: CLEARED,
} satisfies Record<RowTransition, string>

/** What is given back to the outbox keeps its delay. */
const DUE_AT = { release: 'coalesce(?, due_at)' } as Readonly<Record<string, string>>

function prepareSettles(db: Database) {
  const of = (transition: RowTransition) =>
    prepare<[number, number | null, number | null, number | null, string | null, number, number], Placed>(
      db,
      `
      UPDATE millrace_jobs SET ${become(transition)}, attempt = ?, due_at = ${DUE_AT[transition] ?? '?'}, ended_at = ?,
        keep_until = ?, output = ?, interrupted_at = NULL, cancel_at = NULL, ${SUSPICION[transition]}
      WHERE id = ? AND claim = ? AND ${guard(transition)} RETURNING task, part, rank, ord`,
    )
  return {
    succeed: of('succeed'),
    retry: of('retry'),
    snooze: of('snooze'),
    release: of('release'),
    die: of('die'),
    discard: of('discard'),
    'cancel-running': of('cancel-running'),
    expire: of('expire'),
  } satisfies Record<RowTransition, unknown>
}

export type Statements = ReturnType<typeof prepareStatements>
