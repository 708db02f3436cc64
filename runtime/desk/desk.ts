import { nextTurn, pause } from '../../lib/clock.ts'
import type { RescheduleOptions } from '../../lib/enqueue.ts'
import { type ErrorRecord, fromErrorRecord } from '../../lib/error-record.ts'
import { MillraceError } from '../../lib/errors.ts'
import { endOf, notKept, resultOf } from '../../lib/job-end.ts'
import { type JobState, jobStates } from '../../lib/job-state.ts'
import {
  formatJobId,
  type JobFilter,
  type JobPage,
  type JobRecord,
  type PageOptions,
  parseJobId,
  type TaskSummary,
} from '../../lib/job.ts'
import { duration, refuseUnknown, wholeNumber } from '../../lib/options.ts'
import { decodePayload } from '../../lib/payload.ts'
import { within } from '../../lib/within.ts'
import { attemptsEnded } from './attempts-ended.ts'
import { cancelJob, removeJob, rescheduleJob, retryJob } from './changes.ts'
import { commitHeard, inboxEmptied, inboxTaken } from './inbox-taken.ts'
import type { EndedRow } from '../journal/store/expired.ts'
import { parseCursor } from '../journal/queries/page-cursor.ts'
import { type FoundJob, stateOf, type StoredJob, toJobRecord } from '../journal/store/record.ts'
import { INBOX_NUMBERS_FROM } from '../journal/schema/schema.ts'
import { isUnanswered } from '../journal/owner/unanswered.ts'
import type { Wished } from '../journal/inbox/wish.ts'
import { type CancelOptions, Job, type JobDesk, type JobOrigin, type ResultOptions } from '../publish/job-handle.ts'
import { LatestProgress } from './latest-progress.ts'
import { selected } from './selection.ts'
import type { Wires } from '../wires.ts'

const IDLE_LOOK_MS = 5

/** What the error that a timeout names may take: the journal's thread may wait for another writer just then. */
const LAST_ERROR_MS = 250

/** Answers questions about jobs, and wishes about single ones. */
export class Desk implements JobDesk {
  readonly #wires: Wires
  readonly #progress = new LatestProgress()

  constructor(wires: Wires) {
    this.#wires = wires
  }

  get journalName(): string {
    return this.#wires.journal.name
  }

  /** The number in an id of this journal. */
  numberOf(id: string): number {
    const parsed = parseJobId(id)
    if (parsed?.journal === this.journalName) return parsed.number
    throw new MillraceError(
      'MILLRACE_JOB_NOT_FOUND',
      `${JSON.stringify(id)} is no job of this journal; expected an id like ${formatJobId(this.journalName, 1)}; ` +
        'ask the runtime that gave it out',
      { path: 'id' },
    )
  }

  idOf(number: number): string {
    return formatJobId(this.journalName, number)
  }

  handle(id: string): Job {
    return new Job(this, this.numberOf(id), 'by-id')
  }

  /** Resolves when nothing is due, nothing runs and every settle is committed. */
  async idle(): Promise<void> {
    const { journal, clock } = this.#wires
    for (let quietLooks = 0; ; ) {
      if (journal.end !== undefined) throw journal.end
      await inboxEmptied(this.#wires)
      // What its last commit has claimed or settled is on its way to whoever it concerns.
      await nextTurn(clock)
      quietLooks = this.isQuiet() ? quietLooks + 1 : 0
      if (quietLooks === 2) return
      if (quietLooks === 0) await pause(clock, IDLE_LOOK_MS)
    }
  }

  /** Whether nothing waits for a place and nothing runs, as of the journal's last commit. */
  isQuiet(): boolean {
    return this.#wires.journal.waiting === 0 && this.holdsNothing()
  }

  /** Whether nothing is in the hands of this process, whatever waits in the journal. */
  holdsNothing(): boolean {
    const { places, dispatcher, undispatched, unsettled } = this.#wires
    const inMemory = undispatched.size + dispatcher.held + unsettled.size
    return inMemory === 0 && places.every((place) => place.claims().length === 0)
  }

  progressed(number: number, value: string): void {
    this.#progress.told(number, value)
  }

  async record(number: number): Promise<JobRecord> {
    if (number >= INBOX_NUMBERS_FROM) await this.#outOfInbox(number)
    const row = await this.#row(number)
    if (row === undefined) {
      throw new MillraceError(
        'MILLRACE_JOB_NOT_FOUND',
        `${formatJobId(this.journalName, number)} has no row; either it succeeded and its task keeps nothing, or it was ` +
          'never enqueued; set keepResultMs or keepHistory on the task to look back',
      )
    }
    return this.#completed(toJobRecord(this.journalName, row), number)
  }

  async page(filter: JobFilter, options: PageOptions): Promise<JobPage> {
    refuseUnknown(options, ['limit', 'after'], '')
    const { limit = 50, after } = options
    wholeNumber(limit, 1, 200, 'limit')
    await inboxTaken(this.#wires)
    const { states, tasks } = await selected(this.#wires, filter, jobStates)
    if (after !== undefined) parseCursor(after, states)
    const page = await this.#wires.journal.query((queries) =>
      queries.page({ states, tasks: tasks?.map((index) => this.#wires.journal.taskName(index)), limit, after }),
    )
    return {
      jobs: page.jobs.map((row) => this.#completed(toJobRecord(this.journalName, row), row.id)),
      next: page.next,
    }
  }

  async tasks(): Promise<TaskSummary[]> {
    const { journal, catalog, places, pauses, suspensions } = this.#wires
    await inboxTaken(this.#wires)
    const counts = await journal.query((queries) => queries.counts())
    if (counts.some(({ task }) => journal.taskIndex(task) === undefined)) await commitHeard(this.#wires)
    return journal.taskNames.map((task, index) => {
      const place = places[catalog.homeOf(index)]?.name
      const paused = pauses.holds(task, catalog.homeOf(index))
      const jobs: Partial<Record<JobState, number>> = {}
      for (const count of counts) if (count.task === task) jobs[stateOf(count.state)] = count.jobs
      const suspended = suspensions.of(index)
      return { task, place, ...(paused && { paused }), ...(suspended && { suspended }), jobs }
    })
  }

  async result(number: number, options: ResultOptions | undefined, origin: JobOrigin): Promise<unknown> {
    const { results, journal } = this.#wires
    const timeoutMs = timeoutOf(options)
    const recent = results.recent(number)
    if (recent !== undefined) return resultOf(recent, () => this.idOf(number))
    if (journal.end !== undefined) throw journal.end
    const { promise, leave } = results.wait(number)
    const isKnown = origin !== 'by-id' && number < journal.numbered && results.isSurelyOpen(number)
    if (!isKnown) this.#startLookUp(number)
    return timeoutMs === undefined ? promise : this.#withTimeout(promise, timeoutMs, leave, number)
  }

  async cancel(number: number, options: CancelOptions | undefined): Promise<'cancelled' | 'requested' | 'ended'> {
    return this.#change(number, (meant) => cancelJob(this.#wires, meant, options))
  }

  async retry(number: number): Promise<void> {
    return this.#change(number, (meant) => retryJob(this.#wires, meant))
  }

  async reschedule(number: number, options: RescheduleOptions): Promise<void> {
    return this.#change(number, (meant) => rescheduleJob(this.#wires, meant, options))
  }

  async remove(number: number): Promise<void> {
    await this.#change(number, (meant) => removeJob(this.#wires, meant))
  }

  /** What another process wanted is committed; what this one remembers of the job follows. */
  wished(wished: readonly Wished[]): void {
    const { results, emit, announcer } = this.#wires
    for (const { wish, answer: came } of wished) {
      if (came.type === 'revived') results.reopened(wish.number)
      else if (came.type === 'cancelled') announcer.cancelled([wish.number], [came.task])
      else if (came.type === 'requested') {
        this.cancel(wish.number, undefined).catch((error: Error) => emit.emit('runtime.error', { error }))
      }
    }
  }

  /** What the journal said while it was lost has reached nobody: who waits for a result is answered from the rows. */
  journalReopened(): void {
    const { journal, results } = this.#wires
    for (const number of results.missed(journal.numbered)) this.#startLookUp(number)
  }

  /**
   * Changes the job that a number means. Which that is is asked only where no job has the number itself: a child of an
   * attempt that was a duplicate. All others need not wait for the answer.
   */
  async #change<T>(asked: number, change: (number: number) => Promise<T>): Promise<T> {
    const number = await this.#behind(asked)
    const changed = change(number)
    const [came] = await Promise.allSettled([changed])
    if (!mayHaveMissed(came)) return changed
    const { number: meant } = await this.#find(number)
    return meant === number ? changed : change(meant)
  }

  /** The job that a number of the inbox leads to, once its row has been taken out of there; others are what they are. */
  async #behind(number: number): Promise<number> {
    if (number < INBOX_NUMBERS_FROM) return number
    await this.#outOfInbox(number)
    return (await this.#find(number)).number
  }

  #find(number: number): Promise<FoundJob> {
    return this.#wires.journal.query((queries) => queries.find(number))
  }

  #row(number: number): Promise<StoredJob | undefined> {
    return this.#wires.journal.query((queries) => queries.record(number))
  }

  /** What the journal has ended by itself, in commits of which the news was lost with its thread. */
  tellMissed(ended: readonly EndedRow[]): void {
    const { announcer, results } = this.#wires
    for (const { state, ...job } of ended) {
      const { number, task } = job
      if (results.recent(number) !== undefined) continue
      if (stateOf(state) === 'expired') announcer.expired([job])
      else announcer.cancelled([number], [task])
    }
  }

  /** For a job that may have ended long ago: what the journal has decides. */
  #startLookUp(number: number): void {
    const { journal, results } = this.#wires
    this.#lookUp(number).catch((error: unknown) => {
      // The next thread is asked when it has opened the journal.
      if (journal.end !== undefined || !isUnanswered(error)) results.refuse(number, error)
    })
  }

  async #lookUp(number: number): Promise<void> {
    const { journal, results } = this.#wires
    if (number >= INBOX_NUMBERS_FROM) await this.#outOfInbox(number)
    let found = await this.#find(number)
    // The query may have seen a commit that this process hears of only now: its own settle answers better.
    await journal.barrier()
    if (found.job === undefined && found.number < journal.numbered && results.isSurelyOpen(found.number)) {
      // The child of an attempt: it comes with the success of that, or never.
      await attemptsEnded(this.#wires)
      found = await this.#find(number)
    }
    if (found.number === number) return this.#answerFrom(number, found.job)
    results.follow(number, found.number)
    // Its end or its removal may have come since its row was read, and have found nobody.
    this.#startLookUp(found.number)
  }

  /** A commit moves it into the queue; a transaction that asks before its own end has committed by then. */
  async #outOfInbox(number: number): Promise<void> {
    const { journal } = this.#wires
    do await journal.barrier()
    while (await journal.query((queries) => queries.isInInbox(number)))
  }

  /** What this process remembers needs no row. */
  #answerFrom(number: number, job: StoredJob | undefined): void {
    const { results } = this.#wires
    const end = results.recent(number) ?? (job && endOf(toJobRecord(this.journalName, job), job.output))
    if (end !== undefined) results.answer(number, end)
    // Where it runs or waits its settle will answer.
    else if (job === undefined) results.refuse(number, notKept(this.idOf(number)))
  }

  async #withTimeout(promise: Promise<unknown>, ms: number, leave: () => void, number: number): Promise<unknown> {
    return within(this.#wires.clock, ms, promise, async () => {
      leave()
      throw resultTimeout(this.idOf(number), ms, await this.#lastError(number))
    })
  }

  /** Of an attempt, if one has failed; nobody waits long for it, nor hears that it cannot be read. */
  async #lastError(number: number): Promise<ErrorRecord | undefined> {
    const none = () => undefined
    const row = await within(this.#wires.clock, LAST_ERROR_MS, this.#row(number).catch(none), none)
    return row === undefined ? undefined : toJobRecord(this.journalName, row).history.at(-1)?.error
  }

  #completed(record: JobRecord, number: number): JobRecord {
    const { catalog, journal, places } = this.#wires
    const place = places[catalog.homeOf(journal.taskIndex(record.task) ?? -1)]?.name
    const progress = this.#progress.of(number)
    return {
      ...record,
      ...(place !== undefined && { place }),
      ...(progress !== undefined && { progress: decodePayload(progress) }),
    }
  }
}

/** Whether what came of a change leaves it open that there was no such job. */
function mayHaveMissed(came: PromiseSettledResult<unknown>): boolean {
  if (came.status === 'fulfilled') return came.value === 'ended' || came.value === 'absent'
  return came.reason instanceof MillraceError && came.reason.code === 'MILLRACE_JOB_NOT_FOUND'
}

function resultTimeout(id: string, ms: number, last: ErrorRecord | undefined): MillraceError {
  const why = last === undefined ? '' : `, and its last attempt has failed: ${last.message}`
  return new MillraceError(
    'MILLRACE_RESULT_TIMEOUT',
    `${id} has not ended within ${ms} ms${why}; it goes on; ask again, or look at record()`,
    last === undefined ? {} : { cause: fromErrorRecord(last) },
  )
}

function timeoutOf(options: ResultOptions = {}): number | undefined {
  refuseUnknown(options, ['timeoutMs'], '')
  return options.timeoutMs === undefined ? undefined : duration(options.timeoutMs, 'timeoutMs')
}
