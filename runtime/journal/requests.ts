import { endedStates, stateCodes } from '../../lib/job-state.ts'
import { toErrorRecord } from '../../lib/error-record.ts'
import { faultOf } from './faults.ts'
import { holderOf } from './keys.ts'
import type { Ledger } from './ledger.ts'
import type { Answer, ClaimColumns, Request, Selection } from './protocol.ts'
import { become, guard, SUSPECT_RANK } from './schema.ts'
import type { Database } from './sqlite.ts'
import { KEPT_SUSPECT } from './statements.ts'
import { sweep } from './retention.ts'
import { startTrial } from './trial.ts'

interface Row {
  readonly id: number
  readonly task: number
  readonly rank: number
  readonly state: number
  readonly key: string | null
  readonly claim: number
}

type Many = Extract<Request, { where: Selection }>

const ended: readonly number[] = endedStates.map((state) => stateCodes[state])

/** Carries out one administrative write under a savepoint of its own: what fails is undone and fails only its caller. */
export class Requests {
  readonly #ledger: Ledger
  readonly #sql
  readonly #onTrial = new Set<number>()
  readonly #trialClaims: ClaimColumns[] = []

  constructor(ledger: Ledger) {
    this.#ledger = ledger
    this.#sql = prepare(ledger.db)
  }

  answer(request: Request, now: number): Answer {
    try {
      return this.#ledger.db.transaction(() => this.#perform(request, now))()
    } catch (error) {
      if (!this.#ledger.db.inTransaction || faultOf(error) !== undefined) throw error
      this.#ledger.recount()
      return { type: 'failed', error: toErrorRecord(error) }
    }
  }

  #perform(request: Request, now: number): Answer {
    switch (request.type) {
      case 'cancel':
        return this.#cancel(request.number, now, request.keepUntil)
      case 'revive':
        return this.#revive(request.number, now)
      case 'remove':
        return this.#removeOne(request.number)
      case 'reschedule':
        return this.#reschedule(request, now)
      case 'cancel-many':
        return this.#each(request, (row) => this.#cancel(row.id, now, request.keepUntil).type !== 'ended')
      case 'revive-many':
        return this.#each(request, (row) => this.#revive(row.id, now).type === 'revived')
      case 'purge':
        return this.#each(request, (row) => this.#remove(row))
      case 'sweep':
        return { type: 'many', ...sweep(this.#ledger, now, request) }
      case 'trial':
        return this.#trial()
      case 'interrupted':
        for (const number of request.numbers) this.#sql.interrupted.run(now, number)
        return { type: 'many', count: request.numbers.length, more: 'no' }
      case 'key-holder': {
        const holder = this.#ledger.sql.findKey.get(this.#ledger.tasks.idOf(request.task), request.key)
        return { type: 'holder', number: holder?.job }
      }
      case 'reconcile':
        return this.#reconcile(request.held)
    }
  }

  /** Claims that a trial of this commit has made. */
  takeTrialClaims(): ClaimColumns[] {
    return this.#trialClaims.splice(0)
  }

  #trial(): Answer {
    const claims = startTrial(this.#ledger, this.#onTrial)
    this.#trialClaims.push(...claims)
    return { type: 'many', count: claims.length, more: 'no' }
  }

  #cancel(number: number, now: number, keepUntil: number): Answer {
    const row = this.#sql.find.get(number)
    if (row === undefined) return { type: 'absent' }
    if (ended.includes(row.state)) return { type: 'ended' }
    if (row.state === stateCodes.running) {
      this.#sql.wish.run(now, number)
      return { type: 'requested' }
    }
    this.#ledger.sql.freeKey.run(number)
    this.#sql.cancel.run(now, keepUntil, number)
    this.#noLongerWaiting(row)
    return { type: 'cancelled' }
  }

  #revive(number: number, now: number): Answer {
    const row = this.#sql.find.get(number)
    if (row === undefined) return { type: 'absent' }
    const holder = row.key === null ? undefined : holderOf(this.#ledger, row.task, row.key, now)
    if (holder !== undefined && holder !== number) return { type: 'key-taken', number: holder }
    const changes = this.#sql.revive.run(this.#ledger.nextOrd, number).changes
    if (changes === 0) return { type: 'wrong-state', state: row.state }
    if (row.key !== null && holder === undefined) this.#ledger.sql.takeKey.run(row.task, row.key, number, null)
    this.#ledger.nextOrd++
    this.#ledger.waiting.add(this.#ledger.tasks.indexOfId(row.task), row.rank % SUSPECT_RANK, 1)
    return { type: 'revived' }
  }

  #reschedule(request: Extract<Request, { type: 'reschedule' }>, now: number): Answer {
    const row = this.#sql.find.get(request.number)
    if (row === undefined) return { type: 'absent' }
    const suspicion = row.rank < SUSPECT_RANK ? 0 : SUSPECT_RANK
    const rank = request.rank === undefined ? row.rank : request.rank + suspicion
    const later = request.dueAt !== undefined && request.dueAt > now
    const staysScheduled = request.dueAt === undefined && row.state === stateCodes.scheduled
    const changes = staysScheduled
      ? this.#sql.amend.run(rank, request.input ?? null, request.number).changes
      : later
        ? this.#sql.postpone.run(request.dueAt as number, rank, request.input ?? null, request.number).changes
        : this.#sql.hasten.run(this.#ledger.nextOrd++, rank, request.input ?? null, request.number).changes
    if (changes === 0) return { type: 'wrong-state', state: row.state }
    this.#noLongerWaiting(row)
    if (!later && !staysScheduled) this.#ledger.addWaiting(this.#ledger.tasks.indexOfId(row.task), rank, 1)
    this.#ledger.timesChanged = 'yes'
    return { type: 'rescheduled' }
  }

  #removeOne(number: number): Answer {
    const row = this.#sql.find.get(number)
    if (row === undefined) return { type: 'absent' }
    if (row.state === stateCodes.running) return { type: 'wrong-state', state: row.state }
    this.#remove(row)
    return { type: 'removed' }
  }

  #remove(row: Row): boolean {
    if (row.state === stateCodes.running) return false
    this.#ledger.sql.freeKey.run(row.id)
    this.#ledger.sql.forgetAttempts.run(row.id)
    this.#sql.remove.run(row.id)
    this.#noLongerWaiting(row)
    return true
  }

  #noLongerWaiting(row: Row): void {
    if (row.state === stateCodes.available) {
      this.#ledger.addWaiting(this.#ledger.tasks.indexOfId(row.task), row.rank, -1)
    }
    this.#ledger.timesChanged = 'yes'
  }

  /** Acts on the next rows of a selection; those that it leaves as they are do not come again. */
  #each({ where, limit, after }: Many, act: (row: Row) => boolean): Answer {
    const selected = where.states.flatMap((state) => (where.tasks ?? [undefined]).map((task) => ({ state, task })))
    let count = 0
    let left = limit
    for (let part = after?.part ?? 0; part < selected.length; part++) {
      const { state, task } = selected[part] as { state: number; task: number | undefined }
      const id = part === after?.part ? after.id : 0
      const rows =
        task === undefined
          ? this.#sql.inState.all(state, id, left)
          : this.#sql.inStateOfTask.all(state, this.#ledger.tasks.idOf(task), id, left)
      for (const row of rows) if (act(row)) count++
      left -= rows.length
      if (left === 0) return { type: 'many', count, more: 'yes', next: { part, id: (rows.at(-1) as Row).id } }
    }
    return { type: 'many', count, more: 'no' }
  }

  /** Running rows that the owner does not know of go back, uncharged: they are claims of which the news was lost. */
  #reconcile(held: ReadonlyMap<number, number>): Answer {
    let count = 0
    for (const row of this.#sql.running.all()) {
      if (held.get(row.id) === row.claim) continue
      const { rank } = this.#sql.release.get(row.id) as { rank: number }
      this.#ledger.addWaiting(this.#ledger.tasks.indexOfId(row.task), rank, 1)
      count++
    }
    if (count > 0) this.#ledger.timesChanged = 'yes'
    return { type: 'many', count, more: 'no' }
  }
}

function prepare(db: Database) {
  const columns = 'id, task, rank, state, key, claim'
  return {
    find: db.prepare<[number], Row>(`SELECT ${columns} FROM millrace_jobs WHERE id = ?`),
    running: db.prepare<[], Row>(`SELECT ${columns} FROM millrace_jobs WHERE ${guard('release')}`),
    inState: db.prepare<[number, number, number], Row>(
      `SELECT ${columns} FROM millrace_jobs WHERE state = ? AND id > ? ORDER BY id LIMIT ?`,
    ),
    inStateOfTask: db.prepare<[number, number, number, number], Row>(
      `SELECT ${columns} FROM millrace_jobs WHERE state = ? AND task = ? AND id > ? ORDER BY id LIMIT ?`,
    ),
    cancel: db.prepare<[number, number, number]>(`
      UPDATE millrace_jobs SET ${become('cancel')}, ended_at = ?, keep_until = ?, due_at = NULL
      WHERE id = ? AND ${guard('cancel')}`),
    wish: db.prepare<[number, number]>(`UPDATE millrace_jobs SET cancel_at = ? WHERE id = ? AND ${guard('release')}`),
    revive: db.prepare<[number, number]>(`
      UPDATE millrace_jobs SET ${become('revive')}, ord = ?, attempt = 0, crashes = 0, lone_crashes = 0,
        rank = rank % ${SUSPECT_RANK}, ended_at = NULL, keep_until = NULL, expires_at = NULL, output = NULL
      WHERE id = ? AND ${guard('revive')}`),
    amend: db.prepare<[number, string | null, number]>(`
      UPDATE millrace_jobs SET rank = ?, input = coalesce(?, input) WHERE id = ? AND ${guard('postpone')}`),
    postpone: db.prepare<[number, number, string | null, number]>(`
      UPDATE millrace_jobs SET ${become('postpone')}, due_at = ?, rank = ?, input = coalesce(?, input)
      WHERE id = ? AND ${guard('postpone')}`),
    hasten: db.prepare<[number, number, string | null, number]>(`
      UPDATE millrace_jobs SET ${become('hasten')}, due_at = NULL, ord = ?, rank = ?, input = coalesce(?, input)
      WHERE id = ? AND ${guard('hasten')}`),
    release: db.prepare<[number], { rank: number }>(`
      UPDATE millrace_jobs SET ${become('release')}, ${KEPT_SUSPECT} WHERE id = ? AND ${guard('release')} RETURNING rank`),
    interrupted: db.prepare<[number, number]>(
      `UPDATE millrace_jobs SET interrupted_at = ? WHERE id = ? AND ${guard('release')}`,
    ),
    remove: db.prepare<[number]>(`DELETE FROM millrace_jobs WHERE id = ? AND NOT (${guard('release')})`),
  }
}
