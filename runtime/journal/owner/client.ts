import type { Clock } from '../../../lib/clock.ts'
import { fromErrorRecord } from '../../../lib/error-record.ts'
import type { ClaimedJob, Ended, Start } from '../../messages.ts'
import { isFull } from '../claim-columns.ts'
import { acknowledge, acknowledgeTaken, answerOthers } from './acknowledge.ts'
import { claimedJobs, reportSettles, shortCutsOf } from './acknowledge.ts'
import { Gather, type NewJob, refuseSent, refuseTaken } from './gather.ts'
import type { Sent, SettleEntry, TakenEntry } from './gather.ts'
import { HeldBack } from './held-back.ts'
import type { JournalLink } from '../link.ts'
import type { JournalListener } from './listener.ts'
import { abandonGroup, disclaimGroup, resolveLost } from './lost-group.ts'
import { Numbers } from '../numbers.ts'
import type { Answer, FromJournal, JournalFault, OpenedJournal, Reply, Request, Routes } from '../protocol.ts'
import { Probe } from './probe.ts'
import { mayBeRefused, type Patience, refusalOf } from '../refusal.ts'
import { TaskNames } from './task-names.ts'

/** Two groups under way: one commits while the next crosses over, so the journal thread never waits for this one. */
const WINDOW = 2

/**
 * The owner's side of the journal. Every write of a tick goes into one group; a group is sent when fewer than two are
 * under way, so that under load groups grow by themselves while the ones before them commit.
 */
export class JournalClient {
  readonly #clock: Clock
  readonly #listener: JournalListener
  readonly #gather = new Gather()
  readonly #heldBack = new HeldBack()
  /** Those that the journal knows: of others `learn` has to have answered first. */
  readonly tasks = new TaskNames()
  #sent: Sent[] = []
  #link: JournalLink | undefined
  /** A loss of the thread does not change it: a disk that was full may be so still. */
  #status: 'closed' | 'open' | 'degraded' = 'closed'
  /** Why it is degraded. */
  #fault: JournalFault | undefined
  /** What the thread has said of why it ends. */
  #lastWords: Error | undefined
  #flush: 'idle' | 'planned' = 'idle'
  /** Only `hurry` changes it. */
  patience: Patience = 'some'
  #lastGroup = 0
  #waiting = 0
  #suspects = 0
  #nextDueAt: number | undefined
  #routes: 'unknown' | 'told' = 'unknown'
  readonly #numbers = new Numbers(() => this.nudge())
  readonly #probe: Probe
  #claimable = 0
  #writes = 0

  constructor(clock: Clock, listener: JournalListener) {
    this.#clock = clock
    this.#probe = new Probe(clock, () => this.#tryAgain())
    this.#listener = listener
  }

  /** Jobs that wait in the journal for a claim, as of the last commit; any number while it does not know where they run. */
  get waiting(): number {
    return this.#routes === 'told' ? this.#waiting : Number.POSITIVE_INFINITY
  }

  get nextDueAt(): number | undefined {
    return this.#nextDueAt
  }

  get suspects(): number {
    return this.#suspects
  }

  /** Why new jobs and requests are refused now. */
  get refusal(): Error | undefined {
    return this.#status === 'degraded' ? refusalOf(this.#fault) : undefined
  }

  /** Commits so far of what has to be written: only these have shown that the disk takes it. */
  get writes(): number {
    return this.#writes
  }

  /** Goes on over a link that has just opened; after a loss it sends again what was not committed. */
  attach(link: JournalLink, opened: OpenedJournal): void {
    this.#link = link
    if (this.#status === 'closed') {
      this.#numbers.begin(opened.firstNumber)
      this.#lastGroup = opened.commits
      this.tasks.add(opened.tasks)
      this.#status = 'open'
    }
    ;({ waiting: this.#waiting, claimable: this.#claimable } = opened)
    this.#routes = 'unknown'
    this.#numbers.reserved(opened.numbersUntil)
    this.#comesNext(opened)
    resolveLost(this.#sent.splice(0), opened, this.#gather, this.#listener)
    for (const job of this.#heldBack.clear()) this.#gather.addJob(job)
    this.#lastGroup = Math.max(this.#lastGroup, opened.commits)
    // While it refuses nobody asks for the commit that shows that it need not any more.
    if (this.#status === 'degraded') this.#clock.setImmediate(() => this.#tryAgain())
    this.#plan()
  }

  /** Gives names an index each, and routes to all tasks, before anything that comes after. */
  learn(names: readonly string[], patience: Patience): Promise<void> {
    for (const name of names) if (this.tasks.indexOf(name) === undefined) this.#gather.addName(name)
    return this.barrier(patience)
  }

  route(routes: Routes): void {
    this.#gather.route(routes)
    this.#plan()
  }

  /** A number for a new job, unique for the journal's life; `undefined` until the journal has reserved more of them. */
  takeNumber(): number | undefined {
    return this.#numbers.take()
  }

  /** A range of them, for somebody who numbers jobs apart: at once, or when there is one. */
  takeNumbers(count: number, give: (first: number) => void): void {
    this.#numbers.takeRange(count, give)
  }

  /** The lowest number that the owner has not given out. */
  get numbered(): number {
    return this.#numbers.next
  }

  append(job: NewJob): void {
    if (this.#status === 'degraded') return job.refused(this.refusal)
    if (this.#heldBack.takes(job)) return
    this.#gather.addJob(job)
    this.#plan()
  }

  /** A delivery of a broker; one that is claimed at once goes to the hand, after its answer. */
  take(entry: TakenEntry): void {
    if (this.#status === 'degraded') return refuseTaken([entry], this.refusal)
    this.#gather.addTaken(entry)
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
    if (this.#claimable > 0) this.#plan()
  }

  /** A hint: starts that are not told count from the end of their claim. */
  started(starts: readonly Start[]): void {
    for (const { number, at } of starts) this.#gather.addStart(number, at)
    if (this.#waiting > 0) this.#plan()
  }

  request(request: Request): Promise<Answer> {
    return new Promise((answered, refused) => {
      if (this.#status === 'degraded' && mayBeRefused(request, 'some')) return refused(this.refusal)
      this.#gather.addRequest({ request, answered, refused })
      this.#plan()
    })
  }

  /** Lets the journal look at the time and the inbox. */
  nudge(): void {
    this.#gather.nudge()
    this.#plan()
  }

  /** Resolves when everything that was handed over so far is committed or refused; without patience rejects as a request. */
  barrier(patience: Patience = 'some'): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#status === 'closed') return resolve()
      if (this.#status === 'degraded' && patience === 'none') return reject(this.refusal)
      this.#gather.addBarrier(resolve, patience === 'none' ? reject : undefined)
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
      case 'overgrown':
        return this.#listener.overgrown(message.logBytes)
      case 'fault':
        this.#lastWords = fromErrorRecord(message.fault.error)
        return
      case 'opened':
        return
    }
  }

  lost(error: Error): void {
    if (this.#status === 'closed') return
    this.#link = undefined
    this.#listener.down(this.#lastWords ?? error)
    this.#lastWords = undefined
  }

  /** It cannot be opened for now: nobody waits for what the thread that has ended would have answered. */
  outage(fault: JournalFault, journal: string): void {
    const refusal = refusalOf(fault)
    this.#sent = this.#sent.map((sent) => disclaimGroup(sent, journal, refusal))
    this.#refuse(fault, 'some')
  }

  /** From now on nobody waits for a disk that refuses: what it does not take at the next attempt is not waited for. */
  hurry(): void {
    this.patience = 'none'
    this.#plan()
  }

  /** Claims whose settle is not committed yet. */
  *unsettled(): Generator<ClaimedJob> {
    for (const { job } of this.#gather.ended(this.#sent)) yield job
  }

  /** Nothing more will be committed: everybody who still waits hears why. */
  abandon(journal: string, error: unknown): void {
    this.#status = 'closed'
    for (const sent of this.#sent.splice(0)) abandonGroup(sent, journal, error)
    this.#gather.abandon(error)
    for (const job of this.#heldBack.clear()) job.refused(error)
  }

  #plan(): void {
    if (this.#flush === 'planned' || this.#sent.length >= (this.#gather.isFewOutcomes ? 1 : WINDOW)) return
    if (this.#link === undefined || (this.#status === 'degraded' && this.patience === 'some')) return
    this.#flush = 'planned'
    this.#clock.setImmediate(() => {
      this.#flush = 'idle'
      this.#sendNext()
    })
  }

  #sendNext(): void {
    if (this.#link === undefined || this.#sent.length >= WINDOW) return
    if (this.#hasNothingToSend()) return
    const sent = this.#gather.take(++this.#lastGroup, this.#clock.now(), this.#numbers.next)
    this.#sent.push(sent)
    this.#link.send(sent.group)
    if (!this.#hasNothingToSend()) this.#plan()
  }

  #hasNothingToSend(): boolean {
    return this.#gather.isEmpty(this.#claimable, this.#waiting)
  }

  #replied(reply: Reply): void {
    const sent = this.#sent.shift()
    if (sent === undefined) return
    if (sent.finished.length + sent.settles.length + reply.appended.length > 0) this.#writes++
    this.#numbers.reserved(reply.numbersUntil)
    ;({ waiting: this.#waiting, claimable: this.#claimable } = reply)
    if (sent.group.routes !== undefined) this.#routes = 'told'
    if (reply.newTasks.length > 0) {
      this.tasks.add(reply.newTasks)
      this.#listener.learnedTasks(reply.newTasks)
    }
    this.#plan()
    reportSettles(sent, reply, this.#listener)
    if (reply.jobsRefused === undefined) this.#acknowledge(sent, reply)
    else this.#refuseJobs(sent, reply.jobsRefused, 'some')
    answerOthers(sent, reply)
    for (const claim of reply.claims) this.#listener.claimed(claimedJobs(claim))
    if (reply.claimable > 0 && reply.claims.some(isFull)) this.nudge()
    if (reply.homes !== undefined) this.#listener.goHome(reply.homes)
    if (reply.wished.length > 0) this.#listener.wished(reply.wished)
    if (reply.expired.length > 0) this.#listener.expired(reply.expired)
    this.#comesNext(reply)
    if (this.#status === 'degraded' && reply.jobsRefused === undefined) this.#heal()
    if (!this.#gather.isFewOutcomes) this.#sendNext()
  }

  /** Kept as well as told: whoever it concerns may only be started later. */
  #comesNext({ nextDueAt, suspects }: Pick<Reply, 'nextDueAt' | 'suspects'>): void {
    ;[this.#nextDueAt, this.#suspects] = [nextDueAt, suspects]
    this.#listener.nextDueAt(nextDueAt)
    this.#listener.suspects(suspects)
  }

  #acknowledge(sent: Sent, reply: Reply): void {
    const shortCuts = shortCutsOf(sent, reply)
    if (shortCuts.length > 0) this.#listener.claimed(shortCuts)
    acknowledge(sent, reply, (job) => this.#heldBack.add(job))
    const taken = acknowledgeTaken(sent, reply)
    if (taken.length > 0) this.#listener.claimed(taken)
    for (const job of this.#heldBack.release(reply.roomOf, (task) => this.#gather.addAsk(task)))
      this.#gather.addJob(job)
  }

  #refused(number: number, fault: JournalFault): void {
    const at = this.#sent.findIndex((sent) => sent.group.number === number)
    if (at < 0) return
    const [sent] = this.#sent.splice(at, 1) as [Sent]
    this.#gather.restore(sent)
    // What somebody else keeps from being written is written soon.
    this.#refuseJobs(sent, fault, fault.kind === 'other' ? 'some' : this.patience)
  }

  #refuseJobs(sent: Sent, fault: JournalFault, patience: Patience): void {
    refuseSent(sent, refusalOf(fault))
    this.#refuse(fault, patience)
  }

  /** Until a commit goes through nobody's job or request waits here. */
  #refuse(fault: JournalFault, patience: Patience): void {
    this.#fault = fault
    const refusal = refusalOf(fault)
    this.#gather.refuse(refusal, patience)
    if (this.#status === 'degraded') return
    this.#status = 'degraded'
    for (const job of this.#heldBack.clear()) job.refused(refusal)
    this.#listener.health('degraded', refusal)
    this.#probe.start()
  }

  /** Sends what has to be written, or else an empty commit, until one goes through. */
  #tryAgain(): 'again' | 'done' {
    if (this.#status !== 'degraded') return 'done'
    this.#gather.nudge()
    this.#sendNext()
    return 'again'
  }

  #heal(): void {
    const refusal = refusalOf(this.#fault)
    this.#status = 'open'
    this.#fault = undefined
    this.#listener.health('healthy', refusal)
    this.#plan()
  }
}
