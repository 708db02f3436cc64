import { stateCodes } from '../../../lib/job-state.ts'
import { IS_OUTBOUND } from '../schema/schema.ts'
import { type Database, prepare, prepareTuples, prepareValue } from '../files/sqlite.ts'

const { available, running } = stateCodes

/** What is read of parts. All of it comes from the indices of waiting rows alone, except where a row has no part. */
export function prepareParts(db: Database) {
  return {
    /** Every part of a task, rank by rank: how many jobs wait in it, and the first of them. */
    heads: prepareTuples<[number], readonly [part: string, rank: number, jobs: number, ord: number]>(
      db,
      `
      SELECT part, rank, count(*), min(ord) FROM millrace_jobs
      WHERE state = ${available} AND part IS NOT NULL AND task = ? GROUP BY part, rank`,
    ),
    next: prepareValue<[number, string, number, number], number>(
      db,
      `
      SELECT ord FROM millrace_jobs
      WHERE state = ${available} AND task = ? AND part = ? AND rank = ? AND ord > ? ORDER BY ord LIMIT 1`,
    ),
    /** The same for rows without a part: those of a task without keys, or of before it had any. */
    nextWithout: prepareValue<[number, number, number], number>(
      db,
      `
      SELECT ord FROM millrace_jobs INDEXED BY millrace_waiting
      WHERE state = ${available} AND task = ? AND rank = ? AND ord > ? AND part IS NULL ORDER BY ord LIMIT 1`,
    ),
    rates: prepareTuples<[], readonly [name: string, paidUntil: number]>(
      db,
      'SELECT name, used_until FROM millrace_rates',
    ),
    writeRate: prepare<[string, number]>(
      db,
      `
      INSERT INTO millrace_rates (name, used_until) VALUES (?, ?)
      ON CONFLICT (name) DO UPDATE SET used_until = excluded.used_until`,
    ),
    forgetRate: prepare<[string]>(db, 'DELETE FROM millrace_rates WHERE name = ?'),
    forgetRatesUntil: prepare<[number]>(db, 'DELETE FROM millrace_rates WHERE used_until <= ?'),
    running: prepareTuples<[], readonly [number: number, task: number, part: string | null]>(
      db,
      `SELECT id, task, part FROM millrace_jobs WHERE state = ${running} AND NOT (${IS_OUTBOUND})`,
    ),
  }
}

export type PartStatements = ReturnType<typeof prepareParts>
