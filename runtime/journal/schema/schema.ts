import { DEFAULT_PRIORITY } from '../../../lib/job.ts'
import { endedStates, fromCodes, jobStates, stateCodes, toCode, type Transition } from '../../../lib/job-state.ts'

/** The version of the tables below; a journal of a later one is refused, of an earlier one brought forward (`migrations.ts`). */
export const JOURNAL_VERSION = 4

/** Numbers of jobs that come through the inbox start here, so that their writers need no number of the owner's. */
export const INBOX_NUMBERS_FROM = 2 ** 52

/**
 * Numbers of jobs that were taken from a broker start here, and end where those of the inbox start: by its number alone
 * it is known of a row whose it is. The owner gives them out anew each time, since it finds none of them.
 */
export const TAKEN_NUMBERS_FROM = 2 ** 51

export function isTakenNumber(number: number): boolean {
  return number >= TAKEN_NUMBERS_FROM && number < INBOX_NUMBERS_FROM
}

/** The same of a column. */
export function isTaken(column: string): string {
  return `(${column} >= ${TAKEN_NUMBERS_FROM} AND ${column} < ${INBOX_NUMBERS_FROM})`
}

/** Of a fresh job: the highest priority comes first. */
export function rankOf(priority: number = DEFAULT_PRIORITY): number {
  return 9 - priority
}

export const DEFAULT_RANK = rankOf()

/** A suspect waits for its trial under its rank plus this, where no claim looks. */
export const SUSPECT_RANK = 16

/** A job that was tried before waits under its rank plus this, behind fresh work and within a budget of its own. */
export const RETRIED_RANK = 32

/** A job that goes to a broker waits for the outbox under its rank plus this. */
export const OUTBOUND_RANK = 48

export const IS_OUTBOUND = `rank >= ${OUTBOUND_RANK}`

export function isOutboundRank(rank: number): boolean {
  return rank >= OUTBOUND_RANK
}

export function isSuspectRank(rank: number): boolean {
  return rank >= SUSPECT_RANK && rank < RETRIED_RANK
}

/** Whether a job that waits under this rank is one that an ordinary place claims, within its task's limits. */
export function isPlaceRank(rank: number): boolean {
  return !isOutboundRank(rank) && !isSuspectRank(rank)
}

export const IS_SUSPECT = `rank >= ${SUSPECT_RANK} AND rank < ${RETRIED_RANK}`

/**
 * A range instead of `IN (…)`: SQLite builds a table for the list at each insert, which alone made an insert three times
 * as dear (docs/decisions/002-one-table.md). The codes of a group follow each other; the test of the schema says so.
 */
function range(states: readonly (keyof typeof stateCodes)[]): string {
  const codes = states.map((state) => stateCodes[state])
  return `state BETWEEN ${Math.min(...codes)} AND ${Math.max(...codes)}`
}

/** A job that had begun at this many deaths of the service is a suspect. */
export const SUSPECT_CRASHES = 3

/** `state IN (…)` for what a transition may start from: the guard of every statement that performs it. */
export function guard(transition: Transition): string {
  const from = fromCodes(transition)
  return from.length === 1 ? `state = ${from[0]}` : `state IN (${from.join(', ')})`
}

/** `state = …` for where a transition leads. */
export function become(transition: Transition): string {
  return `state = ${toCode(transition)}`
}

const { scheduled, available, running, away } = stateCodes

/**
 * One row a job. The hot path writes nine columns; the rest stay NULL, at a byte each. The partial indexes hold only
 * the rows they are for: a job that is claimed as it is appended touches `millrace_running` alone, which is never
 * larger than what the owner holds in memory (docs/decisions/002-one-table.md has the measurements).
 */
export const SCHEMA = `
CREATE TABLE millrace_meta (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  version INTEGER NOT NULL,
  journal TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  commits INTEGER NOT NULL,
  next_ord INTEGER NOT NULL,
  next_number INTEGER NOT NULL,
  holder TEXT NOT NULL
) STRICT;

CREATE TABLE millrace_tasks (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE millrace_jobs (
  id INTEGER PRIMARY KEY,
  task INTEGER NOT NULL,
  state INTEGER NOT NULL CHECK (${range(jobStates)}),
  rank INTEGER NOT NULL,
  ord INTEGER NOT NULL,
  claim INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  input TEXT NOT NULL,
  overrides TEXT,
  key TEXT,
  due_at INTEGER,
  expires_at INTEGER,
  crashes INTEGER NOT NULL DEFAULT 0,
  lone_crashes INTEGER NOT NULL DEFAULT 0,
  cancel_at INTEGER,
  interrupted_at INTEGER,
  ended_at INTEGER,
  keep_until INTEGER,
  output TEXT,
  part TEXT,
  origin TEXT,
  CHECK ((state = ${scheduled}) = (due_at IS NOT NULL)
    OR (due_at IS NOT NULL AND ${IS_OUTBOUND} AND ${range(['available', 'running'])})),
  CHECK ((${range(endedStates)}) = (ended_at IS NOT NULL))
) STRICT;

CREATE INDEX millrace_waiting ON millrace_jobs (task, rank, ord) WHERE state = ${available};
CREATE INDEX millrace_parted ON millrace_jobs (task, part, rank, ord) WHERE state = ${available} AND part IS NOT NULL;
CREATE INDEX millrace_running ON millrace_jobs (id) WHERE state = ${running};
CREATE INDEX millrace_away ON millrace_jobs (task, id) WHERE state = ${away};
CREATE INDEX millrace_scheduled ON millrace_jobs (due_at) WHERE state = ${scheduled};
CREATE INDEX millrace_scheduled_of_task ON millrace_jobs (task, due_at) WHERE state = ${scheduled};
CREATE INDEX millrace_expiring ON millrace_jobs (expires_at)
  WHERE expires_at IS NOT NULL AND state IN (${scheduled}, ${available});
CREATE INDEX millrace_ended ON millrace_jobs (state, ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX millrace_ended_of_task ON millrace_jobs (task, state, ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX millrace_kept ON millrace_jobs (keep_until) WHERE keep_until IS NOT NULL;

CREATE TABLE millrace_attempts (
  job INTEGER NOT NULL,
  claim INTEGER NOT NULL,
  record TEXT NOT NULL,
  PRIMARY KEY (job, claim)
) STRICT, WITHOUT ROWID;

CREATE TABLE millrace_keys (
  task INTEGER NOT NULL,
  key TEXT NOT NULL,
  job INTEGER NOT NULL,
  until INTEGER,
  PRIMARY KEY (task, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX millrace_keys_until ON millrace_keys (until) WHERE until IS NOT NULL;

CREATE TABLE millrace_aliases (
  id INTEGER PRIMARY KEY,
  job INTEGER NOT NULL,
  until INTEGER NOT NULL
) STRICT;

CREATE TABLE millrace_inbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  task TEXT NOT NULL,
  input TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  options TEXT
) STRICT;

CREATE TABLE millrace_settings (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE millrace_rates (
  name TEXT PRIMARY KEY,
  used_until REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE millrace_taken (
  id TEXT PRIMARY KEY,
  claim INTEGER NOT NULL,
  until INTEGER NOT NULL,
  verdict TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX millrace_taken_until ON millrace_taken (until);

CREATE TABLE millrace_homeward (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  queue TEXT NOT NULL,
  outcomes INTEGER NOT NULL,
  text TEXT NOT NULL
) STRICT;

CREATE TABLE millrace_unwanted (
  id TEXT PRIMARY KEY,
  sent_before INTEGER NOT NULL,
  until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`
