import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import type { Clock } from '../../../lib/clock.ts'
import type { Outcome } from '../../../lib/outcome.ts'
import type { Usage } from '../../../lib/recycle.ts'
import { condemn, free, offer, recall, stateOf } from '../../../lib/slot-word.ts'
import type { Limits } from '../../catalog.ts'
import type { ClaimedJob, Ended } from '../../messages.ts'
import { PLAIN_SUCCESS } from '../attempt/attempt.ts'
import { SlotTable } from '../slot-table.ts'
import { Slots, slotsBuffer } from '../slots.ts'
import type { BegunAttempt } from '../start-news.ts'
import type { AbortReason, Batch, FromThread, ThreadRun, ToThread } from '../thread-protocol.ts'

/** A claim that stands in a slot of a thread. */
export interface Entry {
  readonly job: ClaimedJob
  readonly task: string
  readonly limits: Limits
  readonly slot: number
  readonly generation: number
  outcome: Outcome | undefined
  /** What the attempt was asked for, if anything. */
  asked: AbortReason | undefined
  /** Why it was given up, which is its outcome when the thread has exited. */
  verdict: Outcome | undefined
}

export type EntryState = 'offered' | 'taken' | 'done' | 'condemned'

/**
 * One life of a thread, from the place's side: its port, its slots and the claims that stand in them. The slot words are
 * the truth; messages only say that it is time to look, and carry outcomes that are more than a plain success.
 */
export class Incarnation {
  readonly run: ThreadRun
  readonly #port: MessagePort
  readonly #received: (message: FromThread) => void
  readonly #slots: Slots
  readonly #free: number[]
  /** Oldest first, and among them as many at most that have gone: to take out each by itself would be a look at all. */
  #offers: Entry[] = []
  readonly #bySlot = new SlotTable<Entry>(({ job }) => job.number)
  #abandoned = 0
  /** 'serving' once the thread has loaded its tasks; 'closing' when it gets no more work; 'ending' when it is terminated. */
  status: 'starting' | 'serving' | 'closing' | 'ending' | 'exited' = 'starting'
  threadId = -1
  /** The job whose code has ended the thread, if that is known. */
  endedBy: number | undefined
  kernelThread: number | undefined
  /** Monotonic ms at which it was told to end. */
  toldToEndAt: number | undefined
  /** What it has come to: jobs that it has ended, when it was given the first, and its memory where that is measured. */
  jobs = 0
  workingSince: number | undefined
  memoryBytes = 0

  constructor(
    { slots, ...run }: Omit<ThreadRun, 'port' | 'slots' | 'slotCount'> & { readonly slots: number },
    received: (message: FromThread) => void,
  ) {
    const buffer = slotsBuffer(slots)
    const { port1, port2 } = new MessageChannel()
    this.run = { ...run, port: port2, slots: buffer, slotCount: slots }
    this.#port = port1
    this.#received = received
    this.#slots = new Slots(buffer, slots)
    this.#free = Array.from({ length: slots }, (_, at) => slots - 1 - at)
    port1.on('message', received)
  }

  /** Claims that were offered and are not settled yet, oldest first. */
  get entries(): readonly Entry[] {
    if (this.#offers.length > this.size) this.#forgetGone()
    return this.#offers
  }

  /** How many those are. */
  get size(): number {
    return this.#bySlot.size
  }

  /** Attempts that were given up and go on all the same. */
  get abandoned(): number {
    return this.#abandoned
  }

  /** Slots that nothing stands in, given up or not. */
  get free(): number {
    return this.#free.length
  }

  get beatAt(): number {
    return this.#slots.beatAt
  }

  /** Whose handler holds the loop if it stands still; `undefined` where that is code after an await, or of no job. */
  get holder(): Entry | 'given-up' | undefined {
    const slot = this.#slots.called
    return slot === undefined ? undefined : (this.#bySlot.get(slot) ?? 'given-up')
  }

  usage(now: number): Usage {
    return { jobs: this.jobs, ageMs: now - (this.workingSince ?? now), memoryMb: this.memoryBytes / 2 ** 20 }
  }

  post(message: ToThread): void {
    this.#port.postMessage(message)
  }

  close(): void {
    this.status = 'exited'
    this.#port.close()
  }

  offer(jobs: readonly { job: ClaimedJob; task: string; limits: Limits }[]): void {
    const batch: Batch = {
      type: 'batch',
      slots: [],
      generations: [],
      numbers: [],
      tasks: [],
      claims: [],
      attempts: [],
      inputs: [],
      overrides: [],
    }
    for (const { job, task, limits } of jobs) {
      const slot = this.#free.pop() as number
      const generation = offer(this.#slots.words, slot)
      const entry: Entry = {
        job,
        task,
        limits,
        slot,
        generation,
        outcome: undefined,
        asked: undefined,
        verdict: undefined,
      }
      this.#offers.push(entry)
      this.#bySlot.put(slot, entry)
      batch.slots.push(slot)
      batch.generations.push(generation)
      batch.numbers.push(job.number)
      batch.tasks.push(task)
      batch.claims.push(job.claim)
      batch.attempts.push(job.attempt)
      batch.inputs.push(job.input)
      batch.overrides.push(job.extra?.overrides ?? null)
    }
    this.post(batch)
  }

  /** Where a job stands here, if it does. */
  find(number: number): Entry | undefined {
    return this.#bySlot.find(number)
  }

  state(entry: Entry): EntryState {
    return stateOf(this.#slots.words, entry.slot, entry.generation) as EntryState
  }

  /** Monotonic milliseconds at which a taken or done entry began. */
  startedAt(entry: Entry): number {
    return this.#slots.startedAt(entry.slot)
  }

  /** Attempts that have begun and not ended. */
  begun(): BegunAttempt<Entry>[] {
    const begun: BegunAttempt<Entry>[] = []
    for (const entry of this.entries) {
      if (this.state(entry) === 'taken') begun.push({ entry, startedAt: this.startedAt(entry) })
    }
    return begun
  }

  outcome(slot: number, generation: number, outcome: Outcome): void {
    const entry = this.#bySlot.get(slot)
    if (entry?.generation === generation) entry.outcome = outcome
  }

  /**
   * Takes out what the thread has marked done. An outcome is posted before its slot is marked, but a mark is seen at once
   * and a message only when it is read: so the messages are read after the marks, and before any of them is believed.
   * `epochOffset` turns the thread's monotonic times into instants.
   */
  harvest(epochOffset: number): Ended[] {
    return this.#takeOut(
      this.#slots.done.take().map((slot) => this.#bySlot.get(slot) as Entry),
      epochOffset,
    )
  }

  /** The same of a thread that has exited, perhaps between a mark and its note of it: with a look at each. */
  harvestRest(epochOffset: number): Ended[] {
    return this.#takeOut(
      this.entries.filter((entry) => this.state(entry) === 'done'),
      epochOffset,
    )
  }

  #takeOut(done: readonly Entry[], epochOffset: number): Ended[] {
    if (done.length === 0) return []
    this.jobs += done.length
    this.#readMessages()
    const ended = done.map((entry) => {
      const startedAt = epochOffset + this.#slots.startedAt(entry.slot)
      const endedAt = epochOffset + this.#slots.endedAt(entry.slot)
      this.#release(entry)
      return { job: entry.job, outcome: entry.outcome ?? PLAIN_SUCCESS, startedAt, endedAt }
    })
    if (this.#offers.length > 2 * this.size) this.#forgetGone()
    return ended
  }

  /** Takes back what has not started, as far as `which` holds; in the order in which it was offered. */
  recall(which: (entry: Entry) => boolean): ClaimedJob[] {
    const recalled: ClaimedJob[] = []
    for (const entry of this.entries) {
      if (!which(entry) || recall(this.#slots.words, entry.slot, entry.generation) === 'lost') continue
      recalled.push(entry.job)
      this.#release(entry)
    }
    return recalled
  }

  ask(entry: Entry, reason: AbortReason): void {
    if (entry.asked !== undefined) return
    entry.asked = reason
    this.#slots.abort(entry.slot, entry.generation, reason)
    this.post({ type: 'abort', slot: entry.slot, generation: entry.generation, reason })
  }

  /** Takes the right to finish from a running attempt: whatever it does from now on, `verdict` is its outcome. */
  condemn(entry: Entry, verdict: Outcome): 'condemned' | 'lost' {
    const result = condemn(this.#slots.words, entry.slot, entry.generation)
    if (result === 'condemned') entry.verdict = verdict
    return result
  }

  /** Gives a condemned entry up while its thread lives on: its slot stays taken, its outcome is free to be settled. */
  abandon(entry: Entry, clock: Pick<Clock, 'now' | 'monotonicMs'>): Ended {
    this.#bySlot.free(entry.slot)
    this.#abandoned++
    const endedAt = clock.now()
    const startedAt = this.startedAt(entry) + endedAt - clock.monotonicMs()
    return { job: entry.job, outcome: entry.verdict as Outcome, startedAt, endedAt }
  }

  /** The thread is done with a condemned entry. One that still stands here is settled when the thread has exited. */
  gaveBack(slot: number, generation: number): 'freed' | 'settled later' {
    if (this.#bySlot.get(slot) !== undefined) return 'settled later'
    if (free(this.#slots.words, slot, generation) !== 'free') return 'settled later'
    this.#free.push(slot)
    this.#abandoned--
    return 'freed'
  }

  /** Everything that still stands here, once the thread has exited: its last messages are read first. */
  remains(): Entry[] {
    this.#readMessages()
    const remains = [...this.entries]
    for (const { slot } of remains) this.#bySlot.free(slot)
    return remains
  }

  /** What the thread has posted and no event has brought yet. */
  #readMessages(): void {
    for (;;) {
      const next = receiveMessageOnPort(this.#port) as { message: FromThread } | undefined
      if (next === undefined) return
      this.#received(next.message)
    }
  }

  #forgetGone(): void {
    this.#offers = this.#offers.filter((each) => this.#bySlot.get(each.slot) === each)
  }

  #release(entry: Entry): void {
    free(this.#slots.words, entry.slot, entry.generation)
    this.#bySlot.free(entry.slot)
    this.#free.push(entry.slot)
  }
}
