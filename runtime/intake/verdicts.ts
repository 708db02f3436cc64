import { Doubling } from '../../lib/doubling.ts'
import type { PublishResult, SettleResult, Settlement, Subscription } from '../../lib/broker.ts'
import type { Clock, Timer } from '../../lib/clock.ts'

export interface VerdictsOptions {
  readonly clock: Clock
  /** What should come in the place of deliveries is not held: they are told again in so many ms. */
  kept(queue: string, because: PublishResult, messages: number, retryMs: number): void
}

const FIRST_MS = 1_000
const MOST_MS = 60_000

/** Tells the broker what became of deliveries, until it has heard it or has taken them back. */
export class Verdicts {
  readonly #options: VerdictsOptions
  readonly #backoff = new Doubling(FIRST_MS, MOST_MS)
  readonly #timers = new Set<Timer>()
  #underWay = 0
  #idle: (() => void)[] = []

  constructor(options: VerdictsOptions) {
    this.#options = options
  }

  /** All that is given at once is told at once: one call for each subscription. */
  tell(settlements: readonly Settlement[]): void {
    if (settlements.length === 0) return
    for (const [subscription, group] of bySubscription(settlements)) this.#settle(subscription, group)
  }

  /** For what shall come in its place later, where the broker cannot hold messages back: the delivery waits here. */
  tellIn(ms: number, settlement: Settlement): void {
    const timer = this.#options.clock.setTimer(ms, () => {
      this.#timers.delete(timer)
      this.tell([settlement])
    })
    this.#timers.add(timer)
  }

  /** Resolves when the broker has answered everything, or what it did not hold waits to be told again. */
  told(): Promise<void> {
    if (this.#underWay === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  /** What waits to be told again is not: the broker takes it back. */
  stop(): void {
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
  }

  #settle(subscription: Subscription, group: readonly Settlement[]): void {
    this.#underWay++
    subscription.settle(group).then(
      (results) => this.#answered(group, results),
      // Closed: the broker has taken everything back.
      () => this.#answered([], []),
    )
  }

  #answered(group: readonly Settlement[], results: readonly SettleResult[]): void {
    this.#underWay--
    const again: Settlement[] = []
    let because: PublishResult | undefined
    results.forEach((result, at) => {
      if (result.type !== 'kept') return
      because = result.because
      again.push(group[at] as Settlement)
    })
    if (because === undefined) this.#backoff.succeeded()
    else this.#tellAgain(again, because)
    if (this.#underWay === 0) for (const resolve of this.#idle.splice(0)) resolve()
  }

  #tellAgain(again: readonly Settlement[], because: PublishResult): void {
    const retryMs = this.#backoff.failed()
    for (const settlement of again) this.tellIn(retryMs, settlement)
    this.#options.kept((again[0] as Settlement).delivery.queue, because, again.length, retryMs)
  }
}

function bySubscription(settlements: readonly Settlement[]): Map<Subscription, Settlement[]> {
  const groups = new Map<Subscription, Settlement[]>()
  for (const settlement of settlements) {
    const { from } = settlement.delivery
    const group = groups.get(from)
    if (group === undefined) groups.set(from, [settlement])
    else group.push(settlement)
  }
  return groups
}
