import { endedStates, stateCodes } from '../../../lib/job-state.ts'
import { toErrorRecord } from '../../../lib/error-record.ts'
import { undoable } from './each.ts'
import { type EndedRow, lastError } from './expired.ts'
import { comeHome, giveUpAway } from '../crossing/home.ts'
import { firstInInbox, lastInInbox } from '../inbox/inbox-ends.ts'
import { holderOf } from './keys.ts'
import type { Ledger } from './ledger.ts'
import { type Ends, isUpTo, RANGES } from './number-ranges.ts'
import type { Answer, ClaimColumns, Request, Selection } from '../protocol.ts'
import { claimOne } from './claim-one.ts'
import { prepareRequests, type Row } from '../schema/request-statements.ts'
import { INBOX_NUMBERS_FROM, SUSPECT_RANK } from '../schema/schema.ts'
import type { Placed } from '../schema/statements.ts'
import { sweep } from './retention.ts'
import { endUnrun, unwant } from '../crossing/taken.ts'
import { startTrial } from './trial.ts'

type Many = Extract<Request, { where: Selection }>

const ended: readonly number[] = endedStates.map((state) => stateCodes[state])

/** What a broker brings and takes away goes on without a look at the rows of jobs that run. */
const BLIND: ReadonlySet<Request['type']> = new Set(['come-home', 'sent-home', 'unsent', 'set', 'sweep'] as const)

/** Rows that a request for many jobs looks at in one commit, so that nobody's own commit waits for more. */
const LOOK_JOBS = 4_000

/** Carries out one administrative write under a savepoint of its own: what fails is undone and fails only its caller. */
export class Requests {
  readonly #ledger: Ledger
  readonly #sql
  readonly #onTrial = new Set<number>()
  readonly #claims: ClaimColumns[] = []

  constructor(ledger: Ledger) {
    this.#ledger = ledger
    this.#sql = prepareRequests(ledger.db)
  }

  answer(request: Request, now: number): Answer {
    const performed = undoable(this.#ledger, () => this.#perform(request, now))
    return performed.type === 'done' ? performed.value : { type: 'failed', error: toErrorRecord(performed.error) }
  }

  #perform(request: Request, now: number): Answer {
    if (!BLIND.has(request.type)) this.#ledger.writeAllLate()
    switch (request.type) {
      case 'cancel':
        return this.#cancel(request.number, now)
      case 'revive':
        return this.#revive(request.number, now)
      case 'remove':
        return this.#removeOne(request.number)
      case 'reschedule':
        return this.#reschedule(request, now)
      case 'cancel-many':
        return this.#each(request, (row) => this.#cancel(row.id, now).type !== 'ended')
      case 'revive-many':
        return this.#each(request, (row) => this.#revive(row.id, now).type === 'revived')
      case 'purge':
        return this.#each(request, (row) => this.#remove(row))
      case 'sweep':
        return { type: 'swept', ...sweep(this.#ledger, now, request) }
      case 'trial':
        return this.#trial()
      case 'probe':
        return this.#probe(request.task, request.place)
      case 'interrupted':
        for (const number of request.numbers) this.#sql.interrupted.run(now, number)
        return { type: 'many', count: request.numbers.length, more: 'no' }
      case 'set':
        if (request.value === null) this.#ledger.sql.unset.run(request.name)
        else this.#ledger.sql.set.run(request.name, request.value)
        return { type: 'set' }
      case 'lost-job':
        return { type: 'holder', number: this.#holderOf(request) }
      case 'ended-at':
        return { type: 'ended-at', jobs: this.#endedAt(request.instants) }
      case 'reconcile':
        return this.#reconcile(request.held)
      case 'come-home':
        return comeHome(this.#ledger, request.outcomes, now)
      case 'sent-home':
        for (const seq of request.sent) this.#ledger.sql.sentHome.run(seq)
        return { type: 'set' }
      case 'unsent':
        return { type: 'unsent', homes: this.#ledger.sql.unsentHomes.all(request.after, request.limit) }
      case 'unwant':
        return unwant(this.#ledger, request, now)
      case 'give-up-away':
        return giveUpAway(this.#ledger, now, request.limit)
    }
  }

  /** Claims that a trial or a probe of this commit has made. */
  takeClaims(): ClaimColumns[] {
    return this.#claims.splice(0)
  }

  /** The row says more than the key, which the job that had it may have given up since. */
  #holderOf({ number, task, key }: Extract<Request, { type: 'lost-job' }>): number | undefined {
    if (this.#sql.find.get(number) !== undefined) return number
    return key === undefined ? undefined : this.#ledger.sql.findKey.get(this.#ledger.tasks.idOf(task), key)?.job
  }

  #endedAt(instants: readonly number[]): EndedRow[] {
    const ended: EndedRow[] = []
    for (const at of new Set(instants)) {
      for (const state of [stateCodes.expired, stateCodes.cancelled]) {
        for (const { id, task } of this.#sql.endedAt.all(state, at)) {
          ended.push({ number: id, task: this.#ledger.tasks.indexOfId(task), state, ...lastError(this.#ledger, id) })
        }
      }
    }
    return ended
  }

  #trial(): Answer {
    const claims = startTrial(this.#ledger, this.#onTrial)
    this.#claims.push(...claims)
    return { type: 'many', count: claims.length, more: 'no' }
  }

  #probe(task: number, place: number): Answer {
    const claim = claimOne(this.#ledger, task, place)
    if (claim !== undefined) this.#claims.push(claim)
    return { type: 'many', count: claim === undefined ? 0 : 1, more: 'no' }
  }

  #cancel(number: number, now: number): Answer {
    const row = this.#sql.find.get(number)
    if (row === undefined) return { type: 'absent' }
    if (ended.includes(row.state)) return { type: 'ended' }
    const task = this.#ledger.tasks.indexOfId(row.task)
    if (row.state === stateCodes.running || row.state === stateCodes.away) {
      this.#sql.wish.run(now, number)
      return { type: 'requested', state: row.state, task }
    }
    if (this.#ledger.taken.has(number)) {
      endUnrun(this.#ledger, number, 'cancel-running', now)
      return { type: 'cancelled', task }
    }
    this.#ledger.sql.freeKey.run(number)
    this.#sql.cancel.run(now, this.#ledger.keepTimes.until(number, task, now), number)
    this.#noLongerWaiting(row)
    return { type: 'cancelled', task }
  }

  #revive(number: number, now: number): Answer {
    const row = this.#sql.find.get(number)
    if (row === undefined) return { type: 'absent' }
    const holder = row.key === null ? undefined : holderOf(this.#ledger, row.task, row.key, now)
    if (holder !== undefined && holder !== number) return { type: 'key-taken', number: holder }
    const rank = this.#ledger.outbound.rankOf(this.#ledger.tasks.indexOfId(row.task), row.rank % SUSPECT_RANK)
    const changes = this.#sql.revive.run(this.#ledger.nextOrd, rank, number).changes
    if (changes === 0) return { type: 'wrong-state', state: row.state }
    if (row.key !== null && holder === undefined) this.#ledger.sql.takeKey.run(row.task, row.key, number, null)
    this.#beginsToWait({ ...row, rank, ord: this.#ledger.nextOrd++ })
    return { type: 'revived' }
  }

  #reschedule(request: Extract<Request, { type: 'reschedule' }>, now: number): Answer {
    const row = this.#sql.find.get(request.number)
    if (row === undefined) return { type: 'absent' }
    if (this.#ledger.taken.has(row.id)) return { type: 'wrong-state', state: row.state }
    const asked = request.rank === undefined ? row.rank : request.rank + row.rank - (row.rank % SUSPECT_RANK)
    const rank = this.#ledger.outbound.rankOf(this.#ledger.tasks.indexOfId(row.task), asked)
    const later = request.dueAt === undefined ? row.state === stateCodes.scheduled : request.dueAt > now
    // Of which no time is said keeps its place in the order.
    const ord = request.dueAt === undefined || later ? row.ord : this.#ledger.nextOrd++
    const { number, input = null, part = null, expiresAt = null } = request
    const changes =
      request.dueAt === undefined
        ? this.#sql.amend.run(rank, input, part, expiresAt, number).changes
        : later
          ? this.#sql.postpone.run(request.dueAt, rank, input, part, expiresAt, number).changes
          : this.#sql.hasten.run(ord, rank, input, part, expiresAt, number).changes
    if (changes === 0) return { type: 'wrong-state', state: row.state }
    this.#noLongerWaiting(row)
    if (!later) this.#beginsToWait({ ...row, part: part ?? row.part, rank, ord })
    this.#ledger.timesChanged = 'yes'
    return { type: 'rescheduled' }
  }

  #removeOne(number: number): Answer {
    const row = this.#sql.find.get(number)
    if (row === undefined) return { type: 'absent' }
    return this.#remove(row) ? { type: 'removed' } : { type: 'wrong-state', state: row.state }
  }

  #remove(row: Row): boolean {
    if (row.state === stateCodes.running || row.state === stateCodes.away) return false
    // It is the broker's to say when it is over.
    if (this.#ledger.taken.has(row.id)) return false
    this.#ledger.sql.freeKey.run(row.id)
    this.#ledger.sql.forgetAttempts.run(row.id)
    this.#sql.remove.run(row.id)
    this.#noLongerWaiting(row)
    return true
  }

  #noLongerWaiting(row: Row): void {
    if (row.state === stateCodes.available) {
      this.#ledger.ceasesToWait({ ...row, task: this.#ledger.tasks.indexOfId(row.task) })
    }
    this.#ledger.timesChanged = 'yes'
  }

  #beginsToWait(row: Placed): void {
    this.#ledger.beginsToWait({ ...row, task: this.#ledger.tasks.indexOfId(row.task) })
  }

  /**
   * Acts on those of the next rows that were selected; those that it leaves as they are do not come again. Rows that are
   * written after the first of these requests are behind its ends: else it would not end while others enqueue.
   */
  #each({ where, limit, after = 0, ends = this.#ends() }: Many, act: (row: Row) => boolean): Answer {
    const { tasks } = this.#ledger
    const next = this.#lookFrom(after, ends)
    if (next === undefined) {
      return { type: 'changed', ends, numbers: [], tasks: [], next: this.#isInInbox(ends) ? after : undefined }
    }
    const ids = where.tasks === undefined ? null : JSON.stringify(where.tasks.map((task) => tasks.idOf(task)))
    const rows = this.#sql.selected.all(next.after, next.last, JSON.stringify(where.states), ids, ids, limit)
    const changed = rows.filter(act)
    return {
      type: 'changed',
      ends,
      numbers: changed.map(({ id }) => id),
      tasks: changed.map(({ task }) => tasks.indexOfId(task)),
      next: rows.length === limit ? (rows.at(-1) as Row).id : next.last,
    }
  }

  /** What is in the inbox is there as well: it comes behind what has been taken out of it before. */
  #ends(): Ends {
    const inbox = lastInInbox(this.#ledger.db)
    return RANGES.map(({ from, before }) =>
      inbox !== undefined && from === INBOX_NUMBERS_FROM ? inbox : (this.#sql.lastBefore.get(before) ?? 0),
    )
  }

  /** Whether some of it has no row yet: every commit takes more out of there. */
  #isInInbox(ends: Ends): boolean {
    const first = firstInInbox(this.#ledger.db)
    return first !== undefined && isUpTo(first, ends)
  }

  /** The next rows up to an end. Between the ranges nothing is passed over but what is new. */
  #lookFrom(after: number, ends: Ends): { readonly after: number; readonly last: number } | undefined {
    for (const [range, { from }] of RANGES.entries()) {
      const behind = Math.max(after, from - 1)
      const last = this.#sql.lookTo.get(behind, ends[range] as number, LOOK_JOBS)
      if (typeof last === 'number') return { after: behind, last }
    }
    return undefined
  }

  /** Running rows that the owner does not know of go back, uncharged: they are claims of which the news was lost. */
  #reconcile(held: ReadonlyMap<number, number>): Answer {
    let count = 0
    for (const row of this.#sql.running.all()) {
      if (held.get(row.id) === row.claim) continue
      const { rank } = this.#sql.release.get(row.id) as { rank: number }
      this.#ledger.regulator.finished(row.id)
      this.#beginsToWait({ ...row, rank })
      count++
    }
    if (count > 0) this.#ledger.timesChanged = 'yes'
    return { type: 'many', count, more: 'no' }
  }
}
