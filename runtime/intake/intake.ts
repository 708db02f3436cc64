import { type BrokerSupports, type Delivery, DONE, type Settlement, type Subscription } from '../../lib/broker.ts'
import type { Behavior } from '../../lib/actor.ts'
import type { Clock, Timer } from '../../lib/clock.ts'
import { decodeJob, type JobEnvelope, messageOf } from '../../lib/envelope.ts'
import { fromErrorRecord } from '../../lib/error-record.ts'
import type { MillraceError } from '../../lib/errors.ts'
import type { Writable } from '../../lib/writable.ts'
import type { TakenEntry } from '../journal/owner/gather.ts'
import type { Instead, TakenAnswer, TakenJob } from '../journal/protocol.ts'
import { type Deliveries, unread, verdictOf } from './deliveries.ts'
import { judge, type Judgement, stray } from './judge.ts'
import { ROOM_MS, Rooms } from './rooms.ts'
import type { Verdicts } from './verdicts.ts'

export type IntakeMessage =
  | { readonly type: 'arrived' }
  /** There may be more room than before. */
  | { readonly type: 'room' }

/** Deliveries that nobody has looked at, and the subscriptions that they come from; outlives the intake. */
export interface Inlet {
  readonly arrived: Delivery[]
  /** By place index. */
  readonly subscriptions: readonly Subscription[]
}

export interface IntakeOptions {
  readonly clock: Clock
  readonly supports: BrokerSupports
  readonly inlet: Inlet
  readonly deliveries: Deliveries
  readonly verdicts: Verdicts
  readonly journal: { take(entry: TakenEntry): void }
  /** The index of a task that jobs may start of here now; -1 for any other. */
  runnable(envelope: JobEnvelope): number
  /** A job has lost its row here to a newer claim of it: what its delivery is told. */
  overtaken(older: Instead): Settlement | undefined
  /** How many jobs a place runs at once; 0 while it starts none. */
  parallelOf(place: number): number
  /** How many jobs of it have ended in all. */
  endedOf(place: number): number
  /** Resolves when the node that has the job knows that it was cancelled, or never will. */
  sendCancelled(envelope: JobEnvelope): Promise<void>
  /** Whether somebody has asked the runtime to stop. */
  isStopping(): boolean
  malformed(queue: string, error: MillraceError): void
  failed(error: Error): void
}

/** Makes rows of deliveries: decides which shall run here, and how many may come. */
export class Intake implements Behavior<IntakeMessage> {
  readonly #options: IntakeOptions
  readonly #rooms: Rooms
  readonly #settlements: Settlement[] = []
  readonly #answered = (wanted: Wanted, answer: TakenAnswer) => this.#tell(this.#answer(wanted, answer))
  #look: Timer | undefined

  constructor(options: IntakeOptions) {
    this.#options = options
    this.#rooms = new Rooms({ ...options, subscriptions: options.inlet.subscriptions })
  }

  start(): void {
    // One that was here before may have left them open.
    this.#rooms.shut()
    this.#watch()
    this.receive()
  }

  receive(message?: IntakeMessage): void {
    const { inlet, verdicts, isStopping } = this.#options
    if (isStopping()) return this.#pass()
    if (message?.type === 'room') this.#rooms.look()
    else this.#rooms.lookForMore()
    const settlements: Settlement[] = []
    const wanted: Wanted[] = []
    for (const delivery of inlet.arrived.splice(0)) {
      const each = this.#judge(delivery, settlements)
      if (each !== undefined) wanted.push(each)
    }
    verdicts.tell(settlements)
    for (const each of wanted) this.#options.journal.take(each)
  }

  /** Nothing more comes; what is here stays unsettled until somebody has decided about it. */
  stop(): void {
    this.#look?.cancel()
    this.#rooms.shut()
  }

  /** Nothing more shall come, and what has just come goes to others as it did. */
  #pass(): void {
    const { inlet, verdicts, supports } = this.#options
    this.stop()
    verdicts.tell(inlet.arrived.splice(0).flatMap((delivery) => unread(delivery, supports)))
  }

  /** One that is to be taken, or else what it is told. */
  #judge(delivery: Delivery, into: Settlement[]): Wanted | undefined {
    const { runnable, malformed, deliveries } = this.#options
    let envelope: JobEnvelope
    let task: number
    try {
      envelope = decodeJob(delivery.body)
      task = runnable(envelope)
    } catch (error) {
      malformed(delivery.queue, error as MillraceError)
      into.push({ delivery, verdict: { type: 'dead', reason: (error as MillraceError).message } })
      return undefined
    }
    const judgement = judge(delivery, envelope, task < 0 ? 'no' : 'yes')
    if (judgement.type === 'replace') {
      this.#replace(delivery, judgement, into)
      return undefined
    }
    const job = takenJob(envelope, task, deliveries.add(delivery, envelope), judgement.suspect)
    return new Wanted(delivery, envelope, job, this.#answered)
  }

  #replace(delivery: Delivery, { by, delayMs }: Extract<Judgement, { type: 'replace' }>, into: Settlement[]): void {
    const { supports, verdicts } = this.#options
    const settlement: Settlement = {
      delivery,
      verdict: { type: 'replace', by: messageOf(by, delivery.queue, delayMs, supports) },
    }
    if (delayMs > 0 && supports.delay === 'none') verdicts.tellIn(delayMs, settlement)
    else into.push(settlement)
  }

  /** The answers of a commit come at once, and are told at once. */
  #tell(settlement: Settlement | undefined): void {
    if (settlement === undefined) return
    if (this.#settlements.push(settlement) > 1) return
    queueMicrotask(() => this.#options.verdicts.tell(this.#settlements.splice(0)))
  }

  #answer({ delivery, envelope, job: { number } }: Wanted, answer: TakenAnswer): Settlement | undefined {
    const { deliveries, supports, clock, failed } = this.#options
    if (answer.type === 'taken') {
      return answer.instead === undefined ? undefined : this.#options.overtaken(answer.instead)
    }
    deliveries.refused(number)
    switch (answer.type) {
      case 'ended':
        return { delivery, verdict: verdictOf(answer.verdict, delivery, envelope, clock.now(), supports) }
      case 'here':
        return this.#adopt(answer.number, delivery, envelope)
      case 'overtaken':
        return { delivery, verdict: DONE }
      case 'unwanted':
        void this.#options
          .sendCancelled(envelope)
          .then(() => this.#options.verdicts.tell([{ delivery, verdict: DONE }]))
        return undefined
      case 'failed':
        failed(fromErrorRecord(answer.error))
        return this.#later(delivery, envelope)
    }
  }

  /** Of two live ones the second is done; a row whose delivery is not known here is about to end. */
  #adopt(number: number, delivery: Delivery, envelope: JobEnvelope): Settlement | undefined {
    const came = this.#options.deliveries.adopt(number, delivery)
    if (came === 'adopted') return undefined
    return came === 'second' ? { delivery, verdict: DONE } : this.#later(delivery, envelope)
  }

  #later(delivery: Delivery, envelope: JobEnvelope): Settlement | undefined {
    const into: Settlement[] = []
    this.#replace(delivery, stray(envelope) as Extract<Judgement, { type: 'replace' }>, into)
    return into[0]
  }

  #watch(): void {
    this.#rooms.look()
    this.#look = this.#options.clock.setTimer(ROOM_MS, () => this.#watch())
  }
}

/** A delivery on its way to the journal. */
class Wanted implements TakenEntry {
  readonly delivery: Delivery
  readonly envelope: JobEnvelope
  readonly job: TakenJob
  readonly #answered: (wanted: Wanted, answer: TakenAnswer) => void

  constructor(
    delivery: Delivery,
    envelope: JobEnvelope,
    job: TakenJob,
    answered: (wanted: Wanted, answer: TakenAnswer) => void,
  ) {
    this.delivery = delivery
    this.envelope = envelope
    this.job = job
    this.#answered = answered
  }

  answered(answer: TakenAnswer): void {
    this.#answered(this, answer)
  }
}

function takenJob(envelope: JobEnvelope, task: number, number: number, suspect: 'yes' | 'no'): TakenJob {
  const { input, id, claim, attempt, createdAt, priority, overrides, expiresAt, part, reply } = envelope
  const job: Writable<TakenJob> = { number, task, input, id, claim, attempt, createdAt }
  if (overrides !== undefined) job.overrides = overrides
  if (priority !== undefined) job.priority = priority
  if (expiresAt !== undefined) job.expiresAt = expiresAt
  if (part !== undefined) job.part = part
  if (suspect === 'yes') job.suspect = suspect
  if (reply !== undefined) job.reply = reply
  return job
}
