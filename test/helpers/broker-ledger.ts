import type { Delivery, Message } from '../../lib/broker.ts'
import type { RabbitNode, Taken } from './rabbit-node.ts'

/** What was published and what came, to be compared when everything has calmed down. */
export class BrokerLedger {
  readonly attempted = new Set<string>()
  readonly acknowledged = new Set<string>()
  readonly executed = new Map<string, number>()
  #status: 'running' | 'stopping' = 'running'
  #look: () => void = () => {}

  /** Publishes groups one after another, as an outbox does, until `stop`. */
  async publish(node: RabbitNode, name: string, size: number): Promise<void> {
    for (let at = 0; this.#status === 'running'; at++) {
      const group: readonly Message[] = Array.from({ length: size }, (_, each) => ({
        id: `${name}-${at}-${each}`,
        queue: 'work',
        body: Buffer.alloc(200, 'x'),
      }))
      for (const { id } of group) this.attempted.add(id)
      // A group that was sent more than once may have been held each time.
      await node.publishUntilHeld(group)
      for (const { id } of group) this.acknowledged.add(id)
      this.#look()
    }
  }

  /** Notes what comes, and settles it a turn later. */
  execute(taken: Taken): void {
    taken.onDelivery = (delivery: Delivery) => {
      this.executed.set(delivery.id, (this.executed.get(delivery.id) ?? 0) + 1)
      setImmediate(() => {
        void taken.done(delivery)
        this.#look()
      })
    }
  }

  stop(): void {
    this.#status = 'stopping'
  }

  async until(isSo: () => boolean, withinMs = 60_000): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`not within ${withinMs} ms: ${this.summary()}`)), withinMs)
      this.#look = () => {
        if (!isSo()) return
        clearTimeout(timer)
        resolve()
      }
      this.#look()
    })
  }

  get lost(): number {
    return [...this.acknowledged].filter((id) => !this.executed.has(id)).length
  }

  get unexpected(): number {
    return [...this.executed.keys()].filter((id) => !this.attempted.has(id)).length
  }

  get duplicated(): number {
    return [...this.executed.values()].filter((times) => times > 1).length
  }

  summary(): string {
    const { attempted, acknowledged, executed, lost, unexpected, duplicated } = this
    return (
      `attempted ${attempted.size}, acknowledged ${acknowledged.size}, executed ${executed.size}, ` +
      `lost ${lost}, unexpected ${unexpected}, duplicated ${duplicated}`
    )
  }
}
