import type { Remote } from 'comlink'
import { type Clock, pause } from '../../../lib/clock.ts'
import { fromErrorRecord } from '../../../lib/error-record.ts'
import { MillraceError } from '../../../lib/errors.ts'
import { within } from '../../../lib/within.ts'
import { Callers } from './callers.ts'
import { JournalClient } from './client.ts'
import { fileError } from '../files/file-error.ts'
import type { NewJob, SettleEntry, TakenEntry } from './gather.ts'
import type { ConnectJournal, JournalConnection } from '../link.ts'
import type { JournalListener } from './listener.ts'
import type { JournalOptions } from '../open.ts'
import type { ClaimedJob, Ended, Start } from '../../messages.ts'
import type { Answer, JournalFault, OpenedJournal, Request, Routes } from '../protocol.ts'
import type { JournalQueries } from '../queries/queries.ts'
import type { Patience } from '../refusal.ts'
import { Reopening, RESTARTS } from './reopening.ts'
import { Settings } from './settings.ts'
import type { Turnstile } from '../turnstile.ts'

/** What its last commits may take: the files are to be closed, and a broker told, within the time that a stop has for it. */
const WRITTEN_MS = 20_000

export interface JournalAccessListener extends JournalListener {
  /** Open again after its thread had died; `routes` and what is held have to be told anew. */
  reopened(opened: OpenedJournal): void
  /** It cannot be opened again: nothing will be written any more. */
  gaveUp(error: Error): void
}

/** The journal as the rest of the owner sees it: one object for its whole life, whatever becomes of its thread. */
export class JournalAccess {
  readonly settings = new Settings((request) => this.request(request))
  readonly callers: Callers
  readonly #options: JournalOptions
  readonly #clock: Clock
  readonly #listener: JournalAccessListener
  readonly #client: JournalClient
  readonly #connect: ConnectJournal
  #connection: JournalConnection | undefined
  #opened: OpenedJournal | undefined
  /** 'ending': what was handed over is being committed. */
  #status: 'new' | 'open' | 'ending' | 'closing' | 'closed' = 'new'
  readonly #reopening = new Reopening()
  #end: Error | undefined
  /** Why the latest thread has ended, or could not open it. */
  #fault: JournalFault | undefined
  #lastError = new Error('the journal thread exited')

  constructor(options: JournalOptions, connect: ConnectJournal, clock: Clock, listener: JournalAccessListener) {
    this.callers = new Callers(options)
    this.#options = options
    this.#connect = connect
    this.#clock = clock
    this.#listener = listener
    this.#client = new JournalClient(clock, listener)
  }

  /** The name in this journal's job ids. */
  get name(): string {
    return this.#opened?.name ?? ''
  }

  /** What the journal was like when this process opened it. */
  get found(): OpenedJournal | undefined {
    return this.#opened
  }

  /** When something is due next, as of the last commit. */
  get nextDueAt(): number | undefined {
    return this.#client.nextDueAt
  }

  /** Jobs that wait for their trial, as of the last commit. */
  get suspects(): number {
    return this.#client.suspects
  }

  get waiting(): number {
    return this.#client.waiting
  }

  /** How often the disk has taken jobs or their ends. */
  get writes(): number {
    return this.#client.writes
  }

  get taskNames(): readonly string[] {
    return this.#client.tasks.all
  }

  /** Why new jobs and requests are refused now. */
  get refusal(): Error | undefined {
    return this.#client.refusal
  }

  /** Why nothing is written or answered any more. */
  get end(): Error | undefined {
    return this.#end
  }

  get turnstile(): Turnstile {
    return (this.#connection as JournalConnection).turnstile
  }

  async open(): Promise<OpenedJournal> {
    const opened = await this.#start(undefined)
    this.#opened = opened
    this.settings.begin(opened.settings)
    this.#status = 'open'
    this.#client.attach(this.#connection as JournalConnection, opened)
    return opened
  }

  append(job: NewJob): void {
    if (this.#end !== undefined) return job.refused(this.#end)
    this.#client.append(job)
  }

  take(entry: TakenEntry): void {
    this.#client.take(entry)
  }

  finish(ended: Ended): void {
    this.#client.finish(ended)
  }

  settle(entry: SettleEntry): void {
    this.#client.settle(entry)
  }

  started(starts: readonly Start[]): void {
    this.#client.started(starts)
  }

  giveRoom(place: number, jobs: number, bytes: number): void {
    this.#client.giveRoom(place, jobs, bytes)
  }

  request(request: Request): Promise<Answer> {
    return this.#end === undefined ? this.#client.request(request) : Promise.reject(this.#end)
  }

  route(routes: Routes): void {
    this.#client.route(routes)
  }

  learn(names: readonly string[], patience: Patience): Promise<void> {
    return this.#client.learn(names, patience)
  }

  taskIndex(name: string): number | undefined {
    return this.#client.tasks.indexOf(name)
  }

  taskName(index: number): string {
    return this.#client.tasks.at(index)
  }

  takeNumber(): number | undefined {
    return this.#client.takeNumber()
  }

  /** The lowest number that the owner has not given out. */
  get numbered(): number {
    return this.#client.numbered
  }

  takeNumbers(count: number, give: (first: number) => void): void {
    this.#client.takeNumbers(count, give)
  }

  nudge(): void {
    this.#client.nudge()
  }

  barrier(patience?: Patience): Promise<void> {
    return this.#client.barrier(patience)
  }

  query<T>(ask: (queries: Remote<JournalQueries>) => Promise<T>): Promise<T> {
    if (this.#end !== undefined) return Promise.reject(this.#end)
    return (this.#connection as JournalConnection).query(ask)
  }

  /** Nobody waits any more for a disk that fails: what it does not take at the next attempt is given up. */
  hurry(): void {
    this.#client.hurry()
  }

  /** Before a stop: resolves when what was handed over is committed, as far as the disk takes it. */
  async written(): Promise<void> {
    this.hurry()
    await within(this.#clock, WRITTEN_MS, this.#client.barrier(), () => undefined)
  }

  /** Commits what was handed over, as far as the disk takes it, then closes the files. */
  async close(): Promise<void> {
    if (this.#status !== 'open') return
    this.#status = 'ending'
    await this.written()
    this.#status = 'closing'
    this.#connection?.close()
    await this.#connection?.exited
    this.callers.close()
    this.#status = 'closed'
  }

  unsettled(): Iterable<ClaimedJob> {
    return this.#client.unsettled()
  }

  abandon(error: Error): void {
    this.#end = error
    this.#client.abandon(this.name, error)
  }

  /** Each connection is heard for itself: one that could not open has nothing to say of those that come after it. */
  #start(resume: number | undefined): Promise<OpenedJournal> {
    return new Promise((resolve, reject) => {
      let status: 'opening' | 'open' | 'over' = 'opening'
      const fail = (error: Error) => {
        status = 'over'
        reject(error)
      }
      this.#fault = undefined
      this.#connection = this.#connect(this.#options, resume, {
        received: (message) => {
          if (status === 'over') return
          if (message.type === 'fault') this.#fault = message.fault
          if (message.type === 'opened') {
            status = 'open'
            resolve(message.journal)
          } else if (message.type === 'fault' && status === 'opening') fail(fromErrorRecord(message.fault.error))
          else this.#client.received(message)
        },
        exited: (error) => {
          if (status === 'open') this.#exited(error)
          fail(error)
        },
      })
    })
  }

  #exited(error: Error): void {
    if ((this.#status !== 'open' && this.#status !== 'ending') || this.#end !== undefined) return
    this.#lastError = this.#fault === undefined ? error : fromErrorRecord(this.#fault.error)
    this.#client.lost(error)
    void this.#reopen()
  }

  async #reopen(): Promise<void> {
    const epoch = (this.#opened as OpenedJournal).epoch
    while (this.#end === undefined) {
      const step = this.#reopening.next(this.#fault?.kind, this.#clock.monotonicMs(), this.#client.writes)
      if (step.type === 'pause') {
        this.#client.outage(this.#fault as JournalFault, this.name)
        if (this.#client.patience === 'some') await pause(this.#clock, step.ms)
      }
      const isOver = step.type === 'give-up' || (step.type === 'pause' && this.#client.patience === 'none')
      if (isOver) return this.#listener.gaveUp(this.#endOf(this.#lastError))
      if (this.#end !== undefined) return
      this.callers.leaveRemoved()
      const opened = await this.#start(epoch).catch((error: Error) => error)
      if (!(opened instanceof Error)) return this.#goOn(opened)
      this.#lastError = opened
      // Until then it may have the lock.
      await this.#connection?.exited
    }
  }

  #endOf(error: Error): Error {
    const { file } = this.#options
    const told = this.#fault === undefined ? undefined : fileError(error, file, 'journal.file')
    return told instanceof MillraceError ? told : diedTooOften(file, error)
  }

  #goOn(opened: OpenedJournal): void {
    if (this.#end !== undefined) return
    this.#client.attach(this.#connection as JournalConnection, opened)
    this.#listener.reopened(opened)
  }
}

function diedTooOften(file: string, cause: Error): MillraceError {
  return new MillraceError(
    'MILLRACE_JOURNAL_IO',
    `the thread of the journal ${file} ends again and again; got more than ${RESTARTS.restarts} ends in ` +
      `${RESTARTS.withinMs} ms, the last one since ${cause.message}; nothing acknowledged is lost; see the cause, then start again`,
    { cause },
  )
}
