import { become, guard } from './schema.ts'
import { type Database, prepare, prepareValue } from '../files/sqlite.ts'
import { KEPT_SUSPECT, type Placed } from './statements.ts'

/** A job as far as a request looks at it. */
export interface Row extends Placed {
  readonly id: number
  readonly state: number
  readonly key: string | null
  readonly claim: number
}

const COLUMNS = 'id, task, part, rank, ord, state, key, claim'

/** An input, its keys and a bound, each only where there is another one. */
const CHANGED = 'input = coalesce(?, input), part = coalesce(?, part), expires_at = coalesce(?, expires_at)'

type Changed = [input: string | null, part: string | null, expiresAt: number | null]

/** The statements of rare writes; each names the states that it starts from. */
export function prepareRequests(db: Database) {
  return { ...ofLooking(db), ...ofWaitingAndEnded(db), ...ofRunning(db) }
}

function ofLooking(db: Database) {
  return {
    find: prepare<[number], Row>(db, `SELECT ${COLUMNS} FROM millrace_jobs WHERE id = ?`),
    endedAt: prepare<[number, number], Row>(
      db,
      `SELECT ${COLUMNS} FROM millrace_jobs WHERE state = ? AND ended_at = ?`,
    ),
    running: prepare<[], Row>(db, `SELECT ${COLUMNS} FROM millrace_jobs WHERE ${guard('release')}`),
    lastBefore: prepareValue<[number], number | null>(db, 'SELECT max(id) FROM millrace_jobs WHERE id < ?'),
    /** The last of the next so many rows up to one of them, of whatever state. */
    lookTo: prepareValue<[number, number, number], number | null>(
      db,
      'SELECT max(id) FROM (SELECT id FROM millrace_jobs WHERE id > ? AND id <= ? ORDER BY id LIMIT ?)',
    ),
    /** States and tasks are JSON; no tasks are all of them. */
    selected: prepare<[number, number, string, string | null, string | null, number], Row>(
      db,
      `
      SELECT ${COLUMNS} FROM millrace_jobs
      WHERE id > ? AND id <= ? AND state IN (SELECT value FROM json_each(?))
        AND (? IS NULL OR task IN (SELECT value FROM json_each(?)))
      ORDER BY id LIMIT ?`,
    ),
  }
}

function ofWaitingAndEnded(db: Database) {
  return {
    cancel: prepare<[number, number, number]>(
      db,
      `
      UPDATE millrace_jobs SET ${become('cancel')}, ended_at = ?, keep_until = ?, due_at = NULL
      WHERE id = ? AND ${guard('cancel')}`,
    ),
    revive: prepare<[number, number, number]>(
      db,
      `
      UPDATE millrace_jobs SET ${become('revive')}, ord = ?, attempt = 0, crashes = 0,
        rank = ?, ended_at = NULL, keep_until = NULL, expires_at = NULL, output = NULL
      WHERE id = ? AND ${guard('revive')}`,
    ),
    amend: prepare<[number, ...Changed, number]>(
      db,
      `
      UPDATE millrace_jobs SET rank = ?, ${CHANGED} WHERE id = ? AND ${guard('postpone')}`,
    ),
    postpone: prepare<[number, number, ...Changed, number]>(
      db,
      `
      UPDATE millrace_jobs SET ${become('postpone')}, due_at = ?, rank = ?, ${CHANGED}
      WHERE id = ? AND ${guard('postpone')}`,
    ),
    hasten: prepare<[number, number, ...Changed, number]>(
      db,
      `
      UPDATE millrace_jobs SET ${become('hasten')}, due_at = NULL, ord = ?, rank = ?, ${CHANGED}
      WHERE id = ? AND ${guard('hasten')}`,
    ),
    remove: prepare<[number]>(
      db,
      `DELETE FROM millrace_jobs WHERE id = ? AND NOT (${guard('release')} OR ${guard('come-home')})`,
    ),
  }
}

function ofRunning(db: Database) {
  return {
    wish: prepare<[number, number]>(
      db,
      `UPDATE millrace_jobs SET cancel_at = ? WHERE id = ? AND (${guard('release')} OR ${guard('come-home')})`,
    ),
    release: prepare<[number], { rank: number }>(
      db,
      `
      UPDATE millrace_jobs SET ${become('release')}, ${KEPT_SUSPECT} WHERE id = ? AND ${guard('release')} RETURNING rank`,
    ),
    interrupted: prepare<[number, number]>(
      db,
      `UPDATE millrace_jobs SET interrupted_at = ? WHERE id = ? AND ${guard('release')}`,
    ),
  }
}
