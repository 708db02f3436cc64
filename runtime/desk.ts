import { prepareReschedule, type RescheduleOptions } from '../lib/enqueue.ts'
import { MillraceError } from '../lib/errors.ts'
import { type EndedState, type JobState, jobStates } from '../lib/job-state.ts'
import { formatJobId, type JobFilter, type JobPage, type JobRecord, parseJobId, type TaskSummary } from '../lib/job.ts'
import { wholeNumber } from '../lib/options.ts'
import type { Outcome } from '../lib/outcome.ts'
import { decodePayload } from '../lib/payload.ts'
import type { Answer, Request } from './journal/protocol.ts'
import { parseCursor } from './journal/page-cursor.ts'
import { stateOf, type StoredJob, toJobRecord } from './journal/record.ts'
import { INBOX_NUMBERS_FROM } from './journal/schema.ts'
import type { Wished } from './journal/wish.ts'
import { placeListener } from './listeners.ts'
import type { ClaimedJob } from './messages.ts'
import { type CancelOptions, Job, type JobDesk, type ResultOptions } from './publish/job-handle.ts'
import { answer } from './settle/results.ts'
import { selectionOf } from './selection.ts'
import type { Wires } from './wires.ts'

const IDLE_LOOK_MS = 5

/** Answers questions about jobs, and wishes about single ones. */
export class Desk implements JobDesk {
  readonly #wires: Wires
  readonly #progress = new Map<number, string>()

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
    return this.job(this.numberOf(id))
  }

  job(number: number): Job {
    return new Job(this, number, 'new')
  }

  /** Resolves when nothing is due, nothing runs and every settle is committed. */
  async idle(): Promise<void> {
    const { journal, clock } = this.#wires
    for (let quietLooks = 0; ; ) {
      if (journal.end !== undefined) throw journal.end
      await journal.barrier()
      // What that commit has claimed or settled is on its way to whoever it concerns.
      await new Promise<void>((resolve) => clock.setImmediate(resolve))
      quietLooks = this.isQuiet() ? quietLooks + 1 : 0
      if (quietLooks === 2) return
      if (quietLooks === 0) await new Promise<void>((resolve) => clock.setTimer(IDLE_LOOK_MS, resolve))
    }
  }

  /** Whether nothing waits for a place and nothing runs, as of the journal's last commit. */
  isQuiet(): boolean {
    const { journal, places, dispatcher, undispatched, unsettled } = this.#wires
    const inMemory = undispatched.size + dispatcher.held + unsettled.size
    return journal.waiting === 0 && inMemory === 0 && places.every((place) => place.claims().length === 0)
  }

  progressed(number: number, value: string): void {
    this.#progress.delete(number)
    this.#progress.set(number, value)
    if (this.#progress.size > 10_000) this.#progress.delete(this.#progress.keys().next().value as number)
  }

  async record(number: number): Promise<JobRecord> {
    const row = await this.#wires.journal.query((queries) => queries.record(number))
    if (row === undefined) {
      throw new MillraceError(
        'MILLRACE_JOB_NOT_FOUND',
        `${formatJobId(this.journalName, number)} has no row; either it succeeded and its task keeps nothing, or it was ` +
          'never enqueued; set keepResultMs or keepHistory on the task to look back',
      )
    }
    return this.#completed(toJobRecord(this.journalName, row), number)
  }

  async page(filter: JobFilter, limit: number, after: string | undefined): Promise<JobPage> {
    wholeNumber(limit, 1, 200, 'limit')
    if (after !== undefined) parseCursor(after)
    const { states, tasks } = selectionOf(this.#wires, filter, jobStates)
    const page = await this.#wires.journal.query((queries) =>
      queries.page({ states, tasks: tasks?.map((index) => this.#wires.journal.taskName(index)), limit, after }),
    )
    return {
      jobs: page.jobs.map((row) => this.#completed(toJobRecord(this.journalName, row), row.id)),
      next: page.next,
    }
  }

  async tasks(): Promise<TaskSummary[]> {
    const { journal, catalog, places } = this.#wires
    const counts = await journal.query((queries) => queries.counts())
    return journal.taskNames.map((task, index) => {
      const place = places[catalog.placeOf(index)]?.name
      const jobs: Partial<Record<JobState, number>> = {}
      for (const count of counts) if (count.task === task) jobs[stateOf(count.state)] = count.jobs
      return { task, place, jobs }
    })
  }

  async result(number: number, options: ResultOptions | undefined): Promise<unknown> {
    const { results, journal } = this.#wires
    const recent = results.recent(number)
    if (recent !== undefined) return new Promise((resolve, reject) => answer(recent, { resolve, reject }))
    if (journal.end !== undefined) throw journal.end
    const { promise, leave } = results.wait(number)
    if (!journal.hasNumbered(number) || !results.isSurelyOpen(number))
      void this.#lookUp(number).catch((error: unknown) => results.refuse(number, error))
    return options?.timeoutMs === undefined ? promise : this.#withTimeout(promise, options.timeoutMs, leave, number)
  }

  async cancel(number: number, options: CancelOptions | undefined): Promise<'cancelled' | 'requested' | 'ended'> {
    const { journal, places, config, clock, wishes, results } = this.#wires
    wishes.add(number)
    const inHand = await this.#takeFromHand(number)
    if (inHand !== undefined) {
      this.#end(inHand, { type: 'cancelled' })
      await journal.barrier()
      return 'cancelled'
    }
    const wish = journal.request({ type: 'cancel', number, keepUntil: clock.now() + config.journal.keepEndedMs })
    const taken = places.map((place) => place.cancel(number, options?.mode ?? 'abort'))
    const answered = await wish
    if (taken.includes('recalled')) {
      await journal.barrier()
      return 'cancelled'
    }
    if (answered.type === 'requested') return 'requested'
    wishes.delete(number)
    // The attempt has followed the abort, and its end is in the same commit as the wish.
    if (taken.includes('aborted') && results.recent(number)?.state === 'cancelled') return 'cancelled'
    if (answered.type !== 'cancelled') return 'ended'
    results.ended(number, { state: 'cancelled' })
    return 'cancelled'
  }

  /** What another process wanted is committed; what this one remembers of the job follows. */
  wished(wished: readonly Wished[]): void {
    const { results, emit } = this.#wires
    for (const { wish, answer: came } of wished) {
      if (came.type === 'revived') results.reopened(wish.number)
      else if (came.type === 'cancelled') results.ended(wish.number, { state: 'cancelled' })
      else if (came.type === 'requested') {
        this.cancel(wish.number, undefined).catch((error: Error) => emit.emit('runtime.error', { error }))
      }
    }
  }

  async retry(number: number): Promise<void> {
    const answered = await this.#ask({ type: 'revive', number }, number)
    if (answered.type !== 'revived')
      throw this.#refused(answered, number, 'dead, cancelled, discarded or expired', 'retry')
    this.#wires.results.reopened(number)
  }

  async reschedule(number: number, options: RescheduleOptions): Promise<void> {
    const change = prepareReschedule(options, this.#wires.clock.now())
    const request: Request = { type: 'reschedule', number, ...change }
    await this.#release(number)
    const answered = await this.#ask(request, number)
    if (answered.type !== 'rescheduled') throw this.#refused(answered, number, 'scheduled or available', 'reschedule')
  }

  async remove(number: number): Promise<void> {
    const answered = await this.#wires.journal.request({ type: 'remove', number })
    if (answered.type === 'wrong-state') throw this.#refused(answered, number, 'a job that does not run', 'remove')
  }

  /** A claimed job that has not started goes back to the journal, where it can be changed. */
  async #release(number: number): Promise<void> {
    const job = await this.#takeFromHand(number)
    if (job !== undefined) this.#end(job, { type: 'interrupted', cause: 'recalled' })
  }

  #takeFromHand(number: number): Promise<ClaimedJob | undefined> {
    return new Promise((answer) => {
      if (this.#wires.dispatch.tell({ type: 'remove', number, answer }) !== 'accepted') answer(undefined)
    })
  }

  #end(job: ClaimedJob, outcome: Outcome): void {
    const place = this.#wires.catalog.placeOf(job.task)
    placeListener(this.#wires).ended(place, [{ job, outcome, startedAt: undefined, endedAt: undefined }])
  }

  async #ask(request: Request, number: number): Promise<Answer> {
    const answered = await this.#wires.journal.request(request)
    if (answered.type !== 'absent') return answered
    throw new MillraceError(
      'MILLRACE_JOB_NOT_FOUND',
      `${formatJobId(this.journalName, number)} has no row: it succeeded and nothing is kept, or it was never enqueued`,
    )
  }

  #refused(answered: Answer, number: number, expected: string, verb: string): MillraceError {
    const id = formatJobId(this.journalName, number)
    if (answered.type === 'key-taken') {
      return new MillraceError(
        'MILLRACE_KEY_TAKEN',
        `${id} cannot be retried, since ${formatJobId(this.journalName, answered.number)} has its key now; ` +
          'wait for that one, or cancel it first',
      )
    }
    const state = answered.type === 'wrong-state' ? stateOf(answered.state) : answered.type
    return new MillraceError(
      'MILLRACE_WRONG_STATE',
      `cannot ${verb} ${id}; got a job that is ${state}, expected ${expected}`,
    )
  }

  /** For a job that may have ended long ago: what the journal has decides. */
  async #lookUp(number: number): Promise<void> {
    const { journal, results } = this.#wires
    if (number >= INBOX_NUMBERS_FROM) await this.#outOfInbox(number)
    const row = await journal.query((queries) => queries.record(number))
    // The query may have seen a commit that this process hears of only now: its own settle answers better.
    await journal.barrier()
    if (row === undefined) {
      return results.refuse(number, notKept(formatJobId(this.journalName, number)))
    }
    if (row.id !== number) results.follow(number, row.id)
    this.#answerFrom(row)
  }

  /** A commit moves it into the queue; a transaction that asks before its own end has committed by then. */
  async #outOfInbox(number: number): Promise<void> {
    const { journal } = this.#wires
    do await journal.barrier()
    while (await journal.query((queries) => queries.isInInbox(number)))
  }

  #answerFrom(row: StoredJob): void {
    const { results } = this.#wires
    const recent = results.recent(row.id)
    if (recent !== undefined) return results.answer(row.id, recent)
    const record = toJobRecord(this.journalName, row)
    // It runs or waits: its settle will answer.
    if (row.ended_at === null) return
    if (record.state === 'succeeded' && row.output === null) return results.refuse(row.id, notKept(record.id))
    const last = record.history.at(-1)
    results.answer(row.id, {
      state: record.state as EndedState,
      ...(row.output !== null && { output: row.output }),
      ...(last?.error !== undefined && { error: last.error }),
      ...(last?.reason !== undefined && { reason: last.reason }),
    })
  }

  async #withTimeout(promise: Promise<unknown>, ms: number, leave: () => void, number: number): Promise<unknown> {
    const { clock } = this.#wires
    return new Promise((resolve, reject) => {
      const timer = clock.setTimer(ms, () => {
        leave()
        const id = formatJobId(this.journalName, number)
        reject(
          new MillraceError(
            'MILLRACE_RESULT_TIMEOUT',
            `${id} has not ended within ${ms} ms; it goes on; ask again, or look at record()`,
          ),
        )
      })
      promise.then(resolve, reject).finally(() => timer.cancel())
    })
  }

  #completed(record: JobRecord, number: number): JobRecord {
    const { catalog, journal, places } = this.#wires
    const place = places[catalog.placeOf(journal.taskIndex(record.task) ?? -1)]?.name
    const progress = this.#progress.get(number)
    return {
      ...record,
      ...(place !== undefined && { place }),
      ...(progress !== undefined && { progress: decodePayload(progress) }),
    }
  }
}

function notKept(id: string): MillraceError {
  return new MillraceError(
    'MILLRACE_RESULT_NOT_KEPT',
    `${id} has ended and its result is not kept; ask while it runs, or set keepResultMs on the task`,
  )
}
