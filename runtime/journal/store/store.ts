import { appendJobs, type Appended } from './append.ts'
import { claimForRooms } from './claim.ts'
import { expireOverdue, promoteDue } from './due.ts'
import { type Expired, lastErrorsOf } from './expired.ts'
import { unpackInbox } from '../inbox/inbox.ts'
import { handOver } from '../crossing/home.ts'
import type { Ledger } from './ledger.ts'
import type { Group, OpenedJournal, Reply } from '../protocol.ts'
import { numberBehind } from './record.ts'
import type { Recovered } from './recover.ts'
import { Requests } from './requests.ts'
import { type FailedSettle, finishJobs, settleJobs } from './settle.ts'
import { endDelivered, takeJobs } from '../crossing/taken.ts'
import { requestOf, type Wish, type Wished } from '../inbox/wish.ts'

const NOTHING: Appended = { results: new Uint8Array(0), firstOrd: 0, duplicates: [], failures: [], expired: [] }

/**
 * The journal's logic, without a thread: takes groups, makes each lot one transaction, says what became of every part.
 * The order inside a commit is settles, requests, inbox, deliveries, new jobs, what is due, claims: so room and keys that
 * the first part frees are used by the last.
 */
export class Store {
  readonly ledger: Ledger
  readonly #requests: Requests

  constructor(ledger: Ledger) {
    this.ledger = ledger
    this.#requests = new Requests(ledger)
  }

  describe(recovered: Recovered, firstNumber: number): OpenedJournal {
    const { ledger } = this
    return {
      name: ledger.name,
      epoch: ledger.epoch,
      commits: ledger.commits,
      firstNumber,
      numbersUntil: ledger.nextNumber,
      tasks: [...ledger.tasks.names],
      nextDueAt: ledger.nextDueAt(),
      recovered,
      waiting: ledger.waitingJobs,
      claimable: ledger.claimable,
      suspects: ledger.suspects,
      settings: ledger.sql.settings.all(),
    }
  }

  /** Commits the groups in one transaction; throws with nothing of them done. What changes nothing costs no write. */
  commit(groups: readonly Group[]): Reply[] {
    const { ledger } = this
    const undo = this.#remember()
    ledger.begin.run()
    const before = ledger.totalChanges()
    const reserve = ledger.nextNumber
    try {
      const replies = groups.map((group) => this.#apply(group))
      ledger.regulator.writeRates()
      // A claim that is not ours any more may be another owner's: that shows in the stamp.
      const isStale = replies.some(({ stale }) => stale.length > 0)
      const isChange = isStale || ledger.totalChanges() !== before || ledger.nextNumber !== reserve
      const last = groups.at(-1) as Group
      if (isChange) ledger.stamp(last.number)
      ledger.commit.run()
      if (isChange) ledger.commits = last.number
      ledger.late.committed()
      return replies
    } catch (error) {
      undo()
      throw error
    }
  }

  #apply(group: Group): Reply {
    const { ledger } = this
    ledger.reserveNumbers(group.nextNumber)
    const knownTasks = ledger.tasks.names.length
    ledger.regulator.pass(group.now)
    for (const name of group.names) ledger.tasks.add(name)
    if (group.routes !== undefined) ledger.route(group.routes, group.now)
    for (let at = 0; at < group.room.length; at += 3) {
      ledger.rooms.grant(group.room[at] as number, group.room[at + 1] as number, group.room[at + 2] as number)
    }
    for (const task of group.asks ?? []) ledger.admission.ask(task)
    if (group.starts !== undefined) ledger.regulator.started(group.starts)
    const failedSettles: FailedSettle[] = []
    const stale = this.#settle(group, failedSettles)
    const lastErrors = lastErrorsOf(ledger, group.settles)
    const answers = group.requests.map((request) => this.#requests.answer(request, group.now))
    const wished: Wished[] = []
    if (ledger.inboxMayHaveRows() === 'yes') {
      unpackInbox(ledger, group.now, (wish) => wished.push(this.#carryOut(wish, group.now)))
    }
    const took = group.taken === undefined ? undefined : takeJobs(ledger, group.taken, group.now)
    const jobs = group.jobs === undefined ? NOTHING : appendJobs(ledger, group.jobs, group.now, 'short-cut')
    const expired = this.#passTime(group.now)
    const claims = [...this.#requests.takeClaims(), ...claimForRooms(ledger)]
    ledger.paces.observe(ledger.rooms.places, claims, group.now)
    const homes = ledger.homes.size > 0 ? ledger.homes.write(ledger.sql) : undefined
    return {
      number: group.number,
      appended: jobs.results,
      firstOrd: jobs.firstOrd,
      ...(took !== undefined && { taken: took.answers, takenOrd: took.firstOrd }),
      ...(homes !== undefined && { homes }),
      roomOf: ledger.admission.takeRoom(),
      duplicates: jobs.duplicates,
      failures: jobs.failures,
      claims,
      expired: [...jobs.expired, ...expired],
      ...(lastErrors !== undefined && { lastErrors }),
      stale,
      failedSettles,
      answers,
      wished,
      nextDueAt: ledger.nextDueAt(),
      numbersUntil: ledger.nextNumber,
      waiting: ledger.waitingJobs,
      claimable: ledger.claimable,
      suspects: ledger.suspects,
      newTasks: ledger.tasks.names.slice(knownTasks),
    }
  }

  #settle({ done, handedOver, delivered, settles, now }: Group, failed: FailedSettle[]): number[] {
    const { ledger } = this
    const stale = done === undefined ? [] : finishJobs(ledger, done)
    if (handedOver !== undefined) stale.push(...handOver(ledger, handedOver))
    if (delivered !== undefined) stale.push(...endDelivered(ledger, delivered, now))
    if (settles.length > 0) stale.push(...settleJobs(ledger, settles, now, failed))
    return stale
  }

  #carryOut(asked: Wish, now: number): Wished {
    const wish = { ...asked, number: numberBehind(this.ledger.db, asked.number) }
    return { wish, answer: this.#requests.answer(requestOf(wish), now) }
  }

  #passTime(now: number): Expired[] {
    const next = this.ledger.nextDueAt()
    if (next === undefined || next > now) return []
    const expired = expireOverdue(this.ledger, now)
    promoteDue(this.ledger, now)
    // Also if nothing had to be done: the job may have been claimed meanwhile, and an instant that has passed is no next one.
    this.ledger.timesChanged = 'yes'
    return expired
  }

  #remember(): () => void {
    const { ledger } = this
    const { nextNumber } = ledger
    const tasks = ledger.tasks.names.length
    const restoreAsked = ledger.admission.snapshot()
    const undo = ledger.remember()
    return () => {
      if (ledger.db.inTransaction) ledger.rollback.run()
      ledger.nextNumber = nextNumber
      ledger.tasks.truncate(tasks)
      restoreAsked()
      ledger.forgetInbox()
      // Claims of a trial or a probe that was not committed would run a job that nobody has claimed.
      this.#requests.takeClaims()
      undo()
      ledger.timesChanged = 'yes'
    }
  }
}
