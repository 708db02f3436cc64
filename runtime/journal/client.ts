import type { Clock } from '../../lib/clock.ts'
import { fromErrorRecord } from '../../lib/error-record.ts'
import { MillraceError } from '../../lib/errors.ts'
import type { ClaimedJob, Ended } from '../messages.ts'
import { acknowledge, claimedJobs, shortCutsOf } from './acknowledge.ts'
import { Gather, type NewJob, type Sent, type SettleEntry } from './gather.ts'
import type { JournalLink } from './link.ts'
import { resolveLostJob } from './lost-job.ts'
import type { Answer, FromJournal, JournalFault, OpenedJournal, Reply, Request, Routes } from './protocol.ts'
import { refusalOf } from './refusal.ts'

/** What the owner's stages hear of commits. Called once a group, in the order of the commits. */
export interface JournalListener {
  claimed(jobs: readonly ClaimedJob[]): void
  /** Settles that are committed; a stale one was overtaken by another committed outcome. */
  settled(finished: readonly Ended[], settles: readonly SettleEntry[], stale: ReadonlySet<number>): void
  expired(jobs: Reply['expired']): void
  /** What other processes wanted of jobs is committed. */
  wished(wished: Reply['wished']): void
  /** An outcome that the journal could not write; its job stays running until the next start. */
  unsettled(number: number, error: Error): void
  nextDueAt(at: number | undefined): void
  suspects(count: number): void
  learnedTasks(names: readonly string[]): void
  /** The journal refuses new jobs from now on, or takes them again. */
  health(state: 'degraded' | 'healthy', error: Error): void
  /** The journal thread died; groups that were under way are resolved once it is open again. */
  down(error: Error): void
}

/** Two groups under way: one commits while the next crosses over, so the journal thread never waits for this one. */
const WINDOW = 2

/** How often a full disk is tried again. */
const DEGRADED_RETRY_MS = 1_000

const NONE: ReadonlySet<number> = new Set()

/**
 * The owner's side of the journal. Every write of a tick goes into one group; a group is sent when fewer than two are
 * under way, so that under load groups grow by themselves while the ones before them commit.
 */
export class JournalClient {
  readonly #clock: Clock
  readonly #listener: JournalListener
  readonly #gather = new Gather()
  readonly #names: string[] = []
  readonly #indexOf = new Map<string, number>()
  #sent: Sent[] = []
  #link: JournalLink | undefined
  #status: 'closed' | 'open' | 'degraded' | 'down' = 'closed'
  #fault: JournalFault | undefined
  #flush: 'idle' | 'planned' = 'idle'
  #lastGroup = 0
  #nextNumber = 0
  #numbersUntil = 0
  #waiting = 0

  constructor(clock: Clock, listener: JournalListener) {
    this.#clock = clock
    this.#listener = listener
  }

  /** Jobs that wait in the journal for a claim, as of the last commit. */
  get waiting(): number {
    return this.#waiting
  }

  get taskNames(): readonly string[] {
    return this.#names
  }

  /** Goes on over a link that has just opened; after a loss it sends again what was not committed. */
  attach(link: JournalLink, opened: OpenedJournal): void {
    this.#link = link
    if (this.#status === 'closed') {
      this.#nextNumber = opened.firstNumber
      this.#lastGroup = opened.commits
      this.#learn(opened.tasks)
    }
    this.#numbersUntil = opened.numbersUntil
    this.#waiting = opened.waiting
    this.#status = 'open'
    this.#listener.nextDueAt(opened.nextDueAt)
    this.#listener.suspects(opened.suspects)
    this.#resolveLost(opened.commits)
    this.#plan()
  }

  /** The index of a task that the journal knows; `undefined` before `learn` has answered for it. */
  taskIndex(name: string): number | undefined {
    return this.#indexOf.get(name)
  }

  taskName(index: number): string {
    return this.#names[index] as string
  }

  /** Gives names an index each, and routes to all tasks, before anything that comes after. */
  async learn(names: readonly string[]): Promise<void> {
    for (const name of names) if (!this.#indexOf.has(name)) this.#gather.addName(name)
    await this.barrier()
  }

  route(routes: Routes): void {
    this.#gather.route(routes)
    this.#plan()
  }

  /** A number for a new job, unique for the journal's life. */
  takeNumber(): number {
    if (this.#nextNumber >= this.#numbersUntil) {
      throw new MillraceError(
        'MILLRACE_JOURNAL_IO',
        'the journal has not kept up with numbering new jobs; a million are on their way; enqueue again after some settle',
      )
    }
    return this.#nextNumber++
  }

  /** Whether a job of the owner may have this number. */
  hasNumbered(number: number): boolean {
    return number < this.#nextNumber
  }

  /** A range of numbers for somebody who numbers jobs apart. */
  takeNumbers(count: number): number {
    const first = this.#nextNumber
    this.#nextNumber += count
    return first
  }

  append(job: NewJob): void {
    if (this.#status === 'degraded') return job.refused(refusalOf(this.#fault))
    this.#gather.addJob(job)
    this.#plan()
  }

  /** A plain success: the row vanishes. */
  finish(ended: Ended): void {
    this.#gather.addFinished(ended)
    this.#plan()
  }

  settle(entry: SettleEntry): void {
    this.#gather.addSettle(entry)
    this.#plan()
  }

  giveRoom(place: number, jobs: number, bytes: number): void {
    this.#gather.addRoom(place, jobs, bytes)
    if (this.#waiting > 0) this.#plan()
  }

  request(request: Request): Promise<Answer> {
    return new Promise((answered, refused) => {
      if (this.#status === 'degraded') return refused(refusalOf(this.#fault))
      this.#gather.addRequest({ request, answered, refused })
      this.#plan()
    })
  }

  /** Lets the journal look at the time and the inbox. */
  nudge(): void {
    this.#gather.nudge()
    this.#plan()
  }

  /** Resolves when everything that was handed over so far is committed or refused. */
  barrier(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#status === 'closed') return resolve()
      this.#gather.addBarrier(resolve)
      this.#plan()
    })
  }

  received(message: FromJournal): void {
    switch (message.type) {
      case 'reply':
        return this.#replied(message.reply)
      case 'refused':
        return this.#refused(message.number, message.fault)
      case 'inbox':
        return this.nudge()
      case 'fault':
        this.#fault = message.fault
        return
      case 'opened':
      case 'closed':
        return
    }
  }

  lost(error: Error): void {
    if (this.#status === 'closed') return
    this.#link = undefined
    this.#status = 'down'
    this.#listener.down(this.#fault === undefined ? error : fromErrorRecord(this.#fault.error))
  }

  /** Claims whose settle is not committed yet. */
  *unsettled(): Generator<ClaimedJob> {
    for (const { job } of this.#gather.ended()) yield job
    for (const { finished, settles } of this.#sent) {
      for (const { job } of finished) yield job
      for (const { ended } of settles) yield ended.job
    }
  }

  /** Nothing more will be committed: everybody who still waits hears why. */
  abandon(error: unknown): void {
    this.#status = 'closed'
    for (const sent of this.#sent.splice(0)) {
      for (const job of sent.jobs) job.refused(error)
      for (const request of sent.requests) request.refused(error)
      for (const barrier of sent.barriers) barrier.passed()
    }
    this.#gather.refuse(error)
  }

  #plan(): void {
    if (this.#flush === 'planned' || this.#sent.length >= WINDOW) return
    if (this.#link === undefined || this.#status === 'degraded') return
    this.#flush = 'planned'
    this.#clock.setImmediate(() => {
      this.#flush = 'idle'
      this.#sendNext()
    })
  }

  #sendNext(): void {
    if (this.#link === undefined || this.#sent.length >= WINDOW) return
    if (this.#hasNothingToSend()) return
    const sent = this.#gather.take(++this.#lastGroup, this.#clock.now())
    this.#sent.push(sent)
    this.#link.send(sent.group)
    if (!this.#hasNothingToSend()) this.#plan()
  }

  #hasNothingToSend(): boolean {
    return this.#gather.isEmpty(this.#waiting > 0 ? 'matters' : 'can wait')
  }

  #replied(reply: Reply): void {
    const sent = this.#sent.shift()
    if (sent === undefined) return
    this.#numbersUntil = Math.max(this.#numbersUntil, reply.numbersUntil)
    this.#waiting = reply.waiting
    if (reply.newTasks.length > 0) {
      this.#learn(reply.newTasks)
      this.#listener.learnedTasks(reply.newTasks)
    }
    this.#plan()
    this.#reportSettles(sent, reply)
    if (reply.jobsRefused === undefined) this.#acknowledge(sent, reply)
    else this.#refuseJobs(sent, reply.jobsRefused)
    for (const barrier of sent.barriers) barrier.passed()
    sent.requests.forEach((entry, at) => entry.answered(reply.answers[at] as Answer))
    for (const claim of reply.claims) this.#listener.claimed(claimedJobs(claim))
    if (reply.claims.length > 0 && reply.waiting > 0) this.nudge()
    if (reply.wished.length > 0) this.#listener.wished(reply.wished)
    if (reply.expired.length > 0) this.#listener.expired(reply.expired)
    this.#listener.nextDueAt(reply.nextDueAt)
    this.#listener.suspects(reply.suspects)
    if (this.#status === 'degraded' && reply.jobsRefused === undefined) this.#heal()
    this.#sendNext()
  }

  #reportSettles(sent: Sent, reply: Reply): void {
    if (sent.finished.length === 0 && sent.settles.length === 0) return
    const none = reply.stale.length === 0 && reply.failedSettles.length === 0
    const unsettled = none ? NONE : new Set([...reply.stale, ...reply.failedSettles.map(({ number }) => number)])
    this.#listener.settled(sent.finished, sent.settles, unsettled)
    for (const { number, error } of reply.failedSettles) this.#listener.unsettled(number, fromErrorRecord(error))
  }

  #acknowledge(sent: Sent, reply: Reply): void {
    const shortCuts = shortCutsOf(sent, reply)
    if (shortCuts.length > 0) this.#listener.claimed(shortCuts)
    acknowledge(sent, reply)
  }

  #refused(number: number, fault: JournalFault): void {
    const at = this.#sent.findIndex((sent) => sent.group.number === number)
    if (at < 0) return
    const [sent] = this.#sent.splice(at, 1) as [Sent]
    this.#gather.restore(sent)
    this.#refuseJobs(sent, fault)
    for (const request of sent.requests) request.refused(refusalOf(this.#fault))
  }

  #refuseJobs(sent: Sent, fault: JournalFault): void {
    this.#fault = fault
    for (const job of sent.jobs) job.refused(refusalOf(this.#fault))
    if (this.#status === 'degraded') return
    this.#status = 'degraded'
    this.#gather.refuse(refusalOf(this.#fault))
    this.#listener.health('degraded', refusalOf(this.#fault))
    this.#probe()
  }

  /** Sends what has to be written, or else an empty commit, until one goes through. */
  #probe(): void {
    this.#clock.setTimer(DEGRADED_RETRY_MS, () => {
      if (this.#status !== 'degraded') return
      this.#gather.nudge()
      this.#sendNext()
      this.#probe()
    })
  }

  #heal(): void {
    const refusal = refusalOf(this.#fault)
    this.#status = 'open'
    this.#fault = undefined
    this.#listener.health('healthy', refusal)
    this.#plan()
  }

  #learn(names: readonly string[]): void {
    for (const name of names) {
      this.#indexOf.set(name, this.#names.length)
      this.#names.push(name)
    }
  }

  /** What was under way when the thread died: committed groups are acknowledged, the others sent again. */
  #resolveLost(commits: number): void {
    const lost = this.#sent.splice(0)
    const open = lost.filter(({ group }) => group.number > commits)
    for (const sent of [...open].reverse()) this.#gather.restore(sent)
    for (const { jobs } of open) for (const job of jobs) this.#gather.addJob(job)
    for (const sent of lost.filter(({ group }) => group.number <= commits)) {
      this.#listener.settled(sent.finished, sent.settles, NONE)
      for (const job of sent.jobs) resolveLostJob(job, (request) => this.request(request))
      for (const barrier of sent.barriers) barrier.passed()
    }
    for (const { requests } of lost) for (const entry of requests) this.#gather.addRequest(entry)
    this.#lastGroup = Math.max(this.#lastGroup, commits)
  }
}
