import { randomUUID } from 'node:crypto'
import type { Broker } from '../../lib/broker.ts'
import { encodeControl, keptQueue, MOST_CANCELLED_AT_ONCE } from '../../lib/control-message.ts'

interface Batch {
  readonly ids: string[]
  sentBefore: number
  readonly kept: Promise<void>
}

/**
 * Puts cancels into the queues of nodes. What is asked for while one message is under way goes with the next one: many
 * jobs that are cancelled together cost each node a few messages.
 */
export class Keeper {
  readonly #broker: Pick<Broker, 'publish'>
  #next: Batch | undefined
  #underWay: Promise<unknown> = Promise.resolve()

  constructor(broker: Pick<Broker, 'publish'>) {
    this.#broker = broker
  }

  /** For all nodes: those that are known when it is sent. */
  keepForAll(ids: readonly string[], sentBefore: number, nodes: () => readonly string[]): Promise<void> {
    if (this.#next === undefined || this.#next.ids.length + ids.length > MOST_CANCELLED_AT_ONCE) {
      const all: string[] = []
      const kept = this.#underWay.then(() => {
        if (this.#next === batch) this.#next = undefined
        return this.keep(all, batch.sentBefore, nodes())
      })
      const batch: Batch = { ids: all, sentBefore, kept }
      this.#underWay = kept.catch(() => undefined)
      this.#next = batch
    }
    this.#next.ids.push(...ids)
    this.#next.sentBefore = Math.max(this.#next.sentBefore, sentBefore)
    return this.#next.kept
  }

  /** Rejects where the broker does not hold it for one that may come back. */
  async keep(ids: readonly string[], sentBefore: number, nodes: readonly string[]): Promise<void> {
    const body = encodeControl({ type: 'cancel', ids, sentBefore })
    const messages = nodes.map((node) => ({ id: randomUUID(), queue: keptQueue(node), body }))
    const results = await this.#broker.publish(messages)
    for (const result of results) {
      // Where there is no queue its node has been away for longer than anything is kept for it.
      if (result.type === 'refused' || result.type === 'unconfirmed') throw result.error
    }
  }
}
