import {
  brokerClosed,
  UNKNOWN,
  type Broker,
  type BrokerEvent,
  type BrokerSupports,
  type Message,
  type OpenOptions,
  type PublishResult,
  type Settlement,
  type SettleResult,
  type SubscribeOptions,
  type Subscription,
} from './broker.ts'
import { systemClock, type Clock, type Timer } from './clock.ts'
import { MillraceError } from './errors.ts'
import { checkPrefetch } from './message.ts'

export interface RotationOptions {
  /** How long a group waits for one of the brokers to be usable. */
  readonly timeoutMs: number
  readonly clock?: Clock
}

/** A broker that has failed is left out for so long first, and for twice as long each time after. */
export const FIRST_PAUSE_MS = 1_000
/** At the longest: then it is tried again, with one group. */
export const LONGEST_PAUSE_MS = 30_000

/**
 * Several independent brokers as one. Each group goes to the one with the fewest messages under way; one that is down,
 * takes nothing, or has failed is left out, and what it did not take is sent to the others with the same ids, so that it
 * may be held by two: who takes messages has to tell duplicates by their id. Subscriptions take from all of them.
 */
export function rotation(brokers: readonly Broker[], options: RotationOptions): Broker {
  const [only] = brokers
  return brokers.length === 1 && only !== undefined ? only : new Rotation(brokers, options)
}

/** One of the brokers, as the rotation knows it. */
class Member {
  readonly broker: Broker
  link: 'up' | 'down' = 'down'
  flow: 'free' | 'blocked' = 'free'
  /** Messages that it was given and has not answered. */
  underWay = 0
  /** Groups in a row of which something was not taken. */
  failures = 0
  pausedUntilMs = 0

  constructor(broker: Broker) {
    this.broker = broker
  }

  /** Whether it may be given a group now. After failures one group is the probe. */
  isUsable(nowMs: number): boolean {
    if (this.link === 'down' || this.flow === 'blocked') return false
    return this.failures === 0 || (nowMs >= this.pausedUntilMs && this.underWay === 0)
  }

  note(results: readonly PublishResult[], nowMs: number): void {
    if (!results.some(isFailure)) {
      this.failures = 0
      return
    }
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** Math.min(this.failures, 30), LONGEST_PAUSE_MS)
    this.failures++
    this.pausedUntilMs = nowMs + pauseMs
  }

  hear(event: BrokerEvent): void {
    if (event.type === 'up') this.failures = 0
    if (event.type === 'up' || event.type === 'unblocked') this.flow = 'free'
    if (event.type === 'up' || event.type === 'down') this.link = event.type
    if (event.type === 'blocked') this.flow = 'blocked'
  }
}

class Rotation implements Broker {
  readonly supports: BrokerSupports
  readonly #members: readonly Member[]
  readonly #clock: Clock
  readonly #timeoutMs: number
  readonly #subscriptions = new Set<RotatedSubscription>()
  /** Called when a member may have become usable. */
  readonly #waiting = new Set<() => void>()
  #next = 0
  #status: 'open' | 'closed' = 'open'

  constructor(brokers: readonly Broker[], { timeoutMs, clock = systemClock }: RotationOptions) {
    this.#members = brokers.map((broker) => new Member(broker))
    this.#clock = clock
    this.#timeoutMs = timeoutMs
    this.supports = weakest(brokers.map(({ supports }) => supports))
  }

  async open({ queues, tell }: OpenOptions): Promise<void> {
    const opened = this.#members.map((member) =>
      member.broker.open({
        queues,
        tell: (event) => {
          member.hear(event)
          tell(event)
          this.#changed()
        },
      }),
    )
    try {
      await Promise.any(opened)
    } catch (error) {
      throw error instanceof AggregateError ? error.errors[0] : error
    }
  }

  async publish(messages: readonly Message[]): Promise<readonly PublishResult[]> {
    this.#refuseClosed()
    const results: PublishResult[] = []
    const deadlineMs = this.#clock.monotonicMs() + this.#timeoutMs
    const tried = new Set<Member>()
    let left: readonly number[] = messages.map((_, index) => index)
    while (left.length > 0 && this.#isOpen()) {
      const member = this.#pick(tried) ?? (tried.size === 0 ? await this.#waitForOne(deadlineMs) : undefined)
      if (member === undefined) break
      tried.add(member)
      const answers = await this.#send(
        member,
        left.map((index) => messages[index] as Message),
      )
      left.forEach((index, at) => {
        results[index] = answers[at] as PublishResult
      })
      left = left.filter((index) => isForOthers(results[index] as PublishResult))
    }
    for (const index of left) results[index] ??= { type: 'unconfirmed', error: noBroker(this.#timeoutMs) }
    return results
  }

  subscribe(queue: string, options: SubscribeOptions): Subscription {
    this.#refuseClosed()
    const brokers = this.#members.map(({ broker }) => broker)
    const subscription = new RotatedSubscription(brokers, this.#takers(), queue, options, () =>
      this.#subscriptions.delete(subscription),
    )
    this.#subscriptions.add(subscription)
    return subscription
  }

  async close(): Promise<void> {
    this.#status = 'closed'
    this.#changed()
    await Promise.all(this.#members.map(({ broker }) => broker.close()))
  }

  async #send(member: Member, group: readonly Message[]): Promise<readonly PublishResult[]> {
    member.underWay += group.length
    try {
      const answers = await member.broker.publish(group)
      member.note(answers, this.#clock.monotonicMs())
      return answers
    } finally {
      member.underWay -= group.length
      this.#changed()
    }
  }

  /** The one with the least to do, and of equals each in turn. */
  #pick(tried: ReadonlySet<Member>): Member | undefined {
    const nowMs = this.#clock.monotonicMs()
    const first = this.#next++
    let best: Member | undefined
    for (let at = 0; at < this.#members.length; at++) {
      const member = this.#members[(first + at) % this.#members.length] as Member
      if (tried.has(member) || !member.isUsable(nowMs)) continue
      if (best === undefined || member.underWay < best.underWay) best = member
    }
    return best
  }

  #waitForOne(deadlineMs: number): Promise<Member | undefined> {
    return new Promise((resolve) => {
      let timer: Timer | undefined
      const look = () => {
        timer?.cancel()
        const nowMs = this.#clock.monotonicMs()
        const member = this.#isOpen() ? this.#pick(new Set()) : undefined
        if (member === undefined && this.#isOpen() && nowMs < deadlineMs) {
          timer = this.#clock.setTimer(this.#nextChangeMs(nowMs, deadlineMs) - nowMs, look)
          timer.unref()
          return
        }
        this.#waiting.delete(look)
        resolve(member)
      }
      this.#waiting.add(look)
      look()
    })
  }

  /** When a pause ends, if that is before the deadline. */
  #nextChangeMs(nowMs: number, deadlineMs: number): number {
    const ends = this.#members.map(({ pausedUntilMs }) => pausedUntilMs).filter((endMs) => endMs > nowMs)
    return Math.min(deadlineMs, ...ends)
  }

  /** Those that a subscription takes from now: all of them while none is up, since any of them may come. */
  #takers(): readonly Broker[] {
    const up = this.#members.filter(({ link }) => link === 'up')
    return (up.length > 0 ? up : this.#members).map(({ broker }) => broker)
  }

  #changed(): void {
    for (const look of this.#waiting) look()
    const takers = this.#takers()
    for (const subscription of this.#subscriptions) subscription.share(takers)
  }

  #isOpen(): boolean {
    return this.#status === 'open'
  }

  #refuseClosed(): void {
    if (this.#isOpen()) return
    throw brokerClosed()
  }
}

class RotatedSubscription implements Subscription {
  readonly begun: Promise<void>
  readonly #parts: ReadonlyMap<Broker, Subscription>
  readonly #shares = new Map<Broker, number>()
  readonly #ended: () => void
  #takers: readonly Broker[]
  #prefetch: number

  constructor(
    brokers: readonly Broker[],
    takers: readonly Broker[],
    queue: string,
    options: SubscribeOptions,
    ended: () => void,
  ) {
    this.#prefetch = checkPrefetch(options.prefetch)
    this.#takers = takers
    this.#ended = ended
    for (const broker of brokers) this.#shares.set(broker, this.#shareOf(broker))
    this.#parts = new Map(
      brokers.map((broker) => [
        broker,
        broker.subscribe(queue, { ...options, prefetch: this.#shares.get(broker) as number }),
      ]),
    )
    this.begun = Promise.any([...this.#parts.values()].map(({ begun }) => begun))
  }

  async settle(settlements: readonly Settlement[]): Promise<readonly SettleResult[]> {
    const results: SettleResult[] = Array.from({ length: settlements.length }, () => UNKNOWN)
    const settled = [...this.#parts.values()].map(async (part) => {
      const own = [...settlements.keys()].filter((index) => settlements[index]?.delivery.from === part)
      if (own.length === 0) return
      const answers = await part.settle(own.map((index) => settlements[index] as Settlement))
      own.forEach((index, at) => {
        results[index] = answers[at] as SettleResult
      })
    })
    await Promise.all(settled)
    return results
  }

  setPrefetch(prefetch: number): void {
    this.#prefetch = checkPrefetch(prefetch)
    this.share(this.#takers)
  }

  /** Divides the prefetch among these. */
  share(takers: readonly Broker[]): void {
    this.#takers = takers
    for (const [broker, part] of this.#parts) {
      const share = this.#shareOf(broker)
      if (this.#shares.get(broker) === share) continue
      this.#shares.set(broker, share)
      part.setPrefetch(share)
    }
  }

  /** All together hold no more than the prefetch; but each that takes has one at least. */
  #shareOf(broker: Broker): number {
    const at = this.#takers.indexOf(broker)
    if (at < 0 || this.#prefetch === 0) return 0
    return Math.max(1, Math.floor((this.#prefetch + at) / this.#takers.length))
  }

  async cancel(): Promise<void> {
    this.#ended()
    await Promise.all([...this.#parts.values()].map((part) => part.cancel()))
  }
}

function isFailure({ type }: PublishResult): boolean {
  return type === 'unconfirmed'
}

/** Another broker may take what this one did not. */
function isForOthers(result: PublishResult): boolean {
  return result.type !== 'held' && !(result.type === 'refused' && result.again === 'never')
}

/** What all of them can do. */
function weakest(all: readonly BrokerSupports[]): BrokerSupports {
  const delays = all.map(({ delay }) => delay).filter((delay) => delay !== 'none')
  return {
    durability: all.every(({ durability }) => durability === 'restart') ? 'restart' : 'nothing',
    delay:
      delays.length < all.length
        ? 'none'
        : {
            stepMs: Math.max(...delays.map(({ stepMs }) => stepMs)),
            mostMs: Math.min(...delays.map(({ mostMs }) => mostMs)),
          },
    priorities: Math.min(...all.map(({ priorities }) => priorities)),
    deadLetter: all.every(({ deadLetter }) => deadLetter),
    control: all.every(({ control }) => control),
  }
}

function noBroker(timeoutMs: number): MillraceError {
  return new MillraceError(
    'MILLRACE_BROKER_LOST',
    `none of the brokers could be used in ${timeoutMs} ms; see whether they run and can be reached from here`,
  )
}
