import { endedStates, stateCodes } from '../../../lib/job-state.ts'
import { behindHistory } from './history.ts'
import type { Ledger } from './ledger.ts'
import type { Answer, Request } from '../protocol.ts'
import { prepare, prepareValue } from '../files/sqlite.ts'

type Bounds = Extract<Request, { type: 'sweep' }>

type Swept = Omit<Extract<Answer, { type: 'swept' }>, 'type'>

/** Deletes ended jobs whose time is over, then the oldest above the bounds on their number, then keys that are over. */
export function sweep(ledger: Ledger, now: number, bounds: Bounds): Swept {
  const removal = new Removal(ledger, bounds.limit)
  removal.remove(
    'keep_until IS NOT NULL AND keep_until <= ? AND ended_at IS NOT NULL ORDER BY keep_until',
    [now],
    Number.POSITIVE_INFINITY,
  )
  let behindHistories: 'yes' | 'no' = 'no'
  for (const history of bounds.histories) {
    const { ids, more } = behindHistory(ledger, now, history, removal.left)
    removal.removeEach(ids)
    if (more === 'yes') behindHistories = 'yes'
  }
  for (const state of endedStates) {
    removal.removeAbove(state === 'succeeded' ? bounds.maxResults : bounds.maxEnded, 'state = ?', [stateCodes[state]])
  }
  prepare<[number]>(ledger.db, 'DELETE FROM millrace_aliases WHERE until <= ?').run(now)
  prepare<[number]>(ledger.db, 'DELETE FROM millrace_keys WHERE until IS NOT NULL AND until <= ?').run(now)
  const forgotten = forgetAnswers(ledger, now, MOST_REMEMBERED, bounds.limit)
  const more = removal.count >= bounds.limit || forgotten >= bounds.limit || behindHistories === 'yes'
  const nextAt = prepareValue<[], number>(
    ledger.db,
    'SELECT keep_until FROM millrace_jobs WHERE keep_until IS NOT NULL ORDER BY keep_until LIMIT 1',
  ).get()
  return { count: removal.count, more: more ? 'yes' : 'no', nextAt }
}

/** More ends of taken jobs than this are not remembered, whatever their time. */
const MOST_REMEMBERED = 1_000_000

/** Returns how many ends it has forgotten, at most as many as the limit says. */
export function forgetAnswers({ db }: Ledger, now: number, maxRemembered: number, limit: number): number {
  prepare<[number]>(db, 'DELETE FROM millrace_unwanted WHERE until <= ?').run(now)
  const forget = prepare<[number, number]>(
    db,
    `
    DELETE FROM millrace_taken WHERE id IN (SELECT id FROM millrace_taken WHERE until <= ? ORDER BY until LIMIT ?)`,
  )
  const over = forget.run(now, limit).changes
  const newestAbove = prepareValue<[number], number>(
    db,
    'SELECT until FROM millrace_taken ORDER BY until DESC LIMIT 1 OFFSET ?',
  ).get(maxRemembered)
  return newestAbove === undefined ? over : over + forget.run(newestAbove, limit - over).changes
}

/** Removes ended jobs with all that belongs to them, up to a limit. */
class Removal {
  readonly #ledger: Ledger
  readonly #limit: number
  count = 0

  constructor(ledger: Ledger, limit: number) {
    this.#ledger = ledger
    this.#limit = limit
  }

  /** How many more it may remove. */
  get left(): number {
    return this.#limit - this.count
  }

  /** The oldest of those that match, as many as there are above `max`. */
  removeAbove(max: number, where: string, values: readonly number[]): void {
    const { db } = this.#ledger
    const counted = `SELECT count(*) FROM millrace_jobs WHERE ${where} AND ended_at IS NOT NULL`
    const kept = prepareValue<number[], number>(db, counted).get(...values) ?? 0
    if (kept > max) this.remove(`${where} AND ended_at IS NOT NULL ORDER BY ended_at`, values, kept - max)
  }

  remove(where: string, values: readonly number[], most: number): void {
    const limit = Math.min(most, this.left)
    if (limit <= 0) return
    const found = prepareValue<number[], number>(this.#ledger.db, `SELECT id FROM millrace_jobs WHERE ${where} LIMIT ?`)
    this.removeEach(found.all(...values, limit))
  }

  removeEach(ids: readonly number[]): void {
    const { db, sql } = this.#ledger
    const remove = prepare<[number]>(db, 'DELETE FROM millrace_jobs WHERE id = ? AND ended_at IS NOT NULL')
    for (const id of ids) {
      sql.freeKey.run(id)
      sql.forgetAttempts.run(id)
      remove.run(id)
      this.count++
    }
  }
}
