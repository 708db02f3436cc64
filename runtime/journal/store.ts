import { MillraceError } from '../../lib/errors.ts'
import { appendJobs, type Appended } from './append.ts'
import { claimForRooms } from './claim.ts'
import { expireOverdue, promoteDue } from './due.ts'
import { unpackInbox } from './inbox.ts'
import type { Ledger } from './ledger.ts'
import type { Group, OpenedJournal, Reply } from './protocol.ts'
import { Requests } from './requests.ts'
import { type FailedSettle, finishJobs, settleJobs } from './settle.ts'
import { requestOf, type Wish, type Wished } from './wish.ts'

const NOTHING: Appended = { results: new Uint8Array(0), firstOrd: 0, duplicates: [], failures: [] }

/**
 * The journal's logic, without a thread: takes groups, makes each lot one transaction, says what became of every part.
 * The order inside a commit is settles, requests, new jobs, what is due, claims: so room and keys that the first part
 * frees are used by the last.
 */
export class Store {
  readonly ledger: Ledger
  readonly #requests: Requests

  constructor(ledger: Ledger) {
    this.ledger = ledger
    this.#requests = new Requests(ledger)
  }

  describe(recovered: number, firstNumber: number): OpenedJournal {
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
      waiting: ledger.waiting.total,
      suspects: ledger.suspects,
    }
  }

  /** Commits the groups in one transaction; throws with nothing of them done. What changes nothing costs no write. */
  commit(groups: readonly Group[]): Reply[] {
    const { ledger } = this
    const undo = this.#remember()
    ledger.begin.run()
    const before = ledger.totalChanges()
    try {
      const replies = groups.map((group) => this.#apply(group))
      if (ledger.totalChanges() !== before) this.#stamp((groups.at(-1) as Group).number)
      ledger.commit.run()
      return replies
    } catch (error) {
      undo()
      throw error
    }
  }

  #apply(group: Group): Reply {
    const { ledger } = this
    const knownTasks = ledger.tasks.names.length
    for (const name of group.names) ledger.tasks.add(name)
    if (group.routes !== undefined) ledger.route(group.routes)
    for (let at = 0; at < group.room.length; at += 3) {
      ledger.rooms.grant(group.room[at] as number, group.room[at + 1] as number, group.room[at + 2] as number)
    }
    const stale = group.done === undefined ? [] : finishJobs(ledger, group.done)
    const failedSettles: FailedSettle[] = []
    if (group.settles.length > 0) stale.push(...settleJobs(ledger, group.settles, group.now, failedSettles))
    const answers = group.requests.map((request) => this.#requests.answer(request, group.now))
    const wished: Wished[] = []
    if (ledger.inboxMayHaveRows() === 'yes') {
      unpackInbox(ledger, group.now, (wish) => wished.push(this.#carryOut(wish, group.now)))
    }
    const jobs = group.jobs === undefined ? NOTHING : appendJobs(ledger, group.jobs, group.now, 'short-cut')
    const expired = this.#passTime(group.now)
    const claims = [...this.#requests.takeTrialClaims(), ...claimForRooms(ledger)]
    return {
      number: group.number,
      appended: jobs.results,
      firstOrd: jobs.firstOrd,
      duplicates: jobs.duplicates,
      failures: jobs.failures,
      claims,
      expired,
      stale,
      failedSettles,
      answers,
      wished,
      nextDueAt: ledger.nextDueAt(),
      numbersUntil: ledger.nextNumber,
      waiting: ledger.waiting.total,
      suspects: ledger.suspects,
      newTasks: ledger.tasks.names.slice(knownTasks),
    }
  }

  #carryOut(wish: Wish, now: number): Wished {
    return { wish, answer: this.#requests.answer(requestOf(wish, now + this.ledger.keepEndedMs), now) }
  }

  #passTime(now: number): { number: number; task: number }[] {
    const next = this.ledger.nextDueAt()
    if (next === undefined || next > now) return []
    const expired = expireOverdue(this.ledger, now, this.ledger.keepEndedMs)
    promoteDue(this.ledger, now)
    // Also if nothing had to be done: the job may have been claimed meanwhile, and an instant that has passed is no next one.
    this.ledger.timesChanged = 'yes'
    return expired
  }

  /** Every commit carries its number, by which the owner learns after a crash of this thread what was committed. */
  #stamp(number: number): void {
    const { ledger } = this
    const { changes } = ledger.sql.stamp.run(number, ledger.nextOrd, ledger.nextNumber, ledger.epoch)
    if (changes === 0) {
      throw new MillraceError(
        'MILLRACE_JOURNAL_LOST',
        'another process has taken the journal over; got a newer owner epoch, expected our own; stop one of the two',
      )
    }
    ledger.commits = number
  }

  #remember(): () => void {
    const { ledger } = this
    const { nextOrd, nextNumber } = ledger
    const tasks = ledger.tasks.names.length
    const restoreRooms = ledger.rooms.snapshot()
    return () => {
      if (ledger.db.inTransaction) ledger.rollback.run()
      ledger.nextOrd = nextOrd
      ledger.nextNumber = nextNumber
      ledger.tasks.truncate(tasks)
      restoreRooms()
      // Claims of a trial that was not committed would run a job that nobody has claimed.
      this.#requests.takeTrialClaims()
      ledger.recount()
      ledger.timesChanged = 'yes'
    }
  }
}
