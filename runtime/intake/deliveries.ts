import { type BrokerSupports, type Delivery, DONE, type Settlement, type Verdict } from '../../lib/broker.ts'
import { decodeJob, type JobEnvelope, messageOf } from '../../lib/envelope.ts'
import type { TakenVerdict } from '../journal/protocol.ts'
import { TAKEN_NUMBERS_FROM } from '../journal/schema/schema.ts'
import type { TakenClaim } from '../messages.ts'

interface Open extends TakenClaim {
  delivery: Delivery
  status: 'live' | 'lost'
}

/**
 * Deliveries that are rows here, by their numbers, until the commit that ends them. The journal comes first: only what it
 * has written is told to the broker, by what `ended` returns.
 */
export class Deliveries {
  readonly #supports: BrokerSupports
  readonly #open = new Map<number, Open>()
  /** How many have ended, by queue. */
  readonly #ended = new Map<string, number>()
  #nextNumber = TAKEN_NUMBERS_FROM

  constructor(supports: BrokerSupports) {
    this.#supports = supports
  }

  get size(): number {
    return this.#open.size
  }

  has(number: number): boolean {
    return this.#open.has(number)
  }

  of(number: number): TakenClaim | undefined {
    return this.#open.get(number)
  }

  /** Whether a job of the task is here. */
  anyOf(task: string): boolean {
    for (const { envelope } of this.#open.values()) if (envelope.task === task) return true
    return false
  }

  isLost(number: number): boolean {
    return this.#open.get(number)?.status === 'lost'
  }

  /** How many deliveries of a queue have ended here. */
  endedOf(queue: string): number {
    return this.#ended.get(queue) ?? 0
  }

  /** Returns its number. Before the journal is asked: whoever hears of its claim first knows what it is. */
  add(delivery: Delivery, envelope: JobEnvelope): number {
    const number = this.#nextNumber++
    this.#open.set(number, { delivery, envelope, status: 'live' })
    return number
  }

  /** It has become no row; the number is nobody's. */
  refused(number: number): void {
    this.#open.delete(number)
  }

  /** The same claim has come again while it is here, under this number: what was lost is settled by the newer delivery. */
  adopt(number: number, delivery: Delivery): 'adopted' | 'second' | 'unknown' {
    const open = this.#open.get(number)
    if (open === undefined) return 'unknown'
    if (open.status === 'live') return 'second'
    open.delivery = delivery
    open.status = 'live'
    return 'adopted'
  }

  /** The broker has taken these back. */
  lose(orphaned: readonly Delivery[]): void {
    const lost = new Set(orphaned)
    for (const open of this.#open.values()) if (lost.has(open.delivery)) open.status = 'lost'
  }

  /** Its end is written: what the broker shall be told, if it has not taken it back. */
  ended(number: number, verdict: TakenVerdict, now: number): Settlement | undefined {
    const open = this.#open.get(number)
    if (open === undefined) return undefined
    this.#open.delete(number)
    const { delivery, envelope, status } = open
    this.#ended.set(delivery.queue, this.endedOf(delivery.queue) + 1)
    return status === 'lost'
      ? undefined
      : { delivery, verdict: verdictOf(verdict, delivery, envelope, now, this.#supports) }
  }

  /** One that has not ended goes to others as it came, which is no death of anybody. */
  release(number: number): readonly Settlement[] {
    const open = this.#open.get(number)
    if (open === undefined) return []
    this.#open.delete(number)
    return open.status === 'live' ? [asItCame(open.delivery, open.envelope, this.#supports)] : []
  }

  releaseAll(): readonly Settlement[] {
    return [...this.#open.keys()].flatMap((number) => this.release(number))
  }
}

export function asItCame(delivery: Delivery, envelope: JobEnvelope, supports: BrokerSupports): Settlement {
  return { delivery, verdict: { type: 'replace', by: messageOf(envelope, delivery.queue, 0, supports) } }
}

/** The same of one that nobody has looked at. What is no message of ours is told by who gets it next. */
export function unread(delivery: Delivery, supports: BrokerSupports): readonly Settlement[] {
  try {
    return [asItCame(delivery, decodeJob(delivery.body), supports)]
  } catch {
    return [{ delivery, verdict: { type: 'return' } }]
  }
}

/** What the journal has remembered, as the broker is told it. */
export function verdictOf(
  verdict: TakenVerdict,
  { queue }: Delivery,
  envelope: JobEnvelope,
  now: number,
  supports: BrokerSupports,
): Verdict {
  switch (verdict.type) {
    case 'done':
      return DONE
    case 'dead':
      return verdict
    case 'again': {
      const next = { ...envelope, claim: envelope.claim + 1, attempt: verdict.attempt, deliveries: 0, strays: 0 }
      return { type: 'replace', by: messageOf(next, queue, Math.max(0, verdict.dueAt - now), supports) }
    }
  }
}
