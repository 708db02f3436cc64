import { Doubling } from '../../lib/doubling.ts'
import type { Message, PublishResult } from '../../lib/broker.ts'
import type { Clock, Timer } from '../../lib/clock.ts'
import { decodeOutcomes, grouped, joined, type OutcomesFor } from '../../lib/homeward.ts'
import type { UnsentOutcomes } from '../journal/protocol.ts'

export interface HomewardOptions {
  readonly clock: Clock
  /** In front of the numbers of its messages: no other node's are the same. */
  node(): string
  publish(messages: readonly Message[]): Promise<readonly PublishResult[]>
  /** They need not be sent any more. */
  sent(seqs: readonly number[]): Promise<unknown>
  /** What an earlier runtime, or this one, has not sent, in its order; nothing where there is no more. */
  unsent(after: number): Promise<readonly UnsentOutcomes[]>
  /** Nobody is there to hear of the outcome of this job. */
  dropped(id: string, queue: string, error: Error): void
  failed(error: Error): void
}

/** Outcomes in memory; more of them wait in the journal, and are read from there. */
const MOST_IN_MEMORY = 5_000
const FIRST_MS = 1_000
const MOST_MS = 60_000
/** That they were sent is written so much later, many at once: each commit is one less for what jobs wait for. */
export const MARK_MS = 200

interface Entry extends OutcomesFor {
  /** Of one that stands in the journal. */
  readonly seq?: number
  /** Of one that does not: it waits to hear that it was sent. */
  readonly done?: () => void
}

/** Sends outcomes to the nodes that have the jobs, many to a message; each stands in the journal until it was sent. */
export class Homeward {
  readonly #options: HomewardOptions
  readonly #backoff = new Doubling(FIRST_MS, MOST_MS)
  #waiting: Entry[] = []
  #inMemory = 0
  /** Of what stands in the journal, all up to here was sent or is in memory. */
  #knownUpTo = 0
  #messages = 0
  #underWay = 0
  #idle: (() => void)[] = []
  #flush: 'planned' | 'no' = 'no'
  #again: Timer | undefined
  /** Sent, which the journal does not know yet. */
  #sent: number[] = []
  #mark: Timer | undefined
  /** 'rest': there is more in the journal than here. */
  #journal: 'read' | 'rest' | 'reading' = 'read'
  /** Whether something was left there while it was read. */
  #missed: 'yes' | 'no' = 'no'
  #status: 'open' | 'closed' = 'closed'

  constructor(options: HomewardOptions) {
    this.#options = options
  }

  /** The broker can be asked, and the journal: what was left is sent first. */
  open(): void {
    this.#status = 'open'
    this.readRest()
  }

  /** Resolves when nothing is under way; what could not be sent waits in the journal. */
  sentAll(): Promise<void> {
    if (this.#underWay === 0 && this.#waiting.length === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  close(): void {
    this.#status = 'closed'
    this.#again?.cancel()
    this.#writeSent()
  }

  /** Those of a commit. */
  add(homes: readonly UnsentOutcomes[]): void {
    // What is read from there comes in its order, and only once.
    if (this.#journal !== 'read' || this.#inMemory >= MOST_IN_MEMORY) this.#leave()
    else for (const home of homes) this.#take(home)
  }

  /** One that stands in no journal; resolves when it was sent, or nobody is there to hear of it. */
  send(queue: string, text: string): Promise<void> {
    return new Promise((done) => this.#put({ queue, outcomes: 1, text, done }))
  }

  /** The broker is there again. */
  wake(): void {
    this.#again?.cancel()
    this.#again = undefined
    this.#plan()
  }

  /** There may be more in the journal than was told. */
  readRest(): void {
    if (this.#status === 'closed') return
    if (this.#journal === 'reading') return this.#leave()
    this.#journal = 'reading'
    this.#missed = 'no'
    this.#read().then(
      (rest) => {
        this.#journal = rest
        if (rest === 'rest' && this.#inMemory === 0) this.readRest()
      },
      (error: Error) => {
        this.#journal = 'rest'
        if (this.#status === 'open') this.#options.failed(error)
      },
    )
  }

  async #read(): Promise<'read' | 'rest'> {
    while (this.#inMemory < MOST_IN_MEMORY) {
      const homes = await this.#options.unsent(this.#knownUpTo)
      for (const home of homes) this.#take(home)
      if (homes.length === 0) return this.#missed === 'no' ? 'read' : 'rest'
    }
    return 'rest'
  }

  #leave(): void {
    if (this.#journal === 'read') this.#journal = 'rest'
    else if (this.#journal === 'reading') this.#missed = 'yes'
  }

  #take(home: UnsentOutcomes): void {
    if (home.seq <= this.#knownUpTo) return
    this.#knownUpTo = home.seq
    this.#put(home)
  }

  #put(entry: Entry): void {
    this.#inMemory += entry.outcomes
    this.#waiting.push(entry)
    this.#plan()
  }

  #plan(): void {
    if (this.#flush === 'planned' || this.#again !== undefined || this.#status === 'closed') return
    this.#flush = 'planned'
    this.#options.clock.setImmediate(() => {
      this.#flush = 'no'
      this.#send()
    })
  }

  #send(): void {
    // Those of small commits go together.
    const groups = grouped(this.#waiting.splice(0))
    if (groups.length === 0) return
    const messages = groups.map((entries) => this.#messageOf(entries))
    this.#underWay++
    this.#options.publish(messages).then(
      (results) => this.#answered(groups, results),
      (error: Error) =>
        this.#answered(
          groups,
          groups.map(() => ({ type: 'unconfirmed', error: error as never })),
        ),
    )
  }

  #messageOf(entries: readonly [Entry, ...Entry[]]): Message {
    const [{ queue }] = entries
    const body = Buffer.from(joined(entries))
    return { id: `${this.#options.node()}.${this.#options.clock.now()}.${++this.#messages}`, queue, body }
  }

  #answered(groups: readonly (readonly Entry[])[], results: readonly PublishResult[]): void {
    this.#underWay--
    const over: Entry[] = []
    groups.forEach((entries, at) => {
      const result = results[at] as PublishResult
      if (result.type === 'held') over.push(...entries)
      else if (result.type === 'unroutable') over.push(...this.#drop(entries, new Error('its queue is gone')))
      else if (result.type === 'refused' && result.again === 'never') over.push(...this.#drop(entries, result.error))
      else this.#keep(entries)
    })
    if (over.length > 0) this.#backoff.succeeded()
    for (const { outcomes, done } of over) {
      this.#inMemory -= outcomes
      done?.()
    }
    for (const { seq } of over) if (seq !== undefined) this.#sent.push(seq)
    if (this.#sent.length > 0) this.#mark ??= this.#options.clock.setTimer(MARK_MS, () => this.#writeSent())
    if (this.#underWay === 0) for (const resolve of this.#idle.splice(0)) resolve()
    if (this.#journal === 'rest' && this.#inMemory === 0) this.readRest()
  }

  #drop(entries: readonly Entry[], error: Error): readonly Entry[] {
    for (const { queue, text } of entries) {
      for (const { id } of decodeOutcomes(Buffer.from(text))) this.#options.dropped(id, queue, error)
    }
    return entries
  }

  #keep(entries: readonly Entry[]): void {
    this.#waiting.push(...entries)
    if (this.#again !== undefined || this.#status === 'closed') return
    this.#again = this.#options.clock.setTimer(this.#backoff.failed(), () => this.wake())
  }

  #writeSent(): void {
    this.#mark?.cancel()
    this.#mark = undefined
    const sent = this.#sent.splice(0)
    if (sent.length === 0) return
    // Where it cannot be written they are sent once more after the next start, and are stale there.
    this.#options.sent(sent).catch((error: Error) => this.#options.failed(error))
  }
}
